// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// The number behind `name` in a file of "name number" lines; in the file's unit.
std::optional<std::int64_t> field(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, name.size(), name) != 0) continue;
    std::istringstream rest(line.substr(name.size()));
    std::int64_t value = 0;
    if (rest >> value) return value;
  }
  return std::nullopt;
}

/// What may still be used in a control group and in those around it, of which each has a limit of
/// its own. `line` begins the line of /proc/self/cgroup that names the group below `tree`.
std::int64_t left_in_groups(const fs::path& root, std::string_view line, const char* tree,
                            const char* limit_name, const char* used_name,
                            const char* reclaimable) {
  std::ifstream file(root / "proc/self/cgroup");
  std::string group;
  for (std::string each; std::getline(file, each);) {
    if (const auto place = each.find(line); place != std::string::npos)
      group = each.substr(place + line.size());
  }
  std::int64_t left = kNoLimit;
  for (;;) {
    const fs::path folder = root / tree / fs::path(group).relative_path();
    const auto limit = field(folder / limit_name, "");  // "max" is no number: no limit
    const auto used = field(folder / used_name, "");
    if (limit && used) {
      const std::int64_t cached = field(folder / "memory.stat", reclaimable).value_or(0);
      left = std::min(left, std::max<std::int64_t>(0, *limit - *used + cached));
    }
    if (group.empty() || group == "/") return left;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

}  // namespace

std::int64_t left_in_control_groups(const fs::path& root) {
  return std::min(left_in_groups(root, "0::", "sys/fs/cgroup", "memory.max", "memory.current",
                                 "inactive_file "),
                  left_in_groups(root, ":memory:", "sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                 "memory.usage_in_bytes", "total_inactive_file "));
}

std::int64_t available_memory() {
  std::int64_t available = left_in_control_groups("/");
  if (const auto kilobytes = field("/proc/meminfo", "MemAvailable:"))
    available = std::min(available, *kilobytes * 1024);
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const std::int64_t used = field("/proc/self/status", "VmSize:").value_or(0) * 1024;
    available = std::min(
        available, std::max<std::int64_t>(0, static_cast<std::int64_t>(limit.rlim_cur) - used));
  }
  return available;
}

std::int64_t resident_memory() { return field("/proc/self/status", "VmRSS:").value_or(0) * 1024; }

void release_freed_memory() { malloc_trim(0); }

std::int64_t peak_memory() {
  if (const auto kilobytes = field("/proc/self/status", "VmHWM:")) return *kilobytes * 1024;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5\n"; }

std::int64_t parse_bytes(const std::string& text, const char* key) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::string_view kUnits = "KMGT";
  const std::size_t place = unit.empty() ? 0 : kUnits.find(unit[0]);
  const std::size_t power = unit.empty() ? 0 : place + 1;
  const bool spelled =
      error == std::errc() && unit.size() <= 1 && place != std::string_view::npos && value > 0;
  for (std::size_t k = 0; spelled && k < power; ++k) value *= 1024;
  constexpr double kBeyond = 0x1.0p63;  // the least that an int64 does not hold
  if (!spelled || value < 1 || !(value < kBeyond))
    throw InputError(fmt::format(
        "{} is '{}', expected 1 byte to less than 8388608T, such as 12G, 500M or 1073741824", key,
        text));
  return static_cast<std::int64_t>(value);
}

std::string bytes_text(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, kUnits[unit]);
}

}  // namespace penchant::pipeline
