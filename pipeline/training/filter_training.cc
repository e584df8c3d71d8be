// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/filter_training.h"

#include <algorithm>
#include <chrono>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/checkpoint.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "graph/enum_names.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/training_phase.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using models::FilterGraph;
using models::FilterOptions;
using models::GraphFilter;
using nlohmann::json;

namespace {

constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kVectors = "singular_vectors";
constexpr const char* kSquared = "squared_singular_values";

}  // namespace

json filter_to_json(const FilterOptions& filter) {
  return {{"kind", enum_name(filter.kind)},
          {"power", filter.power},
          {"rank", filter.rank},
          {"low_pass", filter.low_pass},
          {"order", filter.order},
          {"flatness", filter.flatness},
          {"sharpening", filter.sharpening},
          {"sharpening_steps", filter.sharpening_steps}};
}

FilterOptions filter_from_json(const json& stored) {
  FilterOptions filter;
  filter.kind = parse_enum<FilterKind>(stored.at("kind").get<std::string>(), "filter.kind");
  filter.power = stored.at("power").get<float>();
  filter.rank = stored.at("rank").get<std::int64_t>();
  filter.low_pass = stored.at("low_pass").get<float>();
  filter.order = stored.at("order").get<std::int64_t>();
  filter.flatness = stored.at("flatness").get<float>();
  filter.sharpening = stored.at("sharpening").get<float>();
  filter.sharpening_steps = stored.at("sharpening_steps").get<std::int64_t>();
  models::check_filter_options(filter);
  return filter;
}

std::string describe(const FilterOptions& filter) {
  std::string text = fmt::format("{}, power {:g}", enum_name(filter.kind), filter.power);
  if (filter.kind != FilterKind::linear)
    text += fmt::format(", low pass {:g} of rank {}", filter.low_pass, filter.rank);
  if (filter.kind == FilterKind::chebycf)
    text += fmt::format(", order {}, flatness {:g}", filter.order, filter.flatness);
  if (filter.kind == FilterKind::bspm) text += fmt::format(", sharpening {:g}", filter.sharpening);
  return text;
}

namespace {

/// Where the search of a kind begins: good on Gowalla's validation part (docs/benchmarks.md).
FilterOptions start_of(FilterKind kind) {
  FilterOptions filter;
  filter.kind = kind;
  filter.power = 0.3F;
  filter.order = 4;
  filter.flatness = 2.0F;
  filter.sharpening = 2.0F;
  return filter;
}

class FilterSearch {
 public:
  FilterSearch(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
               Backend& backend, Progress& progress, const std::function<bool()>& out_of_time)
      : options_(options),
        choice_(options.filter),
        backend_(backend),
        progress_(progress),
        out_of_time_(out_of_time),
        item_counts_(dataset.item_statistics.count),
        smaller_side_(std::min(dataset.num_users(), dataset.num_items())) {
    if (choice_.rank) {
      ranks_ = {*choice_.rank};
    } else {
      for (const std::int64_t rank : {16, 32, 64, 128, 256, 512}) {
        if (rank == 16 || rank <= smaller_side_ / 4) ranks_.push_back(rank);
      }
    }
    result_.best = fixed(start_of(choice_.kind.value_or(FilterKind::gfcf)));
    if (options.validate_every == 0 || dataset.split.validation.empty()) return;
    task_ = sample_task(make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic),
                        choice_.selection_users, options.seed);
    search(graphs);
  }

  FilterSearchResult result() && { return std::move(result_); }

 private:
  /// The user's values in place of `filter`'s.
  FilterOptions fixed(FilterOptions filter) const {
    filter.kind = choice_.kind.value_or(filter.kind);
    filter.power = choice_.power.value_or(filter.power);
    filter.rank = ranks_.back();
    if (filter.kind == FilterKind::linear)
      filter.rank = choice_.rank.value_or(options_.model.embedding_dim);
    filter.low_pass = choice_.low_pass.value_or(filter.low_pass);
    filter.order = choice_.order.value_or(filter.order);
    filter.flatness = choice_.flatness.value_or(filter.flatness);
    filter.sharpening = choice_.sharpening.value_or(filter.sharpening);
    filter.sharpening_steps = choice_.sharpening_steps;
    return filter;
  }

  void search(const Graphs& graphs) {
    result_.graph = std::make_shared<FilterGraph>(graphs.user_item.user_items.view(), ranks_.back(),
                                                  options_.seed, backend_);
    if (choice_.kind) {
      attempt(result_.best);
    } else {
      for (const FilterKind kind : {FilterKind::gfcf, FilterKind::chebycf, FilterKind::bspm})
        attempt(fixed(start_of(kind)));
    }
    if (!choice_.power) climb(&FilterOptions::power, {0.0F, 0.1F, 0.2F, 0.3F, 0.4F, 0.5F});
    if (result_.best.kind == FilterKind::chebycf) {
      if (!choice_.order) climb(&FilterOptions::order, {2, 4, 8});
      if (!choice_.flatness) climb(&FilterOptions::flatness, {1.0F, 1.5F, 2.0F, 3.0F, 5.0F});
    }
    if (result_.best.kind == FilterKind::bspm && !choice_.sharpening)
      climb(&FilterOptions::sharpening, {0.5F, 1.0F, 1.5F, 2.0F, 2.5F});
    if (result_.best.kind == FilterKind::linear) return;
    if (!choice_.low_pass) climb(&FilterOptions::low_pass, {0.0F, 0.1F, 0.2F, 0.3F, 0.5F});
    if (!choice_.rank) climb(&FilterOptions::rank, ranks_);
  }

  /// Tries the neighbours of the best value of one option, upwards, then downwards, as long as that
  /// helps.
  template <typename T>
  void climb(T FilterOptions::*option, const std::vector<T>& values) {
    for (const int step : {1, -1}) {
      const auto start = std::find(values.begin(), values.end(), result_.best.*option);
      auto place = start - values.begin() + step;
      bool better = true;
      for (; better && place >= 0 && place < static_cast<std::ptrdiff_t>(values.size());
           place += step) {
        FilterOptions next = result_.best;
        next.*option = values[static_cast<std::size_t>(place)];
        better = attempt(next);
      }
    }
  }

  /// Evaluates these options; true if they are the best so far, which they become.
  bool attempt(const FilterOptions& filter) {
    result_.interrupted = result_.interrupted || progress_.stop_requested();
    const json described = filter_to_json(filter);
    const bool known = std::any_of(
        result_.trials.begin(), result_.trials.end(),
        [&](const FilterTrial& trial) { return filter_to_json(trial.filter) == described; });
    if (result_.interrupted || known || (!result_.trials.empty() && out_of_time_())) return false;
    GraphFilter scorer(result_.graph, filter, backend_);
    const EvaluateReport report =
        evaluate_scorer(scorer, task_, item_counts_, validation_options(options_.validation_metric),
                        backend_, silent_progress());
    const double value = validation_value(report.metrics, options_.validation_metric);
    result_.trials.push_back({filter, report.metrics});
    progress_.update(
        static_cast<std::int64_t>(result_.trials.size()), 0,
        fmt::format("{}: {} {:.4f}", describe(filter), options_.validation_metric, value));
    if (value <= best_value_) return false;
    result_.best = filter;
    best_value_ = value;
    return true;
  }

  const TrainOptions& options_;
  const FilterChoice& choice_;
  Backend& backend_;
  Progress& progress_;
  const std::function<bool()>& out_of_time_;
  std::span<const std::int64_t> item_counts_;
  std::int64_t smaller_side_;
  std::vector<std::int64_t> ranks_;
  RankingTask task_;
  double best_value_ = -1.0;
  FilterSearchResult result_;
};

}  // namespace

FilterSearchResult search_filter(const Dataset& dataset, const Graphs& graphs,
                                 const TrainOptions& options, Backend& backend, Progress& progress,
                                 const std::function<bool()>& out_of_time) {
  return FilterSearch(dataset, graphs, options, backend, progress, out_of_time).result();
}

std::string trial_line(const FilterTrial& trial) {
  return json{{"phase", "select"},
              {"filter", filter_to_json(trial.filter)},
              {"validation", trial.metrics}}
             .dump() +
         "\n";
}

void write_singular_vectors(const fs::path& path, const FilterGraph& graph, Backend& backend) {
  kernels::Download<float> download;
  const models::SingularVectors& singular = graph.singular();
  const auto rank = static_cast<std::int64_t>(singular.squared.size());
  const std::vector<models::NamedTensor> tensors = {
      {kVectors, download(singular.vectors.view(), backend)},
      {kSquared, {singular.squared.data(), 1, rank, rank, kernels::Device::cpu}}};
  write_file_atomically(path, [&](std::ostream& out) {
    models::write_safetensors(out, tensors, {{"format", "penchant weights"}});
  });
}

models::SingularVectors read_singular_vectors(const fs::path& path, std::int64_t num_items,
                                              Backend& backend) {
  const models::TensorFile file = models::read_safetensors(path);
  std::int64_t rank = 0;
  for (const models::LoadedTensor& tensor : file.tensors) {
    if (tensor.name == kSquared) rank = tensor.cols;
  }
  models::SingularVectors singular;
  singular.squared = file.find_finite(kSquared, 1, rank, path).data;
  singular.vectors = backend.matrix<float>(num_items, rank);
  backend.copy(file.find_finite(kVectors, num_items, rank, path).view(), singular.vectors.view());
  return singular;
}

void check_filter_choice(const TrainOptions& options) {
  FilterOptions filter;
  const FilterChoice& choice = options.filter;
  filter.kind = choice.kind.value_or(filter.kind);
  filter.power = choice.power.value_or(filter.power);
  filter.rank = choice.rank.value_or(filter.rank);
  filter.low_pass = choice.low_pass.value_or(filter.low_pass);
  filter.order = choice.order.value_or(filter.order);
  filter.flatness = choice.flatness.value_or(filter.flatness);
  filter.sharpening = choice.sharpening.value_or(filter.sharpening);
  filter.sharpening_steps = choice.sharpening_steps;
  models::check_filter_options(filter);
  if (choice.selection_users < 0) throw InputError("filter.selection_users must not be negative");
}

TrainReport train_filter(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                         const std::string& config_toml, const Destination& destination,
                         Backend& backend, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  check_filter_choice(options);
  progress.begin("train");
  ArtifactWriter writer(destination, kModelArtifact);
  writer.clear();
  const fs::path& model_directory = writer.folder();
  write_file_atomically(model_directory / "config.toml", config_toml);

  const FilterSearchResult search =
      search_filter(dataset, graphs, options, backend, progress, [] { return false; });
  TrainReport report;
  report.validated = !search.trials.empty();
  std::string log;
  for (const FilterTrial& trial : search.trials) {
    log += trial_line(trial);
    report.best_validation =
        std::max(report.best_validation, trial.metrics.at(options.validation_metric));
  }
  report.interrupted = search.interrupted;
  write_file_atomically(model_directory / kMetrics, log);
  if (report.interrupted) {
    writer.keep();
    progress.end("interrupted while options were tried; the next run starts over");
    return report;
  }

  const bool refit = options.refit && !dataset.split.validation.empty();
  const FilterGraph graph(refit
                              ? make_graphs(train_and_validation(dataset), dataset, graphs.options)
                                    .user_item.user_items.view()
                              : graphs.user_item.user_items.view(),
                          search.best.rank, options.seed, backend);
  write_singular_vectors(model_directory / kModelWeights, graph, backend);
  report.chosen = describe(search.best);
  if (report.validated) {
    report.chosen += fmt::format("; {} {:.4f} on validation, best of {}", options.validation_metric,
                                 report.best_validation, search.trials.size());
  }
  writer.finish({{"data_hash", dataset.hash},
                 {"graph_options", graph_options_to_json(graphs.options)},
                 {"model",
                  {{"kind", enum_name(models::ModelKind::graph_filter)},
                   {"embedding_dim", options.model.embedding_dim},
                   {"filter", filter_to_json(search.best)}}},
                 {"trained_on", refit ? "train+validation" : "train"},
                 {"trials", search.trials.size()},
                 {"best_validation", report.best_validation},
                 {"validation_metric", options.validation_metric},
                 {"seed", static_cast<std::uint64_t>(options.seed)},
                 {"hash", hash_file(model_directory / kModelWeights)},
                 {"resources", resources_since(start)},
                 {"device", backend.description()}});
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  progress.end(report.chosen);
  return report;
}

std::int64_t filter_width(const json& model) {
  models::ModelOptions options;
  model.at("embedding_dim").get_to(options.embedding_dim);
  check_model_options(options);
  return options.embedding_dim;
}

TrainedModel load_filter(const fs::path& model_directory, const json& manifest,
                         const Dataset& dataset, Backend& backend) {
  const json& stored = manifest.at("model");
  const FilterOptions filter = filter_from_json(stored.at("filter"));
  const bool merged = manifest.at("trained_on").get<std::string>() == "train+validation";
  const Graphs graphs = make_graphs(merged ? train_and_validation(dataset) : dataset.split.train,
                                    dataset, graph_options_from_json(manifest.at("graph_options")));
  models::SingularVectors singular =
      read_singular_vectors(model_directory / kModelWeights, dataset.num_items(), backend);
  auto scorer = std::make_unique<GraphFilter>(
      std::make_shared<FilterGraph>(graphs.user_item.user_items.view(), std::move(singular),
                                    backend),
      filter, backend);
  TrainedModel model;
  scorer->vectors(filter_width(stored), backend, model.users, model.items);
  finish_filter_vectors(graphs.user_item, graphs.item, backend, model.users, model.items);
  model.scorer = std::move(scorer);
  model.saw_validation = merged;
  model.model_hash = hash_bytes(stored.dump() + manifest.at("hash").get<std::string>());
  model.model_name = fmt::format("graph_filter {}", enum_name(filter.kind));
  return model;
}

}  // namespace penchant::pipeline
