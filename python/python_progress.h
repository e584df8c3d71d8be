// SPDX-License-Identifier: Apache-2.0
// Progress that a Python object shows, and Ctrl-C: work runs without the interpreter's lock and comes
// back to it to report, at most ten times a second, and to let Python's signal handlers run.
#pragma once

#include <csignal>

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string_view>
#include <utility>

#include <nanobind/nanobind.h>

#include "pipeline/artifact/progress.h"

namespace penchant::python {

/// Blocks signals that have handlers in this thread and in OpenMP's, while it lives: a handler's frame
/// would be written into what oneDNN's generated code keeps below its stack pointer (interrupt.h).
class SignalShield {
 public:
  SignalShield();
  ~SignalShield();
  SignalShield(const SignalShield&) = delete;
  SignalShield& operator=(const SignalShield&) = delete;
  /// Tells Python of one that has come since; false: none has.
  static bool deliver();

 private:
  sigset_t before_;
};

class PythonProgress final : public pipeline::Progress {
 public:
  /// `sink` has begin, update, end, warn and note; None: nothing is shown, but warnings are lost too.
  explicit PythonProgress(nanobind::object sink) : sink_(std::move(sink)) {}
  void begin(std::string_view stage) override;
  void update(std::int64_t done, std::int64_t total, std::string_view detail) override;
  void end(std::string_view summary) override;
  void warn(std::string_view message) override;
  void note(std::string_view message) override;
  /// True once a handler or `sink` has raised, such as KeyboardInterrupt.
  bool stop_requested() const override;
  /// Raises what they did. With the interpreter's lock.
  void raise_again();

 private:
  template <typename... Arguments>
  void call(const char* method, Arguments... arguments);
  void keep_error() const;

  nanobind::object sink_;
  mutable std::mutex mutex_;
  mutable std::exception_ptr error_;
  mutable std::atomic<bool> stopped_{false};
  mutable std::atomic<std::int64_t> looked_ms_{0};
  std::atomic<std::int64_t> shown_ms_{0};
};

/// Runs `work(progress)` without the interpreter's lock. What a signal handler or the sink raised goes
/// before what the work throws because of it.
template <typename Work>
auto without_lock(nanobind::object sink, Work work) {
  PythonProgress progress(std::move(sink));
  const auto guarded = [&] {
    nanobind::gil_scoped_release released;
    const SignalShield shield;
    return work(static_cast<pipeline::Progress&>(progress));
  };
  try {
    auto result = guarded();
    progress.raise_again();
    return result;
  } catch (...) {
    progress.raise_again();
    throw;
  }
}

}  // namespace penchant::python
