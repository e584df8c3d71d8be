// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numeric>
#include <sstream>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/auto_plan.h"
#include "pipeline/names.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// Where a value came from, for messages and for resolving paths.
struct Source {
  std::string place;  ///< "shop.toml:12:5" or "--set train.epochs=x"
  fs::path folder;    ///< paths are relative to it
};

[[noreturn]] void wrong_type(const Source& source, std::string_view key,
                             std::string_view expected) {
  throw InputError(fmt::format("{}: {}: expected {}", source.place, key, expected));
}

std::string expand_environment(std::string text, const Source& source) {
  std::size_t behind = 0;  // what a variable holds is not expanded again
  for (std::size_t first = text.find("${"); first != std::string::npos;
       first = text.find("${", behind)) {
    const std::size_t last = text.find('}', first);
    if (last == std::string::npos)
      throw InputError(fmt::format("{}: '${{' without '}}' in '{}'", source.place, text));
    const std::string inside = text.substr(first + 2, last - first - 2);
    const std::size_t colon = inside.find(":-");
    const char* value = std::getenv(inside.substr(0, colon).c_str());
    if ((value == nullptr || *value == '\0') && colon == std::string::npos) {
      throw InputError(fmt::format("{}: environment variable {} is not set", source.place, inside));
    }
    const std::string replacement =
        value != nullptr && *value != '\0' ? std::string(value) : inside.substr(colon + 2);
    text.replace(first, last - first + 1, replacement);
    behind = first + replacement.size();
  }
  return text;
}

// --- reading one value into one member: overloads by type ---

void read_value(const toml::node& node, bool& member, const Source& source, std::string_view key) {
  const auto value = node.value_exact<bool>();
  if (!value) wrong_type(source, key, "true or false");
  member = *value;
}
void read_value(const toml::node& node, std::int64_t& member, const Source& source,
                std::string_view key) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value) wrong_type(source, key, "a whole number");
  if (*value < 0) wrong_type(source, key, "a whole number that is not negative");
  member = *value;
}
void read_value(const toml::node& node, int& member, const Source& source, std::string_view key) {
  std::int64_t wide = 0;
  read_value(node, wide, source, key);
  if (wide > std::numeric_limits<int>::max()) wrong_type(source, key, "a smaller number");
  member = static_cast<int>(wide);
}
void read_value(const toml::node& node, graph::Seed& member, const Source& source,
                std::string_view key) {
  std::int64_t value = 0;
  read_value(node, value, source, key);
  member = static_cast<graph::Seed>(value);
}
void read_value(const toml::node& node, double& member, const Source& source,
                std::string_view key) {
  const auto value = node.value<double>();
  if (!value || !node.is_number()) wrong_type(source, key, "a number");
  member = *value;
}
void read_value(const toml::node& node, float& member, const Source& source, std::string_view key) {
  double wide = 0;
  read_value(node, wide, source, key);
  member = static_cast<float>(wide);
}
void read_value(const toml::node& node, std::string& member, const Source& source,
                std::string_view key) {
  const auto value = node.value_exact<std::string>();
  if (!value) wrong_type(source, key, "a string");
  member = expand_environment(*value, source);
}
void read_value(const toml::node& node, fs::path& member, const Source& source,
                std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = text.empty() ? fs::path() : (source.folder / text).lexically_normal();
}
void read_value(const toml::node& node, char& member, const Source& source, std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = parse_separator(text, fmt::format("{}: {}", source.place, key));
}
template <typename Enum>
requires std::is_enum_v<Enum>
void read_value(const toml::node& node, Enum& member, const Source& source, std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = parse_enum<Enum>(text, fmt::format("{}: {}", source.place, key));
}
template <typename T>
void read_value(const toml::node& node, std::vector<T>& member, const Source& source,
                std::string_view key) {
  member.clear();
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array)
      read_value(element, member.emplace_back(), source, key);
  } else {
    read_value(node, member.emplace_back(), source,
               key);  // a single value stands for a list of one
  }
}
void read_value(const toml::node& node, RowFilter& member, const Source& source,
                std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  try {
    member = parse_filter(text);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}: {}", source.place, key, error.what()));
  }
}
void read_value(const toml::node& node, Budget& member, const Source& source,
                std::string_view key) {
  const auto seconds = node.value_exact<std::int64_t>();
  std::string text = seconds ? std::to_string(*seconds) : "";
  if (!seconds) read_value(node, text, source, key);
  member = parse_budget(text, fmt::format("{}: {}", source.place, key));
}
/// "auto" leaves the choice to the program.
template <typename T>
void read_value(const toml::node& node, std::optional<T>& member, const Source& source,
                std::string_view key) {
  member.reset();
  if (node.value_exact<std::string>() == "auto") return;
  read_value(node, member.emplace(), source, key);
}

// --- writing one member as TOML: overloads by type ---

std::string toml_string(std::string_view text) {
  std::ostringstream out;
  out << toml::value<std::string>(std::string(text));
  return out.str();
}
std::string write_value(bool member) { return member ? "true" : "false"; }
std::string write_value(std::int64_t member) { return std::to_string(member); }
std::string write_value(int member) { return std::to_string(member); }
std::string write_value(graph::Seed member) {
  return std::to_string(static_cast<std::uint64_t>(member));
}
std::string write_value(double member) {
  std::string text = fmt::format("{}", member);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}
std::string write_value(float member) {
  std::string text = fmt::format("{}", member);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}
std::string write_value(const std::string& member) { return toml_string(member); }
std::string write_value(const fs::path& member) { return toml_string(member.string()); }
std::string write_value(Budget member) { return fmt::format("\"{}s\"", member.seconds); }
std::string write_value(char member) {
  return member == '\0' ? "\"auto\"" : toml_string(std::string(1, member));
}
template <typename Enum>
requires std::is_enum_v<Enum> std::string write_value(Enum member) {
  return toml_string(enum_name(member));
}
std::string write_value(const RowFilter& member) {
  return toml_string(
      fmt::format("{} {} {}", member.column, member.op, fmt::join(member.values, ",")));
}
template <typename T>
std::string write_value(const std::optional<T>& member) {
  return member ? write_value(*member) : "\"auto\"";
}
template <typename T>
std::string write_value(const std::vector<T>& member) {
  std::string text;
  for (const T& element : member) text += (text.empty() ? "" : ", ") + write_value(element);
  return "[" + text + "]";
}

/// One key: how to read it, how to write it, what it means.
struct Setting {
  std::string key;
  std::string help;
  std::function<void(Config&, const toml::node&, const Source&)> read;
  std::function<std::string(const Config&)> write;
};

template <typename Access>
Setting setting(std::string key, std::string help, Access access) {
  return {
      key, std::move(help),
      [key, access](Config& config, const toml::node& node, const Source& source) {
        read_value(node, access(config), source, key);
      },
      [access](const Config& config) { return write_value(access(const_cast<Config&>(config))); }};
}

#define PENCHANT_SETTING(key, member, help) \
  setting(                                  \
      key, help, [](Config & c) -> auto& { return c.member; })

TableSource& item_source(Config& config) {
  if (!config.ingest.item_table) config.ingest.item_table.emplace();
  return *config.ingest.item_table;
}

const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> settings = {
      PENCHANT_SETTING("data.out", data_out, "where ingest writes the data set"),
      PENCHANT_SETTING("data.format", ingest.format, "table, lightgcn, s3rec or recbole"),
      PENCHANT_SETTING("data.log", ingest.log.files,
                       "table: the log's files (CSV, TSV, gzip, zstd, Parquet)"),
      PENCHANT_SETTING("data.separator", ingest.log.separator,
                       "table: one character, \"tab\" or \"auto\""),
      PENCHANT_SETTING("data.header", ingest.log.header,
                       "table: first line names the columns; false: columns are \"1\", \"2\", ..."),
      PENCHANT_SETTING("data.time_format", ingest.time_format,
                       "auto, s, ms, iso8601 or a strptime pattern"),
      PENCHANT_SETTING("data.missing", ingest.missing,
                       "spellings of a missing value besides the empty field"),
      PENCHANT_SETTING(
          "data.filters", ingest.filters,
          "rows to keep, as \"column op value\"; op: == != < <= > >= in not_in prefix not_prefix"),
      PENCHANT_SETTING("data.repeats", ingest.repeats,
                       "repeated (user, item) rows: keep_all, keep_first, keep_last or sum"),
      PENCHANT_SETTING("data.min_user_count", ingest.min_user_count,
                       "k-core: fewest rows of a user"),
      PENCHANT_SETTING("data.min_item_count", ingest.min_item_count,
                       "k-core: fewest rows of an item"),
      PENCHANT_SETTING("data.max_user_count", ingest.max_user_count,
                       "keep only a user's latest rows; 0: all"),
      PENCHANT_SETTING("data.strict", ingest.strict,
                       "a malformed row is an error instead of being counted"),
      PENCHANT_SETTING("data.train", ingest.train_file, "lightgcn: training file"),
      PENCHANT_SETTING("data.test", ingest.test_file, "lightgcn: test file"),
      PENCHANT_SETTING("data.sequences", ingest.sequences_file, "s3rec: sequence file"),
      PENCHANT_SETTING("data.attributes_file", ingest.attributes_file, "s3rec: attribute JSON"),
      PENCHANT_SETTING("data.prefix", ingest.prefix,
                       "recbole: PREFIX of PREFIX.inter and PREFIX.item"),
      PENCHANT_SETTING("data.columns.user", ingest.columns.user, "column of the user id"),
      PENCHANT_SETTING("data.columns.item", ingest.columns.item, "column of the item id"),
      PENCHANT_SETTING("data.columns.time", ingest.columns.time, "column of the time; empty: none"),
      PENCHANT_SETTING("data.columns.event", ingest.columns.event,
                       "column of the event type; empty: none"),
      PENCHANT_SETTING("data.columns.weight", ingest.columns.weight,
                       "column of a weight above 0; empty: none"),
      PENCHANT_SETTING("data.columns.session", ingest.columns.session,
                       "column of the session or basket; empty: none"),
      {"data.items.table", "item table's files",
       [](Config& c, const toml::node& node, const Source& source) {
         read_value(node, item_source(c).files, source, "data.items.table");
       },
       [](const Config& c) {
         return write_value(c.ingest.item_table ? c.ingest.item_table->files
                                                : std::vector<fs::path>{});
       }},
      {"data.items.separator", "item table: one character, \"tab\" or \"auto\"",
       [](Config& c, const toml::node& node, const Source& source) {
         read_value(node, item_source(c).separator, source, "data.items.separator");
       },
       [](const Config& c) {
         return write_value(c.ingest.item_table ? c.ingest.item_table->separator : '\0');
       }},
      PENCHANT_SETTING("data.items.key", ingest.item_column,
                       "item table: column of the item id; empty: as in the log"),
      PENCHANT_SETTING("data.split.method", ingest.split_method,
                       "auto, given, global_time, leave_one_out or random_per_user"),
      PENCHANT_SETTING("data.split.validation_fraction", ingest.validation_fraction,
                       "of the rows left after test is taken"),
      PENCHANT_SETTING("data.split.test_fraction", ingest.test_fraction,
                       "of all rows (not for given and leave_one_out)"),
      PENCHANT_SETTING("data.split.seed", ingest.seed, "seed of random splits"),
      PENCHANT_SETTING("graph.user_item_weight", graph.user_item.weight,
                       "weight of an edge: ones, sum, log_sum or maximum of its rows"),
      PENCHANT_SETTING("graph.cooccurrence", graph.item.cooccurrence,
                       "link items that occur together (needs times or sessions)"),
      PENCHANT_SETTING("graph.cooccurrence_scope", graph.item.cooccurrence_options.scope,
                       "together in a session, or in a window of a user's events"),
      PENCHANT_SETTING("graph.cooccurrence_weighting", graph.item.cooccurrence_options.weight,
                       "raw, cosine or pmi"),
      PENCHANT_SETTING("graph.window", graph.item.cooccurrence_options.window,
                       "largest distance of two events in a window"),
      PENCHANT_SETTING("graph.top_k", graph.item.cooccurrence_options.top_k,
                       "neighbours kept per item"),
      PENCHANT_SETTING("graph.max_basket", graph.item.cooccurrence_options.max_basket,
                       "larger sessions are cut into pieces of this size"),
      PENCHANT_SETTING("graph.cooccurrence_weight", graph.item.cooccurrence_weight,
                       "weight of the relation in propagation"),
      PENCHANT_SETTING("graph.use_attributes", graph.item.all_attributes,
                       "link items through shared attribute values"),
      PENCHANT_SETTING("graph.attributes", graph.item.attributes,
                       "attributes to use; empty: every categorical and list attribute"),
      PENCHANT_SETTING("graph.attribute_weight", graph.item.attribute_weight,
                       "weight of each attribute relation in propagation"),
      PENCHANT_SETTING("graph.max_value_share", graph.item.max_value_share,
                       "values carried by a larger share of the items get no hub"),
      PENCHANT_SETTING("partition.parts", partition.num_parts, "number of parts"),
      PENCHANT_SETTING("partition.method", partition.method, "metis, range, hash or random"),
      PENCHANT_SETTING("partition.imbalance", partition.imbalance,
                       "largest part over the average, allowed"),
      PENCHANT_SETTING("partition.seed", partition.seed, "seed of the partitioner"),
      PENCHANT_SETTING("model.out", model_out, "where train writes the model"),
      PENCHANT_SETTING(
          "model.kind", train.model.kind,
          "lightgcn, gcn, node_weighted, graph_filter, interest, or auto: filter, trained "
          "vectors or both, chosen on the validation part"),
      PENCHANT_SETTING("model.embedding_dim", train.model.embedding_dim, "width of the embeddings"),
      PENCHANT_SETTING("model.num_layers", train.model.num_layers, "propagation layers"),
      PENCHANT_SETTING("model.activation", train.model.activation,
                       "gcn, node_weighted: identity, relu, leaky_relu, sigmoid or tanh"),
      PENCHANT_SETTING("model.loss", train.model.loss, "sampled_softmax or bpr"),
      PENCHANT_SETTING("model.temperature", train.model.temperature,
                       "sampled_softmax: divisor of the scores"),
      PENCHANT_SETTING("model.normalize", train.model.normalize,
                       "scores are cosines; embeddings have length 1"),
      PENCHANT_SETTING(
          "model.own_share", train.model.own_share,
          "lightgcn: weight of a node's own embedding among the layers'; the paper's is 1"),
      PENCHANT_SETTING("model.sequence", train.model.interest.sequence,
                       "interest: encoder of a user's events: lstm, rnn, cnn or none"),
      PENCHANT_SETTING("model.hidden_dim", train.model.interest.hidden_dim,
                       "interest: width of the sequence encoder"),
      PENCHANT_SETTING("model.sequence_layers", train.model.interest.sequence_layers,
                       "interest: layers of the lstm or rnn"),
      PENCHANT_SETTING("model.cnn_widths", train.model.interest.cnn_widths,
                       "interest: events that the cnn's filters see"),
      PENCHANT_SETTING("model.max_length", train.model.interest.max_length,
                       "interest: latest events of a user that are looked at"),
      PENCHANT_SETTING("model.graph", train.model.interest.graph,
                       "interest: fuse the user's graph embedding with the sequence's"),
      PENCHANT_SETTING("model.item_graph", train.model.interest.item_graph,
                       "interest: propagate item vectors over the item graph"),
      PENCHANT_SETTING(
          "model.history_decay", train.model.interest.history_decay,
          "interest: weight of an event in the user's graph embedding, per later event"),
      PENCHANT_SETTING("model.dropout", train.model.interest.dropout,
                       "interest: share of inputs and hidden values dropped in training"),
      PENCHANT_SETTING("model.mlp_dims", train.model.interest.mlp_dims,
                       "interest: hidden widths of the fusion's perceptron"),
      PENCHANT_SETTING("model.layer_norm", train.model.interest.layer_norm,
                       "interest: layer normalisation in hidden layers"),
      PENCHANT_SETTING("model.ranking_head", train.model.interest.ranking_head,
                       "interest: learn P(interest | user, item) as well"),
      PENCHANT_SETTING("model.ranking_target", train.model.interest.ranking_target,
                       "interest: what the ranking head learns: interest, or rating (the weight of "
                       "an event)"),
      PENCHANT_SETTING("model.ranking_weight", train.model.interest.ranking_weight,
                       "interest: weight of the ranking head's loss"),
      PENCHANT_SETTING("model.initializer", train.model.initializer,
                       "spectral (smoothest signals of the graph) or normal"),
      PENCHANT_SETTING("model.initial_scale", train.model.initial_scale,
                       "standard deviation of the initial embeddings"),
      PENCHANT_SETTING(
          "filter.kind", train.filter.kind,
          "graph_filter: linear, gfcf, chebycf, bspm, or auto; auto, here and below, is "
          "chosen on the validation part"),
      PENCHANT_SETTING("filter.power", train.filter.power,
                       "power of item degrees around the filter, 0 to 1, or auto"),
      PENCHANT_SETTING("filter.rank", train.filter.rank,
                       "singular vectors of the low pass, or auto; linear has none, but "
                       "model.embedding_dim of them for its vectors"),
      PENCHANT_SETTING("filter.low_pass", train.filter.low_pass,
                       "weight of the low pass beside the polynomial, or auto"),
      PENCHANT_SETTING("filter.order", train.filter.order,
                       "chebycf: degree of the polynomial, or auto"),
      PENCHANT_SETTING("filter.flatness", train.filter.flatness,
                       "chebycf: flatness of the plateau, or auto"),
      PENCHANT_SETTING("filter.sharpening", train.filter.sharpening,
                       "bspm: time of the sharpening, or auto"),
      PENCHANT_SETTING("filter.sharpening_steps", train.filter.sharpening_steps,
                       "bspm: Runge-Kutta steps in that time"),
      PENCHANT_SETTING("filter.selection_users", train.filter.selection_users,
                       "users of the validation part that choices are made on; 0: all"),
      PENCHANT_SETTING("train.budget", train.budget,
                       "model.kind auto: time to plan for, such as 90s, 5m or 1h"),
      PENCHANT_SETTING("train.epochs", train.epochs, "passes over the training rows, at most"),
      PENCHANT_SETTING("train.batch_size", train.batch_size,
                       "positive pairs a step; 0: by the size of the data, 512 to 8192"),
      PENCHANT_SETTING("train.num_negatives", train.num_negatives,
                       "sampled_softmax: negatives shared by a batch"),
      PENCHANT_SETTING("train.negative_power", train.negative_power,
                       "negatives are drawn with probability ~ count ^ power"),
      PENCHANT_SETTING(
          "train.negative_correction", train.negative_correction,
          "sampled_softmax: share of the log-q correction, 0 to 1; 1 undoes negative_power"),
      PENCHANT_SETTING("train.learning_rate", train.learning_rate, "peak rate of Adam"),
      PENCHANT_SETTING("train.cosine_decay", train.cosine_decay,
                       "rate falls to 0 over the epochs along a cosine"),
      PENCHANT_SETTING("train.l2", train.l2, "L2 regularisation of all parameters"),
      PENCHANT_SETTING("train.validate_every", train.validate_every,
                       "epochs between validations; 0: never"),
      PENCHANT_SETTING("train.patience", train.patience,
                       "validations without improvement before stopping; 0: never stop early"),
      PENCHANT_SETTING("train.retry_lower_rate", train.retry_lower_rate,
                       "where validation is best in the first epochs: train again at a quarter of "
                       "the rate, twice at most, and take the best"),
      PENCHANT_SETTING("train.validation_metric", train.validation_metric,
                       "what validation maximises"),
      PENCHANT_SETTING("train.calibrate_popularity", train.calibrate_popularity,
                       "let validation choose a weight of log popularity in the scores"),
      PENCHANT_SETTING("train.blend_repeats", train.blend_repeats,
                       "where the data repeats: let validation choose what a user did with an item "
                       "before as a term of these scores"),
      PENCHANT_SETTING("train.blend_filter", train.blend_filter,
                       "let validation choose a linear filter and its weight beside the vectors in "
                       "the scores of evaluate and recommend"),
      PENCHANT_SETTING("train.refit", train.refit,
                       "train again on train + validation for the chosen number of epochs"),
      PENCHANT_SETTING("train.checkpoint_every", train.checkpoint_every,
                       "epochs between checkpoints"),
      PENCHANT_SETTING("train.stop_after_steps", train.stop_after_steps,
                       "for tests: stop as if interrupted; 0: off"),
      PENCHANT_SETTING("train.node_order", train.node_order,
                       "order of nodes in memory: none, degree or metis"),
      PENCHANT_SETTING("train.seed", train.seed, "seed of initial values and sampling"),
      PENCHANT_SETTING("evaluate.cutoffs", evaluate.cutoffs, "cut-offs K of the ranking metrics"),
      PENCHANT_SETTING(
          "evaluate.seen_items", evaluate.seen_items,
          "items a user already has: mask, keep, or auto (keep where held-out rows repeat some)"),
      PENCHANT_SETTING("evaluate.vectors_alone", evaluate.vectors_alone,
                       "rank by what embed exports, without the filter of train.blend_filter"),
      PENCHANT_SETTING("evaluate.rank_metrics", evaluate.rank_metrics,
                       "AUC, MRR and mean rank, a second pass over all scores"),
      PENCHANT_SETTING("embeddings.out", embeddings_out, "where embed writes"),
      PENCHANT_SETTING("embeddings.formats", embed_formats, "npy, parquet or both"),
      PENCHANT_SETTING("embeddings.type", embed.type, "float32 or float16"),
      PENCHANT_SETTING("run.device", backend.device, "auto, cpu or cuda"),
      PENCHANT_SETTING("run.threads", backend.num_threads, "0: all cores"),
  };
  return settings;
}

#undef PENCHANT_SETTING

const Setting* find_setting(std::string_view key) {
  for (const Setting& known : all_settings()) {
    if (known.key == key) return &known;
  }
  return nullptr;
}

[[noreturn]] void unknown_key(const Source& source, const std::string& key,
                              const std::vector<std::string>& known) {
  const std::string near = nearest(key, known);
  throw InputError(fmt::format("{}: unknown key '{}'{}", source.place, key,
                               near.empty() ? "; `penchant config show` lists all keys"
                                            : fmt::format("; did you mean '{}'?", near)));
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys = {"data.event_weights", "data.attributes"};
  for (const Setting& known : all_settings()) keys.push_back(known.key);
  return keys;
}

AttributeColumn read_attribute_table(const toml::table& table, const Source& source) {
  AttributeColumn attribute;
  const std::vector<std::string> known = {"column", "name", "kind", "separator", "path_separator"};
  for (const auto& [name, node] : table) {
    const std::string key(name.str());
    const Source place{
        fmt::format("{}:{}:{}", source.place, node.source().begin.line, node.source().begin.column),
        source.folder};
    const std::string full = "data.attributes." + key;
    if (key == "column")
      read_value(node, attribute.column, place, full);
    else if (key == "name")
      read_value(node, attribute.name, place, full);
    else if (key == "kind")
      read_value(node, attribute.kind, place, full);
    else if (key == "separator")
      read_value(node, attribute.separator, place, full);
    else if (key == "path_separator")
      read_value(node, attribute.path_separator, place, full);
    else
      unknown_key(place, key, known);
  }
  if (attribute.column.empty())
    throw InputError(fmt::format("{}: an entry of data.attributes has no 'column'", source.place));
  return attribute;
}

/// Walks the tables of a file; leaves are settings.
void apply_table(Config& config, const toml::table& table, const std::string& prefix,
                 const Source& file) {
  for (const auto& [name, node] : table) {
    const std::string key =
        prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
    const Source source{
        fmt::format("{}:{}:{}", file.place, node.source().begin.line, node.source().begin.column),
        file.folder};
    if (key == "data.event_weights") {
      const toml::table* weights = node.as_table();
      if (weights == nullptr) wrong_type(source, key, "a table of event = weight");
      config.ingest.event_weights.clear();
      std::vector<std::pair<toml::source_position, std::string>>
          events;  // in the order of the file; toml++ sorts keys
      for (const auto& [event, weight] : *weights)
        events.emplace_back(weight.source().begin, std::string(event.str()));
      std::stable_sort(events.begin(), events.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      for (const auto& [position, event] : events) {
        double value = 0;
        read_value(*weights->get(event), value, source, key);
        config.ingest.event_weights.emplace_back(event, value);
      }
    } else if (key == "data.attributes") {
      const toml::array* entries = node.as_array();
      if (entries == nullptr || !entries->is_array_of_tables())
        wrong_type(source, key, "[[data.attributes]] tables");
      config.ingest.attributes.clear();
      for (const toml::node& entry : *entries)
        config.ingest.attributes.push_back(read_attribute_table(*entry.as_table(), file));
    } else if (const Setting* known = find_setting(key)) {
      known->read(config, node, source);
      config.given.insert(key);
    } else if (const toml::table* inner = node.as_table()) {
      const std::vector<std::string> keys = known_keys();
      if (std::none_of(keys.begin(), keys.end(),
                       [&](const std::string& k) { return k.starts_with(key + "."); })) {
        std::vector<std::string> sections;
        for (const std::string& k : keys) sections.push_back(k.substr(0, k.rfind('.')));
        unknown_key(source, key, sections);
      }
      apply_table(config, *inner, key, file);
    } else {
      unknown_key(source, key, known_keys());
    }
  }
}

/// Keys that were not given get the defaults of the model's kind, if those of another are in force.
void apply_kind_defaults(Config& config) {
  const models::ModelKind kind = config.train.model.kind;
  if (kind == config.defaults_of) return;
  Config defaults;
  defaults.train = default_recipe(kind);
  for (const Setting& known : all_settings()) {
    if (config.given.contains(known.key)) continue;
    if (!known.key.starts_with("model.") && !known.key.starts_with("train.")) continue;
    if (known.key == "model.out") continue;
    const toml::table table = toml::parse("value = " + known.write(defaults));
    known.read(config, *table.get("value"), {"defaults", {}});
  }
  config.defaults_of = kind;
}

void finish(Config& config, const std::string& place) {
  apply_kind_defaults(config);
  config.embed.npy = config.embed.parquet = false;
  for (const std::string& format : config.embed_formats) {
    if (format == "npy")
      config.embed.npy = true;
    else if (format == "parquet")
      config.embed.parquet = true;
    else
      throw InputError(
          fmt::format("{}: embeddings.formats: '{}', expected npy or parquet", place, format));
  }
}

}  // namespace

Config read_config(const fs::path& path) {
  if (!fs::exists(path)) throw InputError(fmt::format("{}: no such file", path.string()));
  Config config;
  try {
    const toml::table table = toml::parse_file(path.string());
    apply_table(config, table, "", {path.string(), path.parent_path()});
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}:{}: not valid TOML: {}", path.string(),
                                 error.source().begin.line, error.source().begin.column,
                                 error.description()));
  }
  finish(config, path.string());
  return config;
}

void apply_setting(Config& config, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  const Source source{fmt::format("--set {}", assignment), {}};
  if (equals == std::string_view::npos)
    throw InputError(fmt::format("{}: expected key=value", source.place));
  std::string key(assignment.substr(0, equals));
  if (key == "model") key = "model.kind";
  const std::string text(assignment.substr(equals + 1));
  const Setting* known = find_setting(key);
  if (known == nullptr) unknown_key(source, key, known_keys());
  toml::table table;
  try {
    table = toml::parse("value = " + text);
  } catch (const toml::parse_error&) {
    table.insert_or_assign("value", text);  // a bare word is a string
  }
  known->read(config, *table.get("value"), source);
  config.given.insert(key);
  finish(config, source.place);
}

std::string effective_toml(const Config& config) {
  std::string text;
  std::string section;
  for (const Setting& known : all_settings()) {
    const std::size_t dot = known.key.rfind('.');
    if (known.key.substr(0, dot) != section) {
      section = known.key.substr(0, dot);
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section);
    }
    text +=
        fmt::format("{} = {}  # {}\n", known.key.substr(dot + 1), known.write(config), known.help);
  }
  text += "\n[data.event_weights]\n";
  for (const auto& [event, weight] : config.ingest.event_weights)
    text += fmt::format("{} = {}\n", toml_string(event), write_value(weight));
  for (const AttributeColumn& attribute : config.ingest.attributes) {
    text += fmt::format(
        "\n[[data.attributes]]\ncolumn = {}\nname = {}\nkind = {}\nseparator = {}\npath_separator "
        "= {}\n",
        toml_string(attribute.column), toml_string(attribute.name),
        toml_string(enum_name(attribute.kind)), toml_string(attribute.separator),
        toml_string(attribute.path_separator));
  }
  return text;
}

std::string settings_json(const Config& config, const std::vector<std::string>& prefixes) {
  nlohmann::json settings;
  const auto wanted = [&](const std::string& key) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) { return key.starts_with(prefix); });
  };
  for (const Setting& known : all_settings()) {
    if (wanted(known.key)) settings[known.key] = known.write(config);
  }
  if (wanted("data.event_weights")) settings["data.event_weights"] = config.ingest.event_weights;
  if (wanted("data.attributes")) {
    for (const AttributeColumn& a : config.ingest.attributes) {
      settings["data.attributes"].push_back(
          {a.column, a.name, enum_name(a.kind), a.separator, a.path_separator});
    }
  }
  return settings.dump();
}

std::string configuration_markdown() {
  const Config defaults;
  std::string text = "| key | default | meaning |\n| --- | --- | --- |\n";
  for (const Setting& known : all_settings()) {
    std::string help = known.help;
    text += fmt::format("| `{}` | `{}` | {} |\n", known.key, known.write(defaults), help);
  }
  text +=
      "| `data.event_weights` | `view = 1, cart = 2, purchase = 4` | weight of each event type; "
      "other types are rejected |\n";
  text +=
      "| `[[data.attributes]]` | none | `column`, `name`, `kind` (categorical, list, numeric, "
      "text), `separator` and `path_separator` of lists |\n";
  text += "\n`model.kind = \"interest\"` has other defaults where these suit sequences better:";
  Config interest;
  interest.train = default_recipe(models::ModelKind::interest);
  for (const Setting& known : all_settings()) {
    if (known.key != "model.kind" && known.write(interest) != known.write(defaults))
      text += fmt::format(" `{} = {}`", known.key, known.write(interest));
  }
  text += ".\n";
  return text;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    // Levenshtein distance, one row at a time.
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= candidate.size(); ++j) {
        const std::size_t substitution = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

char parse_separator(std::string_view text, std::string_view key) {
  if (text.empty() || text == "auto") return '\0';
  if (text == "tab" || text == "\\t") return '\t';
  if (text.size() != 1)
    throw InputError(fmt::format("{} is '{}', expected one character, tab or auto", key, text));
  return text.front();
}

RowFilter parse_filter(std::string_view text) {
  RowFilter filter;
  for (const std::string_view op : {" == ", " != ", " <= ", " >= ", " < ", " > ", " not_in ",
                                    " in ", " not_prefix ", " prefix "}) {
    const std::size_t place = text.find(op);
    if (place == std::string_view::npos || place == 0) continue;
    filter.column = text.substr(0, place);
    filter.op = op.substr(1, op.size() - 2);
    std::string_view rest = text.substr(place + op.size());
    const bool list = filter.op == "in" || filter.op == "not_in" || filter.op == "prefix" ||
                      filter.op == "not_prefix";
    while (list && rest.find(',') != std::string_view::npos) {
      filter.values.emplace_back(rest.substr(0, rest.find(',')));
      rest.remove_prefix(rest.find(',') + 1);
    }
    filter.values.emplace_back(rest);
    return filter;
  }
  throw InputError(
      fmt::format("filter '{}': expected 'column op value' with op one of ==, !=, <, <=, >, >=, "
                  "in, not_in, prefix, not_prefix",
                  text));
}

}  // namespace penchant::pipeline
