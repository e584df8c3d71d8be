// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <system_error>
#include <utility>

#include "graph/leftovers.h"
#include "pipeline/artifact/exit_codes.h"

namespace penchant::pipeline {

namespace {

constexpr int kGrace = 1;  ///< seconds
std::atomic<int> grace{kGrace};
std::atomic<int> waited{0};
std::atomic<bool> requested{false};
std::atomic<std::int64_t> requested_at_ms{0};
std::atomic<bool> hangup_is_none{false};  ///< a request to stop: nohup

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

/// What a service does at signals; empty: there is none.
struct Service {
  std::mutex mutex;
  std::function<void()> stop, reload;
  std::int64_t stopped_at_ms = 0;  ///< 0: not yet
};
Service& service() {
  static Service it;
  return it;
}

/// Whether a service has answered the signal.
bool served(int signal) {
  Service& running = service();
  const std::lock_guard lock(running.mutex);
  if (!running.stop) return false;
  if (signal == SIGHUP) {
    running.reload();
  } else if (running.stopped_at_ms == 0) {
    running.stopped_at_ms = now_ms();
    running.stop();
  } else if (now_ms() - running.stopped_at_ms > kSameRequestMs) {
    leave();
  }
  return true;
}

void on_request(int signal) {
  if (served(signal) || (signal == SIGHUP && hangup_is_none)) return;
  if (!requested.exchange(true)) {
    requested_at_ms = now_ms();
    alarm(1);
  } else if (now_ms() - requested_at_ms > kSameRequestMs) {
    leave();
  }
}

void on_alarm() {
  if (++waited >= grace) leave();
  alarm(1);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t requests() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGALRM, SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

[[noreturn]] void* wait_for_requests(void* /*unused*/) {
  const sigset_t signals = requests();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    signal == SIGALRM ? on_alarm() : on_request(signal);
  }
}

}  // namespace

void watch_for_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  hangup_is_none = is_ignored(SIGHUP);
  const sigset_t signals = requests();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  constexpr std::size_t kStackBytes = std::size_t{256} << 10;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int error = pthread_create(&thread, &attributes, wait_for_requests, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::system_error(error, std::generic_category(), "no thread for signals");
}

bool interrupt_requested() { return requested; }

ServiceSignals::ServiceSignals(std::function<void()> stop, std::function<void()> reload) {
  Service& running = service();
  const std::lock_guard lock(running.mutex);
  running.stop = std::move(stop);
  running.reload = std::move(reload);
  running.stopped_at_ms = 0;
}
ServiceSignals::~ServiceSignals() {
  Service& running = service();
  const std::lock_guard lock(running.mutex);
  running.stop = nullptr;
  running.reload = nullptr;
}

InterruptGrace::InterruptGrace(int seconds) : before_(grace.exchange(seconds)) {}
InterruptGrace::~InterruptGrace() { grace = before_; }

}  // namespace penchant::pipeline
