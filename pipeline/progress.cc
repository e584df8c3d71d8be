// SPDX-License-Identifier: Apache-2.0
#include "pipeline/progress.h"

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

}  // namespace penchant::pipeline
