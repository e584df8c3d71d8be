// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/metrics.h"

#include <unistd.h>

#include <cstdio>
#include <memory>

#include <fmt/core.h>

namespace penchant::pipeline {

namespace {

/// Bytes of this process in memory.
std::int64_t resident_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                             std::fclose);
  long all = 0, resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%ld %ld", &all, &resident) != 2) return 0;
  return std::int64_t{resident} * sysconf(_SC_PAGESIZE);
}

/// Of a label's value.
std::string label_text(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    if (letter == '\n') {
      escaped += "\\n";
      continue;
    }
    if (letter == '\\' || letter == '"') escaped += '\\';
    escaped += letter;
  }
  return escaped;
}

void append_head(std::string& to, const char* name, const char* type, const char* help) {
  to += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

}  // namespace

void ServeMetrics::answered(std::string_view path, int status, double seconds) {
  const std::lock_guard lock(mutex_);
  const std::string name(path.empty() ? std::string_view("other") : path);
  ++answers_[{name, status}];
  Times& times = times_[name];
  std::size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  ++times.counts[bucket];
  times.sum += seconds;
}

void ServeMetrics::connected(int change) {
  const std::lock_guard lock(mutex_);
  connections_ += change;
}

void ServeMetrics::add_events(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  events_ += count;
}

void ServeMetrics::add_reload(bool succeeded) {
  const std::lock_guard lock(mutex_);
  ++(succeeded ? reloads_ : failed_reloads_);
}

std::string ServeMetrics::text(const ServeGauges& gauges) const {
  const std::lock_guard lock(mutex_);
  std::string text;
  append_head(text, "penchant_requests_total", "counter", "Requests answered.");
  for (const auto& [key, count] : answers_)
    text += fmt::format("penchant_requests_total{{path=\"{}\",status=\"{}\"}} {}\n",
                        label_text(key.first), key.second, count);
  append_head(text, "penchant_request_seconds", "histogram",
              "Time from the first byte of a request to its answer.");
  for (const auto& [path, times] : times_) {
    const std::string name = label_text(path);
    std::int64_t below = 0;
    for (std::size_t k = 0; k < times.counts.size(); ++k) {
      below += times.counts[k];
      const std::string bound = k < kBounds.size() ? fmt::format("{:g}", kBounds[k]) : "+Inf";
      text += fmt::format("penchant_request_seconds_bucket{{path=\"{}\",le=\"{}\"}} {}\n", name,
                          bound, below);
    }
    text += fmt::format("penchant_request_seconds_sum{{path=\"{}\"}} {:.6f}\n", name, times.sum);
    text += fmt::format("penchant_request_seconds_count{{path=\"{}\"}} {}\n", name, below);
  }
  const auto one = [&](const char* name, const char* type, const char* help, std::int64_t value) {
    append_head(text, name, type, help);
    text += fmt::format("{} {}\n", name, value);
  };
  one("penchant_connections", "gauge", "Open connections.", connections_);
  one("penchant_events_total", "counter", "Events taken since the start.", events_);
  one("penchant_events_held", "gauge", "Events that the data set does not have yet.",
      gauges.events_held);
  one("penchant_users_with_events", "gauge", "Users who have such events.",
      gauges.users_with_events);
  append_head(text, "penchant_reloads_total", "counter", "Models taken in place of another.");
  text += fmt::format("penchant_reloads_total{{result=\"ok\"}} {}\n", reloads_);
  text += fmt::format("penchant_reloads_total{{result=\"failed\"}} {}\n", failed_reloads_);
  append_head(text, "penchant_model_info", "gauge", "The model in use.");
  text += fmt::format("penchant_model_info{{name=\"{}\",hash=\"{}\",data_hash=\"{}\"}} 1\n",
                      label_text(gauges.model), label_text(gauges.model_hash),
                      label_text(gauges.data_hash));
  one("penchant_users", "gauge", "Users of the data set.", gauges.num_users);
  one("penchant_items", "gauge", "Items of the data set.", gauges.num_items);
  one("penchant_draining", "gauge", "1 while the server is about to end.", gauges.draining ? 1 : 0);
  one("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
  return text;
}

}  // namespace penchant::pipeline
