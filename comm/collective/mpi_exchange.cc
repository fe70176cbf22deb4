#include "comm/collective/mpi_exchange.h"

#ifdef CONSILIUM_HAVE_MPI
#include <mpi.h>

#include <array>
#endif

namespace consilium::collective {

#ifdef CONSILIUM_HAVE_MPI
namespace {

constexpr std::size_t kTextBytesMax = 4096;

std::string ErrorText(int code) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int size = 0;
  ::MPI_Error_string(code, text.data(), &size);
  return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace

bool HasMpi() { return true; }

StatusOr<std::string> BroadcastThroughMpi(const Place& place, const std::string& text) {
  if (text.size() > kTextBytesMax) return Failed("the address to broadcast has ", text.size(), " bytes");
  int initialized = 0;
  ::MPI_Initialized(&initialized);
  if (initialized != 0) return FailedPrecondition("MPI was already used by this process");
  int level = 0;
  if (const int code = ::MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level); code != MPI_SUCCESS)
    return Rendezvous("MPI_Init_thread: ", ErrorText(code));
  // The default is to abort the process without a word about which rank.
  ::MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  int rank = -1, world = -1;
  ::MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  ::MPI_Comm_size(MPI_COMM_WORLD, &world);
  if (rank != place.rank || world != place.world) {
    ::MPI_Finalize();
    return Rendezvous("the launcher says rank ", place.rank, " of ", place.world, " but MPI says rank ", rank, " of ",
                      world, "; this mpirun is of another MPI than the one built in, or srun lacks --mpi=pmix");
  }
  std::array<char, kTextBytesMax + 1> buffer{};
  if (rank == 0) text.copy(buffer.data(), kTextBytesMax);
  const int code = ::MPI_Bcast(buffer.data(), static_cast<int>(buffer.size()), MPI_CHAR, 0, MPI_COMM_WORLD);
  if (code != MPI_SUCCESS) return Rendezvous("MPI_Bcast of rank 0's address: ", ErrorText(code));
  ::MPI_Finalize();
  return std::string(buffer.data());
}

#else

bool HasMpi() { return false; }

StatusOr<std::string> BroadcastThroughMpi(const Place&, const std::string&) {
  return Unimplemented("this build has no MPI (CONSILIUM_MPI=OFF)");
}

#endif

}  // namespace consilium::collective
