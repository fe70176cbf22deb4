// A network of its own on this machine: a Linux network namespace, gone with the object and the processes inside.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/base/status.h"

namespace consilium::testing {

class NetworkNamespace {
 public:
  // With its loopback up.  PermissionDenied, or what else the kernel says, where that is not allowed.
  static StatusOr<std::shared_ptr<const NetworkNamespace>> Create();
  ~NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;

  // While it lives, sockets of this thread, and children that it starts, are in the namespace.
  class Inside {
   public:
    explicit Inside(const NetworkNamespace& there);
    ~Inside();
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    int before_;
  };

  // Runs a program inside; Failed with what it said.
  Status Run(const std::vector<std::string>& arguments) const;
  // For `ip link ... netns PATH` of another process.
  std::string path() const;

 private:
  explicit NetworkNamespace(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

// Gives the interface of the thread's namespace an address (24 bits are the network's) and sets it up.
Status SetUpInterface(const std::string& name, const std::string& address);

}  // namespace consilium::testing
