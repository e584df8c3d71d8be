// SPDX-License-Identifier: Apache-2.0
#include "pipeline/command/failure.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/leftovers.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/artifact/printable.h"

namespace penchant::pipeline {

namespace {

/// A message may have lines for several things; no more of it is of use to a person.
constexpr std::size_t kMostOfAMessage = 8000;

/// Read by the handler of exit(), which can be given nothing.
std::atomic<bool> in_main{false};

int say(std::string_view message, int code) {
  std::fprintf(stderr, "penchant: %s\n",
               printable_message(hide_environment(std::string(message)), kMostOfAMessage).c_str());
  return code;
}

/// Nothing is unwound or destroyed any more.
[[noreturn]] void leave(const char* message, int code) {
  in_main = false;
  std::fprintf(stderr, "penchant: %s\n", message);
  std::fflush(nullptr);
  graph::remove_registered_files();
  _exit(code);
}

[[noreturn]] void leave_for_want_of_memory(const char* detail) {
  in_main = false;
  std::fprintf(stderr,
               "penchant: out of memory%s%s; docs/formats.md says how much each stage needs\n",
               *detail == '\0' ? "" : ": ", detail);
  std::fflush(nullptr);
  graph::remove_registered_files();
  _exit(kExitMemory);
}

/// Threads are refused with EAGAIN, memory with ENOMEM.
bool is_want_of_resources(const std::system_error& error) {
  return error.code() == std::errc::resource_unavailable_try_again ||
         error.code() == std::errc::not_enough_memory;
}

/// Does not return if the current exception says that memory or threads ran out.
void leave_if_resources_ran_out() {
  try {
    throw;
  } catch (const NotEnoughMemory& error) {
    leave(error.what(), kExitMemory);
  } catch (const std::bad_alloc&) {
    leave_for_want_of_memory("");
  } catch (const std::length_error& error) {
    leave_for_want_of_memory(error.what());  // a size beyond what the address space has
  } catch (const std::system_error& error) {
    if (is_want_of_resources(error)) leave_for_want_of_memory(error.what());
  } catch (...) {
  }
}

[[noreturn]] void on_terminate() {
  if (std::current_exception() != nullptr) leave_if_resources_ran_out();
  graph::remove_registered_files();
  try {
    if (std::current_exception() != nullptr) throw;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "penchant: nobody expected: %s\n", error.what());
  } catch (...) {
  }
  std::abort();
}

/// Libraries that cannot handle a refusal of memory abort or follow a null pointer. That is taken
/// for the cause where the thread's last failed call was one, or under a limit of the address space
/// with little left. Some note a refusal in what they have no memory for either, and so on until the main
/// thread's stack is used up (Arrow's own OpenSSL did): this runs on a stack of its own.
void on_fatal_signal(int signal) {
  if (errno == ENOMEM) {
    graph::remove_registered_files();
    constexpr char kMessage[] =
        "penchant: out of memory: a library that was refused memory could not go on\n";
    [[maybe_unused]] const auto ignored = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    _exit(kExitMemory);
  }
  rlimit limit{};
  constexpr rlim_t kLittle = rlim_t{64} << 20;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    void* probe = mmap(nullptr, kLittle, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) {
      graph::remove_registered_files();
      constexpr char kMessage[] =
          "penchant: out of memory: the address space (ulimit -v) is used up\n";
      [[maybe_unused]] const auto ignored = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
      _exit(kExitMemory);
    }
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

/// Not where a sanitizer has its own handler.
void handle_fatal(int signal) {
  struct sigaction action {};
  if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) return;
  alignas(16) static unsigned char stack[std::size_t{128} << 10];
  const stack_t own{stack, 0, sizeof stack};
  sigaltstack(&own, nullptr);  // without it the handler runs where it can
  action.sa_handler = on_fatal_signal;
  action.sa_flags = SA_ONSTACK;
  sigaction(signal, &action, nullptr);
}

void on_exit_of_a_library() {
  if (in_main)
    leave_for_want_of_memory("a library could not get its threads or its memory and gave up");
}

}  // namespace

int report_failure() {
  leave_if_resources_ran_out();
  try {
    throw;
  } catch (const Interrupted&) {
    return say("interrupted", kExitInterrupted);
  } catch (const InputError& error) {
    return say(error.what(), kExitUsage);
  } catch (const DeviceError& error) {
    return say(error.what(), kExitDevice);
  } catch (const std::system_error& error) {
    return say(error.what(), kExitUsage);  // of the file system: it names the path and the reason
  } catch (const nlohmann::json::exception& error) {
    // Readers name the file; this is for a key that none of them asked for by name.
    return say(std::string("a JSON file of an artefact is damaged: ") + error.what(), kExitUsage);
  } catch (const std::exception& error) {
    return say((std::string("a fault of the program itself, please report it: ") + error.what()),
               kExitBug);
  }
}

FailureHandlers::FailureHandlers() {
  rlimit limit{};
  // Arrow's own pools take address space in large pieces and end the process where they get none;
  // without a limit they are faster than the system's.
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 0);
  std::set_terminate(on_terminate);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS}) handle_fatal(signal);
  std::atexit(on_exit_of_a_library);
  in_main = true;
}

FailureHandlers::~FailureHandlers() { in_main = false; }

}  // namespace penchant::pipeline
