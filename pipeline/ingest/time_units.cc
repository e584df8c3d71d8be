// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/time_units.h"

namespace penchant::pipeline {

const char* unit_name(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::seconds:
      return "seconds";
    case TimeUnit::milliseconds:
      return "milliseconds";
    case TimeUnit::microseconds:
      return "microseconds";
    case TimeUnit::nanoseconds:
      return "nanoseconds";
    case TimeUnit::date_time:
      return "digits of date and time";
    case TimeUnit::text:
      break;
  }
  return "text";
}

std::int64_t date_of_number(std::int64_t number, int parts) {
  std::array<int, 6> part = {1970, 1, 1, 0, 0, 0};
  for (int i = parts - 1; i > 0; --i, number /= 100)
    part[static_cast<std::size_t>(i)] = static_cast<int>(number % 100);
  if (number < 1970 || number >= 2100) return -1;
  part[0] = static_cast<int>(number);
  const auto days =
      days_since_1970(part[0], static_cast<unsigned>(part[1]), static_cast<unsigned>(part[2]));
  if (!days || part[3] > 23 || part[4] > 59 || part[5] > 59) return -1;
  return (((*days * 24 + part[3]) * 60 + part[4]) * 60 + part[5]) * 1000;
}

}  // namespace penchant::pipeline
