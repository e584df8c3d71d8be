// SPDX-License-Identifier: Apache-2.0
// What has to happen before any library runs: the loader calls the functions of .preinit_array
// first. Nothing here may allocate or use what a constructor sets up.
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "pipeline/artifact/exit_codes.h"

// The sanitizers' own tables are not there yet.
#define PENCHANT_BEFORE_LIBRARIES __attribute__((no_sanitize("address", "undefined")))

namespace penchant::pipeline {

namespace {

/// Address space that the program and its libraries take while they are loaded: less than 400 MiB
/// with two cores (measured), and OpenBLAS a buffer and a stack of together 40 MiB for each core, of
/// which it uses 64. With less some of them wait for ever, without a word, or end without one: in a
/// few MiB more than loading takes, Arrow's reader of Parquet did.
constexpr std::size_t kLeastAddressSpace = std::size_t{448} << 20;
constexpr std::size_t kAddressSpaceOfACore = std::size_t{40} << 20;
constexpr std::size_t kMostCores = 64;

PENCHANT_BEFORE_LIBRARIES std::size_t num_cores() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0) return kMostCores;
  return static_cast<std::size_t>(CPU_COUNT(&cores));
}

/// A descriptor that is closed would be given to the next file that is opened, and what is meant
/// for people would be written into it.
PENCHANT_BEFORE_LIBRARIES void open_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) != descriptor)
      _exit(kExitUsage);
  }
}

PENCHANT_BEFORE_LIBRARIES void require_address_space() {
  rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  const std::size_t cores = num_cores() < kMostCores ? num_cores() : kMostCores;
  if (limit.rlim_cur >= kLeastAddressSpace + cores * kAddressSpaceOfACore) return;
  constexpr const char* kMessage =
      "penchant: out of memory: the address space is limited (ulimit -v) to less than the "
      "libraries need to be loaded: 448 MiB, and 40 MiB for each core\n";
  [[maybe_unused]] const auto ignored = write(STDERR_FILENO, kMessage, strlen(kMessage));
  _exit(kExitMemory);
}

PENCHANT_BEFORE_LIBRARIES bool names(const char* variable, const char* name) {
  const std::size_t length = strlen(name);
  return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

/// A thread that waits for the others at the end of a loop spins, in libgomp's own default for up to
/// milliseconds. Where another program has one of the cores, it so keeps the thread that it waits for
/// from running: an explanation took 16 times as long (docs/decisions/0051-threads-that-wait.md). libgomp
/// reads its count of spins when it is loaded, so that the program has to start anew with one. What
/// people set in the environment stands.
PENCHANT_BEFORE_LIBRARIES void wait_briefly(char** arguments, char** environment) {
  constexpr std::size_t kMostVariables = 4096;
  constexpr std::size_t kMostBytes = 4096;
  static char spins[] = "GOMP_SPINCOUNT=1000";
  static char* variables[kMostVariables + 2];
  static char program[kMostBytes];
  std::size_t count = 0;
  for (; environment[count] != nullptr; ++count) {
    if (count == kMostVariables || names(environment[count], "GOMP_SPINCOUNT") ||
        names(environment[count], "OMP_WAIT_POLICY"))
      return;
    variables[count] = environment[count];
  }
  variables[count] = spins;
  const auto length = readlink("/proc/self/exe", program, kMostBytes);
  if (length <= 0 || length == static_cast<ssize_t>(kMostBytes)) return;
  program[length] = '\0';
  execve(program, arguments, variables);  // where that fails the program goes on as it is
}

PENCHANT_BEFORE_LIBRARIES void before_libraries(int /*count*/, char** arguments,
                                                char** environment) {
  open_standard_descriptors();
  require_address_space();
  wait_briefly(arguments, environment);
}

using Initializer = void (*)(int, char**, char**);
[[gnu::section(".preinit_array"), gnu::used]] const Initializer kBeforeLibraries = before_libraries;

}  // namespace

}  // namespace penchant::pipeline
