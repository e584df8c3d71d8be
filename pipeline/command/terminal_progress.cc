// SPDX-License-Identifier: Apache-2.0
#include "pipeline/command/terminal_progress.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <fmt/core.h>

#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/printable.h"

namespace penchant::pipeline {

namespace {

/// Messages quote data and settings.
std::string shown(std::string_view message) {
  return printable_message(hide_environment(std::string(message)));
}

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kPlainLine{5};

}  // namespace

TerminalProgress::TerminalProgress(bool quiet)
    : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {
  const char* no_colour = std::getenv("NO_COLOR");
  colour_ = terminal_ && (no_colour == nullptr || *no_colour == '\0');
}

std::string TerminalProgress::styled(std::string_view text, const char* code) const {
  return colour_ ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}

void TerminalProgress::clear_line() {
  if (line_open_) std::fputs("\r\033[K", stderr);
  line_open_ = false;
}

void TerminalProgress::begin(std::string_view stage) {
  stage_ = stage;
  stage_start_ = Clock::now();
  last_print_ = stage_start_;
}

void TerminalProgress::update(std::int64_t done, std::int64_t total, std::string_view detail) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (now - last_print_ <
      (terminal_ ? std::chrono::milliseconds(kRedraw) : std::chrono::milliseconds(kPlainLine)))
    return;
  last_print_ = now;
  const double elapsed = std::chrono::duration<double>(now - stage_start_).count();
  std::string line = fmt::format("{:<10} ", stage_);
  if (total > 0) {
    const double share = static_cast<double>(done) / static_cast<double>(total);
    line += fmt::format("{:3.0f} %", 100.0 * share);
    if (share > 0.01) line += fmt::format(", {:.0f} s left", elapsed * (1.0 - share) / share);
    line += ", ";
  }
  line += shown(detail);
  if (terminal_) {
    clear_line();
    std::fputs(line.c_str(), stderr);
    line_open_ = true;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

void TerminalProgress::end(std::string_view summary) {
  if (quiet_) return;
  clear_line();
  const double elapsed = std::chrono::duration<double>(Clock::now() - stage_start_).count();
  std::fprintf(stderr, "%s %7.1f s  %s\n", styled(fmt::format("{:<10}", stage_), "32").c_str(),
               elapsed, shown(summary).c_str());
}

void TerminalProgress::warn(std::string_view message) {
  if (quiet_) return;
  clear_line();
  std::fprintf(stderr, "%s %s\n", styled("warning:", "33").c_str(), shown(message).c_str());
}

void TerminalProgress::note(std::string_view message) {
  if (quiet_) return;
  clear_line();
  std::fprintf(stderr, "%-10s %s\n", stage_.c_str(), shown(message).c_str());
}

bool TerminalProgress::stop_requested() const { return interrupt_requested(); }

}  // namespace penchant::pipeline
