# Third-party libraries, found once. deploy/setup.sh installs them; a missing one is an error here that names the package.

# consilium_find(gRPC libgrpc++-dev CONFIG): find_package, and on failure the Debian package that holds it.
macro(consilium_find name debian_package)
  find_package(${name} ${ARGN})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} not found: install ${debian_package} (deploy/setup.sh installs all that is missing)")
  endif()
endmacro()

find_package(Threads REQUIRED)
consilium_find(OpenSSL libssl-dev 3)
consilium_find(yaml-cpp libyaml-cpp-dev)
consilium_find(nlohmann_json nlohmann-json3-dev)
consilium_find(CLI11 libcli11-dev)
consilium_find(spdlog libspdlog-dev)
consilium_find(ZLIB zlib1g-dev)
consilium_find(PNG libpng-dev)
consilium_find(Torch "libtorch-dev, or set CMAKE_PREFIX_PATH to an official LibTorch")

if(CONSILIUM_TESTS)
  consilium_find(GTest "libgtest-dev and libgmock-dev")
endif()

if(CONSILIUM_NIFTI)
  find_path(NIFTI_INCLUDE_DIR nifti1_io.h PATH_SUFFIXES nifti)
  find_library(NIFTI_IO niftiio)
  find_library(NIFTI_ZNZ znz)
  if(NOT NIFTI_INCLUDE_DIR OR NOT NIFTI_IO)
    message(FATAL_ERROR "nifti1_io.h not found: install libnifti-dev, or configure with -DCONSILIUM_NIFTI=OFF")
  endif()
  add_library(consilium_nifti INTERFACE)
  target_include_directories(consilium_nifti SYSTEM INTERFACE "${NIFTI_INCLUDE_DIR}")
  target_link_libraries(consilium_nifti INTERFACE "${NIFTI_IO}" "${NIFTI_ZNZ}" ZLIB::ZLIB)
  target_compile_definitions(consilium_nifti INTERFACE CONSILIUM_HAVE_NIFTI=1)
endif()

if(CONSILIUM_MPI)
  consilium_find(MPI "libopenmpi-dev, or configure with -DCONSILIUM_MPI=OFF" COMPONENTS CXX)
endif()

if(CONSILIUM_CONTROL)
  consilium_find(Protobuf "libprotobuf-dev and protobuf-compiler")
  consilium_find(gRPC libgrpc++-dev CONFIG)
  consilium_find(SQLite3 libsqlite3-dev)
  consilium_find(Boost libboost-dev)
  if(CONSILIUM_SANITIZE MATCHES "thread")
    # The sanitizer knows no fences, and GCC refuses them; Boost.Asio's queues have their locks besides.
    target_compile_definitions(Boost::headers INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  find_program(CONSILIUM_GRPC_PLUGIN grpc_cpp_plugin)
  if(NOT CONSILIUM_GRPC_PLUGIN)
    message(FATAL_ERROR "grpc_cpp_plugin not found: install protobuf-compiler-grpc (deploy/setup.sh installs all)")
  endif()
endif()

# Gloo's headers are a package of their own on Debian (libgloo-dev); without them the trainer is built for one process.
find_path(GLOO_INCLUDE_DIR gloo/rendezvous/store.h HINTS "${TORCH_INSTALL_PREFIX}/include")

add_library(consilium_torch INTERFACE)
target_link_libraries(consilium_torch INTERFACE ${TORCH_LIBRARIES})
target_include_directories(consilium_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
if(GLOO_INCLUDE_DIR)
  target_compile_definitions(consilium_torch INTERFACE USE_C10D_GLOO)
  target_include_directories(consilium_torch SYSTEM INTERFACE "${GLOO_INCLUDE_DIR}")
endif()
if(Torch_VERSION VERSION_LESS 2.0 AND NOT EXISTS "${TORCH_INSTALL_PREFIX}/include/torch/csrc/distributed/autograd/context/context.h")
  # Debian's libtorch-dev 1.13.1 leaves out one header that reducer.hpp includes.
  target_include_directories(consilium_torch SYSTEM INTERFACE "${CMAKE_SOURCE_DIR}/comm/collective/compat/libtorch113")
endif()

# One precompiled torch/torch.h for the whole data plane: 17 s a file without it, 10 s with.
file(WRITE "${CMAKE_BINARY_DIR}/torch_pch.cc" "// Carries the precompiled torch/torch.h.\n")
add_library(consilium_torch_pch OBJECT "${CMAKE_BINARY_DIR}/torch_pch.cc")
target_link_libraries(consilium_torch_pch PRIVATE consilium_torch)
target_precompile_headers(consilium_torch_pch PRIVATE <torch/torch.h>)

function(consilium_use_torch name)
  target_link_libraries(${name} PUBLIC consilium_torch)
  target_precompile_headers(${name} REUSE_FROM consilium_torch_pch)
  get_target_property(type ${name} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # The header is precompiled with -fPIC; GCC refuses it where CMake says -fPIE.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${name} PRIVATE -fPIC)
  endif()
endfunction()
