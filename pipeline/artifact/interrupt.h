// SPDX-License-Identifier: Apache-2.0
// SIGINT, SIGTERM and SIGHUP. The first one asks: work that looks (stop_if_asked) stops by itself
// and cleans up behind it. What has not stopped within a second, such as a library that cannot be
// asked, is ended all the same, and so is everything at a second signal: temporary files are removed
// and the program exits with 130. A thread of its own waits for the signals, which all others have
// blocked: a handler would run on the stack of whatever it interrupts, and oneDNN's generated matrix
// products (2.6, as Debian 12 has it) use the stack pointer for addresses of the matrices, into which
// the kernel would write the handler's frame.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string_view>

#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

/// The user has asked to stop, and there is nothing to save.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

/// For long loops that have nothing to save: throws Interrupted once the user has asked to stop.
inline void stop_if_asked(const Progress& progress) {
  if (progress.stop_requested()) throw Interrupted();
}

/// Says nothing, but hears what `progress` hears: for work within the work that is reported.
class MutedProgress final : public Progress {
 public:
  explicit MutedProgress(const Progress& progress) : progress_(progress) {}
  void begin(std::string_view) override {}
  void update(std::int64_t, std::int64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void warn(std::string_view) override {}
  bool stop_requested() const override { return progress_.stop_requested(); }

 private:
  const Progress& progress_;
};

/// Of the program, before it has other threads: they inherit what is blocked. Also ignores SIGPIPE and
/// SIGXFSZ, so that writes fail with a reason instead. Throws std::system_error where there can be no
/// thread.
void watch_for_signals();
bool interrupt_requested();

/// While it lives, which only one does at a time, a first SIGINT or SIGTERM is answered by `stop` and
/// SIGHUP, under nohup too, by `reload`, on the thread that waits for signals, and neither is a request to stop for
/// anything else. A second SIGINT or SIGTERM ends the program as ever.
class ServiceSignals {
 public:
  ServiceSignals(std::function<void()> stop, std::function<void()> reload);
  ~ServiceSignals();
  ServiceSignals(const ServiceSignals&) = delete;
  ServiceSignals& operator=(const ServiceSignals&) = delete;
};

/// While it lives, work has so many seconds to stop by itself: a checkpoint is worth waiting for.
class InterruptGrace {
 public:
  explicit InterruptGrace(int seconds);
  ~InterruptGrace();
  InterruptGrace(const InterruptGrace&) = delete;
  InterruptGrace& operator=(const InterruptGrace&) = delete;

 private:
  int before_;
};

}  // namespace penchant::pipeline
