// SPDX-License-Identifier: Apache-2.0
// penchant replay: what updating is worth on one's own log, judged as life judges. At the start of
// each period a model ranks for the users of then, the period is revealed, and the next one begins.
// Three lines: the first model, as it was (frozen); the first model, updated at the end of each
// period (training/update.h); a model trained from nothing on all rows until then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"

namespace penchant::pipeline {

/// From one boundary to the next: days (UTC midnights), weeks (Mondays) or months.
enum class PeriodUnit { day, week, month };

struct ReplayOptions {
  std::int64_t every = 1;  ///< of the unit
  PeriodUnit unit = PeriodUnit::week;
  std::optional<std::int64_t> from_ms;    ///< the first model knows what came before it; without it
                                          ///< the boundary behind which 40 % of the rows lie
  std::int64_t most_periods = 0;          ///< the first ones; 0: to the end of the log
  bool retrain = true;                    ///< the line of models from nothing
  std::string metric = "ndcg@20";         ///< that is shown; all are kept
  std::filesystem::path work;             ///< folder for models; emptied at the end
};
/// "week", "month", "2 weeks", "10 days". Throws InputError.
void parse_period(const std::string& text, ReplayOptions& options);

/// Of one line at one period.
struct ReplayPoint {
  std::map<std::string, double> metrics;
  double cpu_seconds = 0.0;      ///< of all threads, of making the model that ranked; 0: none was made
  double seconds = 0.0;          ///< likewise, by the clock
  std::int64_t peak_bytes = 0;   ///< likewise, the largest resident size
};
struct ReplayPeriod {
  std::int64_t from_ms = 0, until_ms = 0;
  std::int64_t num_known_rows = 0, num_new_rows = 0;  ///< before it; since the period before
  std::int64_t num_revealed = 0, num_of_unknown = 0;  ///< rows in it; of unknown users or items
  std::int64_t num_users = 0;                         ///< judged
  ReplayPoint frozen, updated;
  std::optional<ReplayPoint> retrained;
  /// Of the update before it: median cosine of known items' and users' vectors with those before.
  std::optional<double> item_cosine, user_cosine;
  /// Of lists of 20 by old item vectors and new user vectors, the share that new item vectors have.
  std::optional<double> old_index_overlap;
};
struct ReplayReport {
  std::vector<ReplayPeriod> periods;
  std::string metric, device;
  bool interrupted = false;
};

/// Reads the log of `config` (data.out is written, or taken if it is of the same settings), and
/// trains as its sections graph, model, filter and train say. Throws InputError: no times, no two
/// periods.
ReplayReport replay(const Config& config, const ReplayOptions& options, Progress& progress);

nlohmann::json replay_json(const ReplayReport& report);
/// For people.
std::string replay_text(const ReplayReport& report);
/// A page with a chart, complete in itself.
std::string replay_page(const ReplayReport& report);

}  // namespace penchant::pipeline
