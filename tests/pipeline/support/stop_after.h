// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "pipeline/artifact/progress.h"

namespace penchant::testing {

/// A user who asks to stop after so many steps of training. A step shows itself once.
class StopAfter final : public pipeline::Progress {
 public:
  explicit StopAfter(std::int64_t steps) : left_(steps) {}
  void begin(std::string_view stage) override { trains_ = stage == "train"; }
  void update(std::int64_t, std::int64_t, std::string_view) override { left_ -= trains_ ? 1 : 0; }
  void end(std::string_view) override { trains_ = false; }
  void warn(std::string_view) override {}
  bool stop_requested() const override { return left_ <= 0; }

 private:
  bool trains_ = false;
  std::int64_t left_;
};

/// The same after so many updates, whatever shows them; counts them.
class StopAfterUpdates final : public pipeline::Progress {
 public:
  explicit StopAfterUpdates(std::int64_t most = std::numeric_limits<std::int64_t>::max())
      : most_(most) {}
  void begin(std::string_view) override {}
  void update(std::int64_t, std::int64_t, std::string_view) override { ++updates_; }
  void end(std::string_view) override {}
  void warn(std::string_view) override {}
  bool stop_requested() const override { return updates_ >= most_; }
  std::int64_t updates() const { return updates_; }

 private:
  std::int64_t most_;
  std::int64_t updates_ = 0;
};

}  // namespace penchant::testing
