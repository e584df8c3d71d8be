// SPDX-License-Identifier: Apache-2.0
// How library functions report what they are doing. The library never prints: the command line
// passes an implementation that writes to stderr, tests and embedding programs pass
// `silent_progress()` or their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace penchant::pipeline {

class Progress {
 public:
  virtual ~Progress() = default;
  /// A new stage begins, such as "ingest".
  virtual void begin(std::string_view stage) = 0;
  /// Work done of the current stage; total 0: unknown. `detail` is short free text ("loss 0.31, 1.2
  /// M pairs/s").
  virtual void update(std::int64_t done, std::int64_t total, std::string_view detail) = 0;
  /// The stage has ended; `summary` is one line.
  virtual void end(std::string_view summary) = 0;
  /// Something the user should know (rejected rows, GPU not used).
  virtual void warn(std::string_view message) = 0;
  /// Something worth knowing before it happens, such as the memory that is about to be taken.
  virtual void note(std::string_view /*message*/) {}
  /// True once the user has asked to stop (SIGINT): long loops checkpoint and return early.
  virtual bool stop_requested() const { return false; }
};

Progress& silent_progress();

/// Notes that `bytes` are about to be taken for `what`, if that is 64 MiB or more (docs/formats.md
/// has the formulas).
void announce_memory(Progress& progress, std::int64_t bytes, std::string_view what);

}  // namespace penchant::pipeline
