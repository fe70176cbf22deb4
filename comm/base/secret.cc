#include "comm/base/secret.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <memory_resource>
#include <new>

namespace consilium {
namespace {

// Whole pages of the kernel's, for the pool to cut up.
class SecretPages final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    CONSILIUM_CHECK(alignment <= page, "pages are not aligned to ", alignment);
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    CONSILIUM_CHECK(::madvise(memory, bytes, MADV_DONTDUMP) == 0, "the kernel dumps all memory");
    (void)::mlock(memory, bytes);  // RLIMIT_MEMLOCK may forbid it: swapped secrets are the machine's owner's to encrypt
    return memory;
  }
  void do_deallocate(void* memory, std::size_t bytes, std::size_t) override { ::munmap(memory, bytes); }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// Never destroyed: secrets in static objects may outlive everything else.
std::pmr::memory_resource& Pool() {
  static auto* const pages = new SecretPages;
  static auto* const pool = new std::pmr::synchronized_pool_resource(pages);
  return *pool;
}

}  // namespace

void* AllocateSecret(std::size_t bytes) { return Pool().allocate(bytes, alignof(std::max_align_t)); }

void FreeSecret(void* memory, std::size_t bytes) {
  OPENSSL_cleanse(memory, bytes);
  Pool().deallocate(memory, bytes, alignof(std::max_align_t));
}

void ForbidCoreDumps() {
  const char* const wanted = std::getenv("CONSILIUM_CORE_DUMPS");
  if (wanted != nullptr && std::string_view(wanted) == "1") return;
  const rlimit none{0, 0};
  // The limit alone would not do: the kernel asks it nothing when it pipes cores to a program.
  CONSILIUM_CHECK(::setrlimit(RLIMIT_CORE, &none) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0,
                  "core dumps cannot be switched off");
}

}  // namespace consilium
