// Says what is left after the cure: core, name, arguments, environment and standard input.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "trainer/startup/blas.h"

int main(int argc, char** argv) {
  consilium::trainer::CureBlas(argv);
  const char* token = std::getenv("PROBE_TOKEN");
  const char* core_type = std::getenv("OPENBLAS_CORETYPE");
  std::string line;
  std::getline(std::cin, line);
  std::string name;
  std::ifstream("/proc/self/comm") >> name;
  std::cout << "pid=" << ::getpid() << "\ncore=" << consilium::trainer::LoadedBlas().core
            << "\ncure=" << static_cast<int>(consilium::trainer::CureOfThisProcess())
            << "\ncoretype=" << (core_type == nullptr ? "" : core_type) << "\ntoken=" << (token == nullptr ? "" : token)
            << "\nstdin=" << line << "\nname=" << name << "\n";
  for (int i = 0; i < argc; ++i) std::cout << "argv" << i << "=" << argv[i] << "\n";
  return argc;
}
