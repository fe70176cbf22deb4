// `consilium demo`: three hospitals on this machine train one U-Net together, each in its own process with its own
// private folder, over mutual TLS.  Nothing here is special to the demo but the data: it starts the same programs that
// a consortium starts.
#pragma once

#include "comm/base/command.h"

namespace consilium::demo {

int DemoVerb(const Arguments& arguments);

}  // namespace consilium::demo
