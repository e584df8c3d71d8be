// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

#include "graph/leftovers.h"
#include "pipeline/artifact/exit_codes.h"

namespace penchant::pipeline {

namespace {

// A signal handler can reach nothing else than statics; all are lock-free.
constexpr int kGrace = 1;  ///< seconds
std::atomic<int> grace{kGrace};
std::atomic<int> waited{0};
std::atomic<bool> requested{false};
std::atomic<std::int64_t> requested_at_ms{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

/// `timeout` and terminals signal the process and its group: two signals that are one request.
constexpr std::int64_t kSameRequestMs = 300;

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

[[noreturn]] void leave() {
  graph::remove_registered_files();
  constexpr char kMessage[] = "\npenchant: interrupted\n";
  [[maybe_unused]] const auto ignored = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  _exit(kExitInterrupted);
}

void on_request(int /*signal*/) {
  const int error = errno;
  if (!requested.exchange(true)) {
    requested_at_ms = now_ms();
    alarm(1);
  } else if (now_ms() - requested_at_ms > kSameRequestMs) {
    leave();
  }
  errno = error;
}

void on_alarm(int /*signal*/) {
  if (++waited >= grace) leave();
  alarm(1);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // reads and writes under way go on
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void install_signal_handlers() {
  handle(SIGALRM, on_alarm);
  handle(SIGINT, on_request);
  handle(SIGTERM, on_request);
  if (!is_ignored(SIGHUP)) handle(SIGHUP, on_request);  // nohup
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGALRM, SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_UNBLOCK, &signals, nullptr);  // whoever started us may have blocked them
}

bool interrupt_requested() { return requested; }

InterruptGrace::InterruptGrace(int seconds) : before_(grace.exchange(seconds)) {}
InterruptGrace::~InterruptGrace() { grace = before_; }

}  // namespace penchant::pipeline
