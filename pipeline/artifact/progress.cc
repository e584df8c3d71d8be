// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/progress.h"

#include <fmt/core.h>

namespace penchant::pipeline {

namespace {

class SilentProgress final : public Progress {
 public:
  void begin(std::string_view) override {}
  void update(std::int64_t, std::int64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void warn(std::string_view) override {}
};

}  // namespace

Progress& silent_progress() {
  static SilentProgress silent;  // stateless
  return silent;
}

void announce_memory(Progress& progress, std::int64_t bytes, std::string_view what) {
  constexpr double kMebibyte = 1024.0 * 1024.0;
  const double mebibytes = static_cast<double>(bytes) / kMebibyte;
  if (mebibytes < 64.0) return;
  progress.note(mebibytes < 1024.0
                    ? fmt::format("about {:.0f} MiB of memory for {}", mebibytes, what)
                    : fmt::format("about {:.1f} GiB of memory for {}", mebibytes / 1024.0, what));
}

}  // namespace penchant::pipeline
