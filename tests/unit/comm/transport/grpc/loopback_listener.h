// A listening socket on a free port of 127.0.0.1.
#pragma once

namespace consilium::transport::testing {

struct LoopbackListener {
  int descriptor = -1;  // the caller closes it
  int port = 0;
};
LoopbackListener ListenOnLoopback();

}  // namespace consilium::transport::testing
