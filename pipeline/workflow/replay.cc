// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/replay.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/folder.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/data/past_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model.h"
#include "pipeline/training/private_training.h"
#include "pipeline/training/train.h"
#include "pipeline/training/update.h"
#include "pipeline/workflow/run.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr double kFirstShare = 0.6;  ///< of the rows that the first model knows
constexpr std::int64_t kOverlapUsers = 1000;
constexpr std::int64_t kOverlapItems = 20;

using Days = std::chrono::sys_days;

Days day_of(std::int64_t time_ms) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(time_ms)));
}
std::int64_t ms_of(Days day) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(day.time_since_epoch()).count();
}

/// The last boundary at or before a time.
std::int64_t boundary_at(std::int64_t time_ms, const ReplayOptions& options) {
  const Days day = day_of(time_ms);
  if (options.unit == PeriodUnit::week) {
    const std::chrono::weekday weekday(day);
    return ms_of(day - (weekday - std::chrono::Monday));
  }
  if (options.unit == PeriodUnit::month) {
    const std::chrono::year_month_day date(day);
    return ms_of(Days(date.year() / date.month() / 1));
  }
  return ms_of(day);
}

std::int64_t next_boundary(std::int64_t time_ms, const ReplayOptions& options) {
  if (options.unit == PeriodUnit::month) {
    const std::chrono::year_month_day date(day_of(time_ms));
    const std::chrono::year_month next =
        date.year() / date.month() + std::chrono::months(static_cast<int>(options.every));
    return ms_of(Days(next / date.day()));
  }
  return time_ms + options.every * (options.unit == PeriodUnit::week ? 7 : 1) * kDayMs;
}

std::string date_text(std::int64_t time_ms) {
  const std::chrono::year_month_day date(day_of(time_ms));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Calls `work` and notes what it took.
template <typename Work>
void measure(ReplayPoint& point, Work work) {
  release_freed_memory();
  reset_peak_memory();
  const auto start = std::chrono::steady_clock::now();
  const double before = cpu_seconds();
  work();
  point.cpu_seconds = cpu_seconds() - before;
  point.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  point.peak_bytes = peak_memory();
}

/// Of someone who had not come when the first model was made: the mean user's vector. Items that had
/// not come are in nobody's list: a further column says so.
struct FrozenVectors {
  FloatMatrix users, items;  ///< [U x (D + 1)], [I x (D + 1)]
};
FrozenVectors frozen_vectors(ConstFloatView users, ConstFloatView items, const Dataset& now,
                             Backend& backend) {
  kernels::Download<float> download[2];
  const ConstFloatView then[] = {download[0](users, backend), download[1](items, backend)};
  const std::int64_t width = users.cols + 1;
  std::vector<float> mean(at(width), 0.0F);
  for (std::int64_t row = 0; row < users.rows; ++row) {
    for (std::int64_t j = 0; j < users.cols; ++j)
      mean[at(j)] += then[0](row, j) / static_cast<float>(users.rows);
  }
  mean.back() = 1.0F;
  std::vector<float> absent(at(width), 0.0F);
  absent.back() = -1e6F;
  const auto filled = [&](ConstFloatView known, std::int64_t num_rows, float last,
                          const std::vector<float>& other) {
    std::vector<float> all;
    for (std::int64_t row = 0; row < num_rows; ++row) {
      if (row < known.rows) {
        all.insert(all.end(), known.row(row), known.row(row) + known.cols);
        all.push_back(last);
      } else {
        all.insert(all.end(), other.begin(), other.end());
      }
    }
    FloatMatrix matrix = backend.matrix<float>(num_rows, width);
    backend.copy(ConstFloatView(all.data(), num_rows, width, width, kernels::Device::cpu),
                 matrix.view());
    backend.sync();
    return matrix;
  };
  return {filled(then[0], now.num_users(), 1.0F, mean),
          filled(then[1], now.num_items(), 0.0F, absent)};
}

/// Median, by nearest rank, of how far rows moved, as the manifest says.
std::optional<double> median_cosine(const fs::path& model, const char* side) {
  const json manifest = read_manifest(model, kModelArtifact);
  if (!manifest.contains("update") || !manifest["update"].contains("moved")) return std::nullopt;
  return manifest["update"]["moved"].at(side).at("cosine").at("median").get<double>();
}

/// Copies of a model's vectors, in host memory.
struct KeptVectors {
  FloatMatrix users, items;
};

class Replay {
 public:
  Replay(const Config& config, const ReplayOptions& options, const Dataset& whole,
         Progress& progress)
      : config_(config),
        options_(options),
        whole_(whole),
        progress_(progress),
        backend_(kernels::make_backend(config.backend)),
        host_(kernels::make_backend({.device = kernels::DeviceChoice::cpu})) {
    refuse_private(config.train, "replay");
    report_.metric = options.metric;
    report_.device = backend_->description();
    evaluate_ = validation_options(options.metric);
    evaluate_.part = HeldOut::test;
    evaluate_.seen_items = config.evaluate.seen_items;
  }

  ReplayReport run() {
    const std::vector<std::int64_t> boundaries = make_boundaries();
    create_folder(options_.work);
    for (std::size_t period = 0; period + 1 < boundaries.size(); ++period) {
      if (!judge(boundaries, period)) {
        report_.interrupted = true;
        break;
      }
    }
    for (const char* name : {"updated", "retrained", "first"}) {
      for (const fs::path& folder :
           {options_.work / name, fs::path((options_.work / name).string() + kBeside)})
        remove_files_of(folder, kModelArtifact);
    }
    std::error_code ignored;
    fs::remove(options_.work, ignored);
    return std::move(report_);
  }

 private:
  double fraction() const { return config_.ingest.validation_fraction; }

  std::vector<std::int64_t> make_boundaries() const {
    std::vector<std::int64_t> times;
    for (const graph::Interactions* part :
         {&whole_.split.train.interactions, &whole_.split.validation, &whole_.split.test})
      times.insert(times.end(), part->time_ms.begin(), part->time_ms.end());
    if (config_.ingest.columns.time.empty() || times.empty())
      throw InputError(
          "replay: the log has no times (data.columns.time), expected a time of each "
          "row");
    std::sort(times.begin(), times.end());
    const auto share = static_cast<std::size_t>(kFirstShare * static_cast<double>(times.size()));
    const std::int64_t first =
        boundary_at(options_.from_ms.value_or(times[std::min(share, times.size() - 1)]), options_);
    if (first <= times.front() || first > times.back()) {
      throw InputError(fmt::format(
          "replay: rows are of {} to {}, and the first period begins on {}; expected rows before "
          "and after it",
          date_text(times.front()), date_text(times.back()), date_text(first)));
    }
    std::vector<std::int64_t> boundaries = {first};
    while (boundaries.back() <= times.back() &&
           (options_.most_periods == 0 ||
            static_cast<std::int64_t>(boundaries.size()) <= options_.most_periods))
      boundaries.push_back(next_boundary(boundaries.back(), options_));
    return boundaries;
  }

  Graphs graphs_of(const Dataset& dataset) const {
    return make_graphs(dataset.split.train, dataset, config_.graph);
  }

  bool train_anew(const Dataset& dataset, const fs::path& to, ReplayPoint& point) {
    bool whole = false;
    measure(point, [&] {
      const Graphs graphs = graphs_of(dataset);
      whole =
          !train(dataset, graphs, config_.train, effective_toml(config_), to, *backend_, progress_)
               .interrupted;
    });
    return whole;
  }

  std::map<std::string, double> metrics_of(ConstFloatView users, ConstFloatView items,
                                           const Dataset& dataset, const RankingTask& task) {
    MutedProgress muted(progress_);
    return evaluate_vectors(users, items, task, dataset.item_statistics.count, evaluate_, *backend_,
                            muted)
        .metrics;
  }

  /// By the vectors of a model of this data set.
  void judge_model(const fs::path& folder, const Dataset& dataset, const RankingTask& task,
                   ReplayPoint& point) {
    const Model model = Model::open(folder, dataset, *backend_);
    point.metrics = metrics_of(model.users(), model.items(), dataset, task);
  }

  KeptVectors kept(const Model& model) {
    KeptVectors copy;
    for (const auto& [from, to] :
         {std::pair(model.users(), &copy.users), std::pair(model.items(), &copy.items)}) {
      kernels::Download<float> download;
      const ConstFloatView view = download(from, *backend_);
      *to = host_->matrix<float>(view.rows, view.cols);
      host_->copy(view, to->view());
    }
    return copy;
  }

  /// Of users that were known, the share of the k best known items by new vectors that are among the
  /// k best by new user vectors and old item vectors.
  double overlap(const KeptVectors& old, const KeptVectors& now) {
    const std::int64_t count = std::min(kOverlapUsers, old.users.rows());
    const std::int64_t num_items = old.items.rows();
    const std::int64_t k = std::min(kOverlapItems, num_items);
    kernels::Matrix<NodeId> lists[2] = {host_->matrix<NodeId>(count, k),
                                        host_->matrix<NodeId>(count, k)};
    FloatMatrix scores = host_->matrix<float>(num_items, count);
    FloatMatrix best = host_->matrix<float>(count, k);
    const ConstFloatView items[2] = {old.items.view(), now.items.view().rows_of(0, num_items)};
    for (std::size_t which = 0; which < 2; ++which) {
      host_->gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, items[which],
                  now.users.view().rows_of(0, count), 0.0F, scores.view());
      host_->topk_scores(scores.view(), {}, lists[which].view(), best.view());
    }
    std::int64_t shared = 0;
    for (std::int64_t user = 0; user < count; ++user) {
      const NodeId* const first = lists[0].view().row(user);
      for (std::int64_t place = 0; place < k; ++place)
        shared += std::count(first, first + k, lists[1].view()(user, place));
    }
    return static_cast<double>(shared) / static_cast<double>(count * k);
  }

  /// False if interrupted.
  bool judge(const std::vector<std::int64_t>& boundaries, std::size_t number) {
    const std::int64_t now = boundaries[number];
    ReplayPeriod period;
    period.from_ms = now;
    period.until_ms = boundaries[number + 1];
    deliveries_.push_back(delivery_of(
        whole_, number == 0 ? graph::kNoTime + 1 : boundaries[number - 1], now, fraction()));
    PastRows past = rows_until(whole_, deliveries_, period.until_ms);
    const Delivery at_once = delivery_of(whole_, graph::kNoTime + 1, now, fraction());
    PastRows all = rows_until(whole_, {&at_once, 1}, period.until_ms);
    period.num_new_rows = past.num_new_rows;
    period.num_known_rows =
        past.dataset.split.train.interactions.size() + past.dataset.split.validation.size();
    period.num_revealed = past.num_revealed;
    period.num_of_unknown = past.num_of_unknown;
    const RankingTask task = make_ranking_task(past.dataset, HeldOut::test, evaluate_.seen_items);
    period.num_users = static_cast<std::int64_t>(task.users.size());
    progress_.begin("replay");
    progress_.end(fmt::format("{} to {}: {} rows known, {} to come of {} users",
                              date_text(period.from_ms), date_text(period.until_ms),
                              period.num_known_rows, past.dataset.split.test.size(),
                              period.num_users));
    const fs::path updated = options_.work / "updated";
    if (number == 0) {
      if (!train_anew(past.dataset, updated, period.updated)) return false;
      period.frozen = period.updated;
      if (options_.retrain) period.retrained = period.updated;
    } else {
      if (!update(updated, period)) return false;
    }
    const Model model = Model::open(updated, past.dataset, *backend_);
    KeptVectors vectors = kept(model);
    if (number == 0) first_ = kept(model);
    if (number > 0 && vectors.items.cols() == last_.items.cols())
      period.old_index_overlap = overlap(last_, vectors);
    last_ = std::move(vectors);
    last_data_ = {past.dataset.hash, past.dataset.num_users(), past.dataset.num_items(), now - 1};
    if (period.num_users > 0) {
      period.updated.metrics = metrics_of(model.users(), model.items(), past.dataset, task);
      const FrozenVectors frozen =
          frozen_vectors(first_.users.view(), first_.items.view(), past.dataset, *backend_);
      period.frozen.metrics =
          metrics_of(frozen.users.view(), frozen.items.view(), past.dataset, task);
    }
    if (options_.retrain && number > 0) {
      period.retrained.emplace();
      const fs::path retrained = options_.work / "retrained";
      if (!train_anew(all.dataset, retrained, *period.retrained)) return false;
      const RankingTask same = make_ranking_task(all.dataset, HeldOut::test, evaluate_.seen_items);
      if (!same.users.empty()) judge_model(retrained, all.dataset, same, *period.retrained);
    } else if (options_.retrain) {
      period.retrained->metrics = period.updated.metrics;
    }
    report_.periods.push_back(std::move(period));
    return true;
  }

  /// Of the model of the period before.
  bool update(const fs::path& model, ReplayPeriod& period) {
    UpdateOptions how;
    how.train = config_.train;
    how.graph = config_.graph;
    bool whole = false;
    // In a data set of its own: the validation rows that the model has learnt become training rows.
    PastRows copy = rows_until(whole_, deliveries_, period.until_ms);
    measure(period.updated, [&] {
      whole = !update_model(model, last_data_, copy.dataset, how, effective_toml(config_), model,
                            *backend_, progress_)
                   .interrupted;
    });
    if (!whole) return false;
    period.item_cosine = median_cosine(model, "items");
    period.user_cosine = median_cosine(model, "users");
    return true;
  }

  const Config& config_;
  const ReplayOptions& options_;
  const Dataset& whole_;
  Progress& progress_;
  std::unique_ptr<Backend> backend_, host_;
  EvaluateOptions evaluate_;
  std::vector<Delivery> deliveries_;
  KeptVectors first_, last_;
  EarlierData last_data_;
  ReplayReport report_;
};

json point_json(const ReplayPoint& point) {
  return {{"metrics", point.metrics},
          {"cpu_seconds", point.cpu_seconds},
          {"seconds", point.seconds},
          {"peak_bytes", point.peak_bytes}};
}

/// Means over the periods after the first that can be judged.
struct Means {
  double frozen = 0, updated = 0, retrained = 0;
  double updated_cpu = 0, retrained_cpu = 0;
  std::int64_t periods = 0;
};
Means means_of(const ReplayReport& report) {
  Means means;
  for (std::size_t number = 1; number < report.periods.size(); ++number) {
    const ReplayPeriod& period = report.periods[number];
    if (period.num_users == 0) continue;
    ++means.periods;
    means.frozen += validation_value(period.frozen.metrics, report.metric);
    means.updated += validation_value(period.updated.metrics, report.metric);
    means.updated_cpu += period.updated.cpu_seconds;
    if (!period.retrained) continue;
    means.retrained += validation_value(period.retrained->metrics, report.metric);
    means.retrained_cpu += period.retrained->cpu_seconds;
  }
  const double count = static_cast<double>(std::max<std::int64_t>(1, means.periods));
  for (double* sum :
       {&means.frozen, &means.updated, &means.retrained, &means.updated_cpu, &means.retrained_cpu})
    *sum /= count;
  return means;
}

}  // namespace

void parse_period(const std::string& text, ReplayOptions& options) {
  const auto refuse = [&] {
    return InputError(fmt::format(
        "--every is '{}', expected day, week or month, or a number of them such as 2 weeks", text));
  };
  std::string_view unit = text;
  options.every = 1;
  if (!unit.empty() && unit.front() >= '0' && unit.front() <= '9') {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), options.every);
    if (error != std::errc() || options.every < 1 || options.every > 1000) throw refuse();
    unit.remove_prefix(static_cast<std::size_t>(end - text.data()));
    while (unit.starts_with(' ')) unit.remove_prefix(1);
  }
  if (unit.ends_with('s')) unit.remove_suffix(1);
  if (unit == "day")
    options.unit = PeriodUnit::day;
  else if (unit == "week")
    options.unit = PeriodUnit::week;
  else if (unit == "month")
    options.unit = PeriodUnit::month;
  else
    throw refuse();
}

ReplayReport replay(const Config& config, const ReplayOptions& options, Progress& progress) {
  const Dataset whole = ingested(config, progress);
  return Replay(config, options, whole, progress).run();
}

json replay_json(const ReplayReport& report) {
  json periods = json::array();
  for (const ReplayPeriod& period : report.periods) {
    json entry = {{"from", date_text(period.from_ms)},
                  {"until", date_text(period.until_ms)},
                  {"known_rows", period.num_known_rows},
                  {"new_rows", period.num_new_rows},
                  {"revealed_rows", period.num_revealed},
                  {"of_unknown_users_or_items", period.num_of_unknown},
                  {"num_users", period.num_users},
                  {"frozen", point_json(period.frozen)},
                  {"updated", point_json(period.updated)}};
    if (period.retrained) entry["retrained"] = point_json(*period.retrained);
    if (period.item_cosine) entry["median_cosine_of_known_items"] = *period.item_cosine;
    if (period.user_cosine) entry["median_cosine_of_known_users"] = *period.user_cosine;
    if (period.old_index_overlap) entry["top20_overlap_with_old_items"] = *period.old_index_overlap;
    periods.push_back(std::move(entry));
  }
  const Means means = means_of(report);
  json output = {{"metric", report.metric},
                 {"device", report.device},
                 {"interrupted", report.interrupted},
                 {"periods", std::move(periods)},
                 {"after_the_first",
                  {{"periods", means.periods},
                   {"frozen", means.frozen},
                   {"updated", means.updated},
                   {"updated_cpu_seconds", means.updated_cpu}}}};
  if (means.retrained > 0.0) {
    json& mean = output["after_the_first"];
    mean["retrained"] = means.retrained;
    mean["retrained_cpu_seconds"] = means.retrained_cpu;
    mean["updated_over_retrained"] = means.updated / means.retrained;
    mean["cpu_updated_over_retrained"] = means.updated_cpu / means.retrained_cpu;
  }
  return output;
}

std::string replay_text(const ReplayReport& report) {
  std::string text = fmt::format("{:<11} {:>10} {:>9} {:>7} {:>8} {:>8} {:>9} {:>16} {:>16}\n",
                                 "from", "new rows", "to come", "users", "frozen", "updated",
                                 "retrained", "cpu s upd / new", "MiB upd / new");
  const auto value = [&](const ReplayPoint& point) {
    return point.metrics.empty()
               ? std::string("-")
               : fmt::format("{:.4f}", validation_value(point.metrics, report.metric));
  };
  for (const ReplayPeriod& period : report.periods) {
    const ReplayPoint none;
    const ReplayPoint& anew = period.retrained ? *period.retrained : none;
    const auto mib = [](const ReplayPoint& point) {
      return static_cast<double>(point.peak_bytes) / 1048576.0;
    };
    text += fmt::format(
        "{:<11} {:>10} {:>9} {:>7} {:>8} {:>8} {:>9} {:>7.0f} / {:>6.0f} {:>7.0f} / {:>6.0f}\n",
        date_text(period.from_ms), period.num_new_rows, period.num_revealed, period.num_users,
        value(period.frozen), value(period.updated), value(anew), period.updated.cpu_seconds,
        anew.cpu_seconds, mib(period.updated), mib(anew));
  }
  const Means means = means_of(report);
  if (means.periods == 0) return text;
  text += fmt::format(
      "\n{} of lists for the next period, mean after the first: updated {:.4f}, frozen {:.4f}",
      report.metric, means.updated, means.frozen);
  if (means.retrained > 0.0) {
    text += fmt::format(", retrained {:.4f} (updated / retrained {:.3f}, processor seconds {:.3f})",
                        means.retrained, means.updated / means.retrained,
                        means.updated_cpu / means.retrained_cpu);
  }
  return text + "\n";
}

}  // namespace penchant::pipeline
