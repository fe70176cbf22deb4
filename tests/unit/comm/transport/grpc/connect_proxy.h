// A small HTTP proxy on loopback that tunnels CONNECT, or refuses it.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace consilium::transport::testing {

class ConnectProxy {
 public:
  struct Options {
    std::string authorization;  // wanted in Proxy-Authorization: "Basic ..."; "": nothing is wanted
    std::string refusal;        // the whole answer to everybody, e.g. "HTTP/1.1 403 Forbidden\r\n\r\n"; "": tunnels
  };
  explicit ConnectProxy(Options options);
  ~ConnectProxy();
  int port() const { return port_; }
  // The CONNECT lines that were asked for, e.g. "CONNECT 127.0.0.1:8443 HTTP/1.1".
  std::vector<std::string> requests();

 private:
  void Run();
  void Serve(int near);
  const Options options_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<std::thread> tunnels_;  // the accepting thread's
  std::thread thread_;
};

}  // namespace consilium::transport::testing
