# How every library, program and test of the house is built: C++20, warnings as errors for our code, third-party as SYSTEM.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(CONSILIUM_CCACHE ccache)
if(CONSILIUM_CCACHE)
  # The sloppiness is what ccache asks for to cache objects that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${CONSILIUM_CCACHE}")
endif()
find_program(CONSILIUM_LLD ld.lld)
if(CONSILIUM_LLD)
  add_link_options(-fuse-ld=lld)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)  # what ccache asks for
endif()
add_compile_options(-fno-omit-frame-pointer)
if(CONSILIUM_SANITIZE)
  add_compile_options(-fsanitize=${CONSILIUM_SANITIZE} -g1)
  add_link_options(-fsanitize=${CONSILIUM_SANITIZE})
else()
  add_compile_options(-fstack-protector-strong)
  add_compile_definitions($<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

if(CONSILIUM_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined)
endif()

add_library(consilium_warnings INTERFACE)
target_compile_options(consilium_warnings INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 takes "text" + std::string() for an overlapping memcpy (its bug 105651).
  target_compile_options(consilium_warnings INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  # Seen with GCC 14 on a std::variant of small structs; still printed, so that a true one is read.
  target_compile_options(consilium_warnings INTERFACE -Wno-error=maybe-uninitialized)
endif()
if(CONSILIUM_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # The instrumentation hides initialisations from GCC's warning; the plain builds keep it.
  target_compile_options(consilium_warnings INTERFACE -Wno-maybe-uninitialized)
endif()

# consilium_library(comm_base SOURCES a.cc b.cc DEPS x y [TORCH])
# One library per leaf folder; headers are included from the repository's root ("comm/base/status.h"). TORCH: the library sees
# torch, and shares one precompiled torch/torch.h with all others.
function(consilium_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE consilium_warnings)
  if(ARG_TORCH)
    consilium_use_torch(${name})
  endif()
endfunction()

# consilium_program(name SOURCES main.cc DEPS ... [TORCH])
function(consilium_program name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} consilium_warnings)
  if(ARG_TORCH)
    consilium_use_torch(${name})
  endif()
endfunction()

# consilium_test(name SOURCES a_test.cc DEPS ... [TORCH] [LABEL unit|integration|...] [TIMEOUT seconds] [SERIAL])
# One executable and one ctest entry: starting torch once per case would cost more than the cases. In a sanitizer build the deadline is
# five times as long, and a report of any process that the test starts fails it (tests/testing/sanitizer_reports.cc).
function(consilium_test name)
  cmake_parse_arguments(ARG "TORCH;SERIAL" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} consilium_warnings GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE CONSILIUM_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CONSILIUM_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  if(ARG_TORCH)
    consilium_use_torch(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(CONSILIUM_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 5")
    if(name IN_LIST CONSILIUM_SANITIZED_TESTS)
      list(APPEND ARG_LABEL sanitized)
      add_dependencies(sanitized-tests ${name})
    endif()
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:tests_sanitizer_reports>)
    set(reports "${CMAKE_BINARY_DIR}/sanitizer/${name}")
    set(common "log_path=${reports}:log_exe_name=1")
    set_tests_properties(${name} PROPERTIES ENVIRONMENT
      "CONSILIUM_SANITIZER_REPORTS=${reports};\
TSAN_OPTIONS=${common}:suppressions=${CMAKE_SOURCE_DIR}/tests/sanitizers/thread.supp:halt_on_error=0:exitcode=66:second_deadlock_stack=1;\
ASAN_OPTIONS=${common}:detect_leaks=0:detect_stack_use_after_return=1;\
UBSAN_OPTIONS=${common}:halt_on_error=1:print_stacktrace=1")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${ARG_SERIAL})
endfunction()
