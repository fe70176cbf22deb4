// Why a TLS handshake on our server rejected a certificate.  gRPC reports "certificate verify failed", and neither
// whose it was nor what was wrong with it.
#pragma once

#include <string>

namespace consilium::transport {

// From now on each certificate store that OpenSSL makes, gRPC's among them, tells this thread's last complaint.  The
// verification itself is not touched.  Once per process, before gRPC makes its own.
void WatchCertificateChecks();

// The complaint about the certificate that this thread's last server handshake rejected, in words, and forgets it; ""
// when there was none.
std::string TakeCertificateComplaint();

}  // namespace consilium::transport
