// SPDX-License-Identifier: Apache-2.0
// Progress on stderr: one line that is redrawn on a terminal, a plain line every few seconds
// elsewhere. Colour only on a terminal and not under NO_COLOR. What stops it: interrupt.h.
#pragma once

#include <chrono>
#include <string>

#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

class TerminalProgress final : public Progress {
 public:
  explicit TerminalProgress(bool quiet);
  void begin(std::string_view stage) override;
  void update(std::int64_t done, std::int64_t total, std::string_view detail) override;
  void end(std::string_view summary) override;
  void warn(std::string_view message) override;
  void note(std::string_view message) override;
  bool stop_requested() const override;

 private:
  using Clock = std::chrono::steady_clock;
  void clear_line();
  std::string styled(std::string_view text, const char* code) const;

  bool quiet_;
  bool terminal_;
  bool colour_;
  bool line_open_ = false;
  std::string stage_;
  Clock::time_point stage_start_;
  Clock::time_point last_print_;
};

}  // namespace penchant::pipeline
