// SPDX-License-Identifier: Apache-2.0
#include "python/python_progress.h"

#include <pthread.h>

#include <chrono>
#include <ctime>
#include <string>

#include <nanobind/stl/string.h>

#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/printable.h"

namespace nb = nanobind;

namespace penchant::python {

namespace {

constexpr std::int64_t kEveryMs = 100;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Whether the last time is long enough ago; then it is now.
bool is_due(std::atomic<std::int64_t>& last) {
  const std::int64_t now = now_ms();
  std::int64_t before = last.load();
  return now - before >= kEveryMs && last.compare_exchange_strong(before, now);
}

/// Messages quote data and settings.
std::string shown(std::string_view message) {
  return pipeline::printable_message(pipeline::hide_environment(std::string(message)));
}

/// Those that Python or somebody else handles.
sigset_t handled_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD}) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_DFL &&
        action.sa_handler != SIG_IGN)
      sigaddset(&signals, signal);
  }
  return signals;
}

}  // namespace

SignalShield::SignalShield() {
  const sigset_t signals = handled_signals();
  pthread_sigmask(SIG_BLOCK, &signals, &before_);
#pragma omp parallel
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

SignalShield::~SignalShield() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool SignalShield::deliver() {
  const sigset_t signals = handled_signals();
  const timespec none{};
  const int signal = sigtimedwait(&signals, nullptr, &none);
  if (signal <= 0) return false;
  PyErr_SetInterruptEx(signal);
  return true;
}

void PythonProgress::keep_error() const {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::make_exception_ptr(nb::python_error());
  stopped_ = true;
}

template <typename... Arguments>
void PythonProgress::call(const char* method, Arguments... arguments) {
  if (stopped_ || sink_.is_none()) return;
  const nb::gil_scoped_acquire lock;
  try {
    sink_.attr(method)(arguments...);
  } catch (nb::python_error& error) {
    error.restore();
    keep_error();
  }
}

void PythonProgress::begin(std::string_view stage) { call("begin", std::string(stage)); }

void PythonProgress::update(std::int64_t done, std::int64_t total, std::string_view detail) {
  if (is_due(shown_ms_)) call("update", done, total, shown(detail));
}

void PythonProgress::end(std::string_view summary) { call("end", shown(summary)); }
void PythonProgress::warn(std::string_view message) { call("warn", shown(message)); }
void PythonProgress::note(std::string_view message) { call("note", shown(message)); }

bool PythonProgress::stop_requested() const {
  if (stopped_ || !is_due(looked_ms_)) return stopped_;
  const nb::gil_scoped_acquire lock;
  while (SignalShield::deliver()) {
  }
  if (PyErr_CheckSignals() != 0) keep_error();  // runs handlers in the main thread only
  return stopped_;
}

void PythonProgress::raise_again() {
  if (!error_) return;
  const std::exception_ptr error = std::exchange(error_, nullptr);
  std::rethrow_exception(error);
}

}  // namespace penchant::python
