// SPDX-License-Identifier: Apache-2.0
// A repeated step as a recorded graph. Each run records the step anew, which calls no kernel, and
// puts its numbers into the graph that exists; only where kernels or their order have changed is a
// graph made. So a step may change its arguments at will (bias corrections, positions of random
// numbers) and no op knows of graphs. What cannot be recorded (memory that grows, copies through
// pinned slots, streamed matrices) throws NotRecordable, and the step is run plainly. Host code
// without CUDA, so that it is tested where there is no GPU.
#pragma once

#include <cstdint>
#include <functional>

#include "graph/error.h"

namespace penchant::kernels::cuda {

/// Thrown by whatever must not be recorded, only while something is.
struct NotRecordable {};

/// Driver has
///   void begin()     the stream records from here on
///   bool end()       it no longer does; true if the recording is whole
///   bool update()    the last recording's numbers replace those of the graph; false: other kernels
///   void make()      the last recording becomes the graph; throws DeviceError if it cannot
///   void launch()    enqueues the graph
template <typename Driver>
class StepRecorder {
 public:
  /// Runs that are plain at first: they make plans and memory grow to their sizes.
  static constexpr int kPlainRuns = 2;
  /// After so many recordings in a row that came to nothing, no more are tried.
  static constexpr int kMostFailures = 4;

  void run(Driver& driver, const std::function<void()>& enqueue) {
    if (plain_runs_ < kPlainRuns || failures_ >= kMostFailures) {
      ++plain_runs_;
      enqueue();
      return;
    }
    if (!record(driver, enqueue)) {
      ++failures_;
      enqueue();
      return;
    }
    if (!has_graph_ || !driver.update()) {
      has_graph_ = false;
      try {
        driver.make();
      } catch (const DeviceError&) {  // nothing of the recording has run
        ++failures_;
        enqueue();
        return;
      }
      has_graph_ = true;
    }
    failures_ = 0;
    driver.launch();
  }

 private:
  static bool record(Driver& driver, const std::function<void()>& enqueue) {
    driver.begin();
    try {
      enqueue();
    } catch (const NotRecordable&) {
      driver.end();
      return false;
    } catch (const DeviceError&) {  // a library that refuses to be recorded
      driver.end();
      return false;
    } catch (...) {
      driver.end();
      throw;
    }
    return driver.end();
  }

  std::int64_t plain_runs_ = 0;
  int failures_ = 0;
  bool has_graph_ = false;
};

}  // namespace penchant::kernels::cuda
