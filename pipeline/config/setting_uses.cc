// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/setting_uses.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/config/config_settings.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/ingest/recbole.h"
#include "pipeline/training/recipes.h"

namespace penchant::pipeline {

namespace {

using Words = std::vector<std::string_view>;

/// A key that has one of these values; without values, one that is not empty; or none of them.
struct Condition {
  std::string_view key;
  Words values = {};
  bool none_of = false;
};
/// All of these hold.
using Conditions = std::vector<Condition>;
/// Keys, or whole sections ("partition."), that have an effect where one of `ways` holds.
struct Use {
  Words keys;
  std::vector<Conditions> ways;
};

constexpr std::string_view kMethod = "data.split.method";

const Condition kColumns = {"data.format", {"table", "recbole"}};
const Condition kTrainedGraphs = {"model.kind", {"lightgcn", "gcn", "node_weighted"}};
const Condition kSearched = {"model.kind", {"lightgcn", "gcn", "node_weighted", "interest"}};
const Condition kGraphVectors = {"model.kind", {"lightgcn", "gcn", "node_weighted", "auto"}};
const Condition kVectors = {"model.kind", {"lightgcn", "gcn", "node_weighted", "interest", "auto"}};
const Condition kInterest = {"model.kind", {"interest"}};
const Condition kFilters = {"model.kind", {"graph_filter", "auto"}};
const Condition kSoftmax = {"model.loss", {"sampled_softmax"}};
const Condition kValidates = {"train.validate_every", {"0"}, true};
const Condition kCooccurrence = {"graph.cooccurrence", {"true"}};

/// A key stands in the first entry that names it; keys of none always have an effect.
const std::vector<Use>& all_uses() {
  static const std::vector<Use> uses = {
      {{"data.log", "data.separator", "data.header", "data.quote", "data.escape"},
       {{{"data.format", {"table"}}}}},
      {{"data.encoding", "data.missing", "data.filters", "data.attributes", "data.items.table",
        "data.decimal"},
       {{kColumns}}},
      {{"data.columns."}, {{kColumns}}},
      {{"data.items.value"}, {{kColumns, {"data.items.table"}, {"data.items.property"}}}},
      {{"data.items.separator", "data.items.quote", "data.items.escape", "data.items.encoding",
        "data.items.only_listed", "data.items.time", "data.items.property", "data.items.filters",
        "data.items.header", "data.items.key"},
       {{kColumns, {"data.items.table"}}}},
      {{"data.event_weights"}, {{kColumns, {"data.columns.event"}}}},
      {{"data.time_format"},
       {{kColumns, {"data.columns.time"}},
        {kColumns, {"data.items.time"}},
        {kColumns, {"data.time_format", {"order"}}}}},
      {{"data.time_zone"}, {{kColumns, {"data.columns.time"}}, {kColumns, {"data.items.time"}}}},
      {{"data.pseudonym_key"}, {{{"data.pseudonymise"}}}},
      {{"data.time_resolution"}, {{kColumns, {"data.columns.time"}}}},
      {{"data.min_value_users"}, {{{"data.format", {"table", "recbole", "s3rec"}}}}},
      {{"data.drop_repeats"}, {{{"data.format", {"table", "recbole", "lightgcn"}}}}},
      {{"data.max_user_count"}, {{{"data.format", {"table", "recbole", "s3rec"}}}}},
      {{"data.train"}, {{{"data.format", {"lightgcn"}}}}},
      {{"data.test", "data.validation"},
       {{{"data.format", {"table", "lightgcn"}}, {kMethod, {"given"}}}}},
      {{"data.benchmark"}, {{{"data.format", {"recbole"}}, {kMethod, {"given"}}}}},
      {{"data.parts."}, {{kColumns, {"data.columns.part"}}}},
      {{"data.split.overlap"}, {{{kMethod, {"given"}}}}},
      {{"data.sequences", "data.attributes_file"}, {{{"data.format", {"s3rec"}}}}},
      {{"data.prefix"}, {{{"data.format", {"recbole"}}}}},
      {{"data.split.validation_fraction"},
       {{{kMethod, {"given", "global_time", "random_per_user", "hidden_items"}}}}},
      {{"data.split.test_fraction"},
       {{{kMethod, {"global_time", "random_per_user", "hidden_items"}}}}},
      {{"data.split.seed"}, {{{kMethod, {"given", "random_per_user", "hidden_items"}}}}},

      {{"graph.cooccurrence_scope", "graph.cooccurrence_weighting", "graph.top_k",
        "graph.cooccurrence_weight"},
       {{kCooccurrence}}},
      {{"graph.window"}, {{kCooccurrence, {"graph.cooccurrence_scope", {"window"}}}}},
      {{"graph.max_basket"}, {{kCooccurrence, {"graph.cooccurrence_scope", {"session"}}}}},
      {{"graph.use_attributes"}, {{{"graph.attributes", {""}}}}},
      {{"graph.attribute_weight", "graph.max_value_share"},
       {{{"graph.use_attributes", {"true"}}}, {{"graph.attributes"}}}},

      {{"graph.relation_weight"}, {{kVectors}}},

      {{"partition."}, {{kVectors}}},

      {{"model.num_layers"}, {{kGraphVectors}, {kInterest, {"model.item_graph", {"true"}}}}},
      {{"model.activation"}, {{{"model.kind", {"gcn", "node_weighted"}}}}},
      {{"model.loss", "model.new_item_columns", "train.node_order"}, {{kGraphVectors}}},
      {{"model.temperature"}, {{kTrainedGraphs, kSoftmax}, {{"model.kind", {"interest", "auto"}}}}},
      {{"model.own_share"}, {{{"model.kind", {"lightgcn", "interest", "auto"}}}}},
      {{"model.normalize", "model.initializer", "model.initial_scale"}, {{kVectors}}},
      {{"model.hidden_dim"}, {{kInterest, {"model.sequence", {"lstm", "rnn", "cnn"}}}}},
      {{"model.sequence_layers"}, {{kInterest, {"model.sequence", {"lstm", "rnn"}}}}},
      {{"model.cnn_widths"}, {{kInterest, {"model.sequence", {"cnn"}}}}},
      {{"model.history_decay"}, {{kInterest, {"model.graph", {"true"}}}}},
      {{"model.ranking_target", "model.ranking_weight"},
       {{kInterest, {"model.ranking_head", {"true"}}}}},
      {{"model.sequence", "model.max_length", "model.graph", "model.item_graph", "model.dropout",
        "model.mlp_dims", "model.layer_norm", "model.ranking_head"},
       {{kInterest}}},

      {{"filter.power"},
       {{kFilters, {"filter.kind", {"linear", "gfcf", "chebycf", "bspm", "auto"}}}}},
      {{"filter.low_pass"}, {{kFilters, {"filter.kind", {"gfcf", "chebycf", "bspm", "auto"}}}}},
      {{"filter.order", "filter.flatness"}, {{kFilters, {"filter.kind", {"chebycf", "auto"}}}}},
      {{"filter.sharpening", "filter.sharpening_steps"},
       {{kFilters, {"filter.kind", {"bspm", "auto"}}}}},
      {{"filter.ridge"}, {{kFilters, {"filter.kind", {"ridge"}}}}},
      {{"filter.selection_users"}, {{{"model.kind", {"graph_filter"}}}}},
      {{"filter."}, {{kFilters}}},

      {{"privacy."}, {{{"model.kind", {"private"}}}}},
      {{"train.budget", "train.distil"}, {{{"model.kind", {"auto"}}}}},
      {{"train.epochs"}, {{kSearched}}},
      {{"train.num_negatives", "train.negative_correction"},
       {{kGraphVectors, kSoftmax}, {kInterest}}},
      {{"train.batch_size", "train.negative_power", "train.learning_rate", "train.cosine_decay",
        "train.l2", "train.checkpoint_every"},
       {{kVectors}}},
      {{"train.patience", "train.retry_lower_rate", "train.calibrate_popularity",
        "train.blend_filter"},
       {{kSearched, kValidates}}},
      {{"train.blend_repeats", "train.blend_links"}, {{kVectors, kValidates}}},
      {{"train.validation_metric"}, {{kValidates}}},
      {{"train.refit"}, {{kFilters}, {kSearched, kValidates}}},

      {{"embeddings.formats", "embeddings.type"}, {{{"embeddings.out"}}}},
  };
  return uses;
}

bool names(std::string_view entry, std::string_view key) {
  return entry == key || (entry.ends_with('.') && key.starts_with(entry));
}

const Use* use_of(std::string_view key) {
  for (const Use& use : all_uses()) {
    if (std::any_of(use.keys.begin(), use.keys.end(),
                    [&](std::string_view entry) { return names(entry, key); }))
      return &use;
  }
  return nullptr;
}

/// A value as TOML without its quotes; nothing for an empty list.
std::string plain(std::string text) {
  if (text == "[]") return {};
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\''))
    return text.substr(1, text.size() - 2);
  return text;
}

std::string value_of(const Config& config, std::string_view key) {
  if (key == kMethod) {
    const graph::SplitMethod method =
        config.ingest.split_method.value_or(default_split(config.ingest));
    return plain(write_value(method));
  }
  for (const Setting& setting : all_settings()) {
    if (setting.key == key) return plain(setting.write(config));
  }
  PENCHANT_ASSERT(false);
  return {};
}

bool holds(const Config& config, const Condition& condition) {
  const std::string value = value_of(config, condition.key);
  if (condition.values.empty()) return !value.empty();
  const bool listed =
      std::find(condition.values.begin(), condition.values.end(), value) != condition.values.end();
  return listed != condition.none_of;
}

bool has_effect(const Config& config, const Use& use) {
  return std::any_of(use.ways.begin(), use.ways.end(), [&](const Conditions& way) {
    return std::all_of(way.begin(), way.end(),
                       [&](const Condition& condition) { return holds(config, condition); });
  });
}

std::string words_of(const Condition& condition) {
  if (condition.values.empty()) return std::string(condition.key);
  if (condition.values == Words{""}) return fmt::format("an empty {}", condition.key);
  std::string values;
  for (std::size_t i = 0; i < condition.values.size(); ++i) {
    const bool last = i + 1 == condition.values.size();
    values += (i == 0 ? "" : last ? " or " : ", ") + std::string(condition.values[i]);
  }
  return fmt::format("{} {}{}", condition.key, condition.none_of ? "other than " : "", values);
}

std::string words_of(const Use& use) {
  std::vector<std::string> ways;
  for (const Conditions& way : use.ways) {
    std::vector<std::string> conditions;
    for (const Condition& condition : way) conditions.push_back(words_of(condition));
    ways.push_back(fmt::format("{}", fmt::join(conditions, " and ")));
  }
  return fmt::format("{}", fmt::join(ways, ", or with "));
}

/// What stands in the way: "data.format is table".
std::string obstacles(const Config& config, const Use& use) {
  std::vector<std::string> found;
  for (const Conditions& way : use.ways) {
    for (const Condition& condition : way) {
      if (holds(config, condition)) continue;
      const std::string value = value_of(config, condition.key);
      const std::string text =
          fmt::format("{} is {}", condition.key, value.empty() ? "not set" : value);
      if (std::find(found.begin(), found.end(), text) == found.end()) found.push_back(text);
    }
  }
  return fmt::format("{}", fmt::join(found, ", "));
}

bool reads(const VerbSettings& verb, std::string_view key) {
  const auto names_key = [&](std::string_view entry) { return names(entry, key); };
  return std::any_of(verb.prefixes.begin(), verb.prefixes.end(), names_key) &&
         std::none_of(verb.except.begin(), verb.except.end(), names_key);
}

/// The configuration as the readers will see it: the roles that a RecBole header gives included.
Config resolved(const Config& config) {
  Config result = config;
  if (config.ingest.format != InputFormat::recbole) return result;
  result.ingest = recbole_as_table(config.ingest, silent_progress());
  result.ingest.format = InputFormat::recbole;
  return result;
}

bool has_default(const Config& config, const std::string& key) {
  Config defaults;
  defaults.train = recipe_of(config.train.model.kind);
  if (key == "data.event_weights")
    return config.ingest.event_weights == defaults.ingest.event_weights;
  for (const Setting& setting : all_settings()) {
    if (setting.key == key) return setting.write(config) == setting.write(defaults);
  }
  return false;  // data.attributes
}

const std::vector<VerbSettings>& all_verbs() {
  static const std::vector<VerbSettings> verbs = {
      {"ingest", {"data.", "run.threads"}, {}},
      {"append", {"run.threads"}, {}},
      {"forget", {"run.threads"}, {}},
      {"update", {"run."}, {}},
      {"pseudonym", {"run.threads"}, {}},
      {"replay",
       {"data.", "graph.", "partition.", "model.", "filter.", "train.", "evaluate.seen_items",
        "run."},
       {}},
      {"graph", {"graph.", "run.threads"}, {}},
      {"partition", {"graph.", "partition.", "run.threads"}, {}},
      {"train", {"graph.", "partition.", "model.", "filter.", "privacy.", "train.", "run."}, {}},
      {"evaluate", {"evaluate.", "run."}, {}},
      {"embed", {"embeddings.", "run."}, {}},
      {"apply", {"run.threads"}, {}},
      {"recommend", {"run.", "evaluate.seen_items", "evaluate.ranking"}, {}},
      {"similar", {"run."}, {}},
      {"audience", {"run."}, {}},
      {"tag", {"run."}, {}},
      {"compress", {"run."}, {}},
      {"score", {"run.", "evaluate.ranking"}, {}},
      {"explain", {"run.", "evaluate.ranking"}, {}},
      {"serve", {"run.", "evaluate.seen_items", "evaluate.ranking"}, {}},
      {"upgrade", {"run."}, {}},
      {"report", {"run.", "report.", "evaluate.seen_items", "evaluate.ranking"}, {}},
      {"info", {"run."}, {}},
      {"generate", {"run.threads"}, {}},
      {"ablate",
       {"graph.", "partition.", "model.", "train.", "evaluate.", "run."},
       {"model.out", "model.kind", "model.sequence", "model.graph", "model.item_graph"}},
      {"run",
       {"data.", "graph.", "partition.", "model.", "filter.", "train.", "evaluate.", "embeddings.",
        "run."},
       {}},
  };
  return verbs;
}

}  // namespace

const VerbSettings& settings_of(std::string_view verb) {
  for (const VerbSettings& known : all_verbs()) {
    if (known.verb == verb) return known;
  }
  throw std::out_of_range("no such verb");
}

void check_settings(std::span<const Config> configs, const VerbSettings& verb, Progress& progress) {
  const Config& config = configs.front();
  std::vector<Config> seen;
  for (const Config& each : configs)
    seen.push_back(reads(verb, "data.prefix") ? resolved(each) : each);
  std::vector<std::string> at_default;
  for (const auto& [key, given] : config.given) {
    if (!reads(verb, key)) {
      if (!given.on_command_line) continue;
      std::vector<std::string_view> readers;
      for (const VerbSettings& other : all_verbs()) {
        if (reads(other, key)) readers.push_back(other.verb);
      }
      throw InputError(fmt::format("{}: {} has no effect on {}; it is for {}", given.place, key,
                                   verb.verb, fmt::join(readers, ", ")));
    }
    const Use* use = use_of(key);
    const bool own_section = verb.verb == "partition" && key.starts_with("partition.");
    const bool own_output = verb.verb == "embed";  // where it writes may be said by --out
    if (use == nullptr || own_section || own_output) continue;
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const Config& each) { return has_effect(each, *use); }))
      continue;
    const std::string message =
        fmt::format("{}: {} has no effect: it goes with {}, and {}", given.place, key,
                    words_of(*use), obstacles(seen.front(), *use));
    const bool holds_default = has_default(config, key);
    if (given.on_command_line || (key.starts_with("data.") && !holds_default))
      throw InputError(message);
    if (holds_default)
      at_default.push_back(key);
    else
      progress.warn(message);
  }
  if (!at_default.empty()) {
    progress.warn(fmt::format("keys that are given their default and have no effect here: {}",
                              fmt::join(at_default, ", ")));
  }
}

void check_settings(const Config& config, std::string_view verb, Progress& progress) {
  check_settings(std::span(&config, 1), settings_of(verb), progress);
}

bool has_effect(const Config& config, std::string_view key) {
  const Use* use = use_of(key);
  return use == nullptr || has_effect(config, *use);
}

std::string goes_with(std::string_view key) {
  const Use* use = use_of(key);
  return use == nullptr ? std::string() : words_of(*use);
}

}  // namespace penchant::pipeline
