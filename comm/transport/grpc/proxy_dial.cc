#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "comm/transport/grpc/proxy.h"

namespace consilium::transport {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 10;

Status SendAll(const Socket& socket, std::string_view text, Instant deadline) {
  while (!text.empty()) {
    const ssize_t size = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (size > 0) {
      text.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno != EAGAIN && errno != EINTR) {
      return Unavailable("hung up (", std::strerror(errno), ")");
    } else if (!WaitFor(socket, POLLOUT, deadline)) {
      return Unavailable("does not read");
    }
  }
  return Status();
}

// Up to the empty line; what follows it belongs to the tunnel, and a TLS server says nothing first.
StatusOr<std::string> ReadAnswer(const Socket& socket, Instant deadline) {
  std::string answer;
  while (answer.find("\r\n\r\n") == std::string::npos) {
    if (answer.size() >= kAnswerBytesMax) return FailedPrecondition("does not answer like an HTTP proxy");
    char buffer[1024];
    const ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (size > 0) {
      answer.append(buffer, static_cast<std::size_t>(size));
    } else if (size == 0) {
      return Unavailable("closed the connection without an answer");
    } else if (errno != EAGAIN && errno != EINTR) {
      return Unavailable("hung up (", std::strerror(errno), ")");
    } else if (!WaitFor(socket, POLLIN, deadline)) {
      return Unavailable("does not answer");
    }
  }
  return answer;
}

// "HTTP/1.1 407 Proxy Authentication Required" -> 407; 0 for what is no such line.
int CodeOf(const std::string& answer) {
  int code = 0;
  if (answer.size() < 12 || !answer.starts_with("HTTP/1.") || answer[8] != ' ') return 0;
  const auto [rest, error] = std::from_chars(answer.data() + 9, answer.data() + 12, code);
  return error == std::errc() && rest == answer.data() + 12 ? code : 0;
}

// The words after the code, as they may be shown on a terminal.
std::string WordsOf(const std::string& answer) {
  std::string words = answer.substr(9, std::min<std::size_t>(answer.find('\r') - 9, 80));
  for (char& c : words)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  return words;
}

Status Judge(const Proxy& proxy, const std::string& target, const std::string& answer) {
  const int code = CodeOf(answer);
  if (code >= 200 && code < 300) return Status();
  if (code == 0) return FailedPrecondition("what listens there does not answer like an HTTP proxy");
  if (code == 407)
    return Unauthenticated(proxy.authorization.empty()
                               ? "it wants a name and a password (407): write http://NAME:PASSWORD@HOST:PORT in "
                                 "https_proxy or --proxy"
                               : "it does not accept the name and the password given (407)");
  if (code == 403 || code == 405)
    return PermissionDenied("it refuses connections to ", target, " (", WordsOf(answer),
                            "): whoever runs it has to allow that address, or no_proxy has to name the host");
  return Unavailable("it cannot connect to ", target, " (", WordsOf(answer), ")");
}

}  // namespace

StatusOr<Socket> DialThrough(const std::optional<Proxy>& proxy, const std::string& host, int port, Instant deadline) {
  if (!proxy) return DialTcp(host, port, deadline);
  const std::string target = HostAndPort(host, port), who = Concat("the HTTP proxy ", proxy->where());
  StatusOr<Socket> socket = DialTcp(proxy->host, proxy->port, deadline);
  if (!socket.ok()) return Annotate(socket.status(), who);
  std::string request = Concat("CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\n");
  if (!proxy->authorization.empty()) request += "Proxy-Authorization: " + proxy->authorization + "\r\n";
  if (Status status = SendAll(*socket, request + "\r\n", deadline); !status.ok()) return Annotate(status, who);
  const StatusOr<std::string> answer = ReadAnswer(*socket, deadline);
  if (!answer.ok()) return Annotate(answer.status(), who);
  if (Status status = Judge(*proxy, target, *answer); !status.ok()) return Annotate(status, who);
  return socket;
}

}  // namespace consilium::transport
