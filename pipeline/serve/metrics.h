// SPDX-License-Identifier: Apache-2.0
// What a server counts, as Prometheus reads it (text format 0.0.4).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "pipeline/serve/http_server.h"

namespace penchant::pipeline {

/// What is true at the moment of asking.
struct ServeGauges {
  std::string model, model_hash, data_hash;
  std::int64_t num_users = 0, num_items = 0;
  std::int64_t users_with_events = 0, events_held = 0;
  bool draining = false;
};

/// From any thread.
class ServeMetrics final : public HttpObserver {
 public:
  void answered(std::string_view path, int status, double seconds) override;
  void connected(int change) override;
  void add_events(std::int64_t count);
  void add_reload(bool succeeded);
  std::string text(const ServeGauges& gauges) const;

 private:
  /// Upper ends of the buckets of answer times, in seconds.
  static constexpr std::array kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,   0.25,   0.5,   1.0,  2.5};
  struct Times {
    std::array<std::int64_t, kBounds.size() + 1> counts = {};
    double sum = 0.0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::int64_t, std::less<>> answers_;
  std::map<std::string, Times, std::less<>> times_;
  std::int64_t connections_ = 0, events_ = 0, reloads_ = 0, failed_reloads_ = 0;
};

}  // namespace penchant::pipeline
