// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/config.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <type_traits>

#include <fmt/core.h>
#include <toml++/toml.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/config/config_settings.h"
#include "pipeline/config/setting_uses.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMostConfigBytes = std::uint64_t{16} << 20;

const Setting* find_setting(std::string_view key) {
  for (const Setting& known : all_settings()) {
    if (known.key == key) return &known;
  }
  return nullptr;
}

[[noreturn]] void unknown_key(const Source& source, const std::string& key,
                              const std::vector<std::string>& known) {
  // Earlier programs wrote it into the config.toml of their models.
  if (key == "train.stop_after_steps")
    throw InputError(fmt::format("{}: key '{}' is gone; leave it out", source.place, key));
  const std::string near =
      key == "evaluate.vectors_alone" ? "evaluate.ranking" : nearest(key, known);  // renamed
  throw InputError(fmt::format("{}: unknown key '{}'{}", source.place, printable(key),
                               near.empty() ? "; `penchant config show` lists all keys"
                                            : fmt::format("; did you mean '{}'?", near)));
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys = {"data.event_weights", "data.attributes", "data.relations"};
  for (const Setting& known : all_settings()) keys.push_back(known.key);
  return keys;
}

/// Numbers of a value against what the key may be; what is no number is left to read_value.
void check_node(const toml::node& node, std::string_view key, const Source& source) {
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array) check_node(element, key, source);
  } else if (const auto whole = node.value_exact<std::int64_t>()) {
    check_bounds(key, *whole, source.place);
  } else if (const auto real = node.value_exact<double>()) {
    check_bounds(key, *real, source.place);
  }
}

/// A string with its variables as it would stand in a file of the working folder.
std::string written_string(const std::string& text, bool is_path, const Source& source) {
  if (!is_path || source.folder.empty()) return toml_string(text);
  const bool absolute = fs::path(expand_environment(text, source.place)).is_absolute();
  // Not made normal: a default such as ${DATA:-../data} would lose its dots.
  return toml_string(absolute ? text : (source.folder / text).string());
}

/// Keeps what is written where a value names variables, in place of what they hold.
void keep_variables(Config& config, const std::string& key, const toml::node& node, bool is_path,
                    const Source& source) {
  config.written.erase(key);
  std::vector<std::string> texts;
  const auto add = [&](const toml::node& element) {
    if (const auto text = element.value_exact<std::string>()) texts.push_back(*text);
  };
  const toml::array* array = node.as_array();
  if (array != nullptr)
    for (const toml::node& element : *array) add(element);
  else
    add(node);
  if (std::none_of(texts.begin(), texts.end(), names_variable)) return;
  std::string all;
  for (const std::string& text : texts)
    all += (all.empty() ? "" : ", ") + written_string(text, is_path, source);
  config.written[key] = array != nullptr ? "[" + all + "]" : all;
}

void read_setting(Config& config, const Setting& setting, const toml::node& node,
                  const Source& source) {
  check_node(node, setting.key, source);
  setting.read(config, node, source);
  keep_variables(config, setting.key, node, setting.is_path, source);
}

std::string attribute_key(std::size_t index, std::string_view field) {
  return fmt::format("data.attributes.{}.{}", index, field);
}

/// What is stored of a value whose TOML is `value`.
const std::string& stored_text(const Config& config, const std::string& key,
                               const std::string& value) {
  const auto found = config.written.find(key);
  return found == config.written.end() ? value : found->second;
}

/// The same where a change of a variable must show.
std::string stored_with_hash(const Config& config, const std::string& key,
                             const std::string& value) {
  const auto found = config.written.find(key);
  return found == config.written.end()
             ? value
             : fmt::format("{} (hash {})", found->second, hash_bytes(value));
}

/// A path is a list of its prefixes, whether its kind is said or not.
void become_path(AttributeColumn& attribute, const toml::table& table, const Source& source) {
  if (attribute.kind == graph::AttributeKind::numeric ||
      attribute.kind == graph::AttributeKind::text) {
    const toml::source_position& at = table.get("path_separator")->source().begin;
    throw InputError(fmt::format(
        "{}:{}:{}: data.attributes.path_separator is given for column '{}' of kind {}, expected "
        "kind categorical or list",
        source.place, at.line, at.column, attribute.column, enum_name(attribute.kind)));
  }
  attribute.kind = graph::AttributeKind::list;
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
    else if (key == "kind") {
      read_value(node, attribute.kind, place, full);
      attribute.kind_given = true;
    } else if (key == "separator")
      read_value(node, attribute.separator, place, full);
    else if (key == "path_separator")
      read_value(node, attribute.path_separator, place, full);
    else
      unknown_key(place, key, known);
  }
  if (attribute.column.empty())
    throw InputError(fmt::format("{}: an entry of data.attributes has no 'column'", source.place));
  if (!attribute.path_separator.empty()) become_path(attribute, table, source);
  return attribute;
}

std::string link_key(std::size_t index, std::string_view field) {
  return fmt::format("data.relations.{}.{}", index, field);
}

LinkTable read_link_entry(const toml::table& table, const Source& source) {
  LinkTable links;
  for (const auto& [name, node] : table) {
    const std::string key(name.str());
    const Source place{
        fmt::format("{}:{}:{}", source.place, node.source().begin.line, node.source().begin.column),
        source.folder};
    const std::string full = "data.relations." + key;
    TableReadOptions& text = links.source.text;
    if (key == "name")
      read_value(node, links.name, place, full);
    else if (key == "table")
      read_value(node, links.source.files, place, full);
    else if (key == "from")
      read_value(node, links.from, place, full);
    else if (key == "to")
      read_value(node, links.to, place, full);
    else if (key == "weight")
      read_value(node, links.weight, place, full);
    else if (key == "directed")
      read_value(node, links.directed, place, full);
    else if (key == "separator")
      read_value(node, text.separator, place, full);
    else if (key == "quote")
      read_value(node, text.quote, place, full);
    else if (key == "escape")
      read_value(node, text.escape, place, full);
    else if (key == "encoding")
      read_value(node, text.encoding, place, full);
    else if (key == "header")
      read_value(node, text.header, place, full);
    else
      unknown_key(place, key,
                  {"name", "table", "from", "to", "weight", "directed", "separator", "quote",
                   "escape", "encoding", "header"});
  }
  return links;
}

/// As attribute_fields; what is not a string is TOML already.
std::vector<std::pair<std::string, std::string>> link_fields(const LinkTable& links) {
  const TableReadOptions& text = links.source.text;
  return {{"name", write_value(links.name)},          {"table", write_value(links.source.files)},
          {"from", write_value(links.from)},          {"to", write_value(links.to)},
          {"weight", write_value(links.weight)},      {"directed", write_value(links.directed)},
          {"separator", write_value(text.separator)}, {"quote", write_value(text.quote)},
          {"escape", write_value(text.escape)},       {"encoding", write_value(text.encoding)},
          {"header", write_value(text.header)}};
}

std::string vectors_key(std::size_t index, std::string_view field) {
  return fmt::format("data.items.vectors.{}.{}", index, field);
}

/// Whether the field of an entry of data.items.vectors is a path.
bool is_file(std::string_view field) { return field == "file" || field == "ids"; }

VectorSource read_vectors_entry(const toml::table& table, const Source& source) {
  VectorSource vectors;
  const std::map<std::string, std::function<void(const toml::node&, const Source&)>> fields = [&] {
    std::map<std::string, std::function<void(const toml::node&, const Source&)>> all;
    const auto add = [&](const std::string& key, auto& value) {
      all[key] = [key, &value](const toml::node& node, const Source& place) {
        read_value(node, value, place, "data.items.vectors." + key);
      };
    };
    add("name", vectors.name);
    add("file", vectors.file);
    add("ids", vectors.ids);
    add("tensor", vectors.tensor);
    add("id_column", vectors.id_column);
    add("vector_column", vectors.vector_column);
    add("text", vectors.text);
    return all;
  }();
  std::vector<std::string> known;
  for (const auto& [key, read] : fields) known.push_back(key);
  for (const auto& [name, node] : table) {
    const std::string key(name.str());
    const Source place{
        fmt::format("{}:{}:{}", source.place, node.source().begin.line, node.source().begin.column),
        source.folder};
    const auto field = fields.find(key);
    if (field == fields.end()) unknown_key(place, key, known);
    field->second(node, place);
  }
  return vectors;
}

/// As link_fields.
std::vector<std::pair<std::string, std::string>> vectors_fields(const VectorSource& vectors) {
  return {{"name", write_value(vectors.name)},
          {"file", write_value(vectors.file)},
          {"ids", write_value(vectors.ids)},
          {"tensor", write_value(vectors.tensor)},
          {"id_column", write_value(vectors.id_column)},
          {"vector_column", write_value(vectors.vector_column)},
          {"text", write_value(vectors.text)}};
}

/// The fields of an entry of data.attributes, in the order in which they are written.
std::vector<std::pair<std::string, std::string>> attribute_fields(const AttributeColumn& a) {
  return {{"column", a.column},
          {"name", a.name},
          {"kind", std::string(enum_name(a.kind))},
          {"separator", a.separator},
          {"path_separator", a.path_separator}};
}

/// How the tables of an array become its entries.
template <typename Entry>
struct EntryKind {
  Entry (*read)(const toml::table&, const Source&);
  std::string (*key)(std::size_t index, std::string_view field);
  bool (*is_path)(std::string_view field);
};

template <typename Entry>
void read_entries(Config& config, const std::string& key, const toml::node& node,
                  const Source& source, const Source& file, std::vector<Entry>& entries,
                  std::type_identity_t<EntryKind<Entry>> kind) {
  const toml::array* tables = node.as_array();
  if (tables == nullptr || !tables->is_array_of_tables())
    wrong_type(source, key, fmt::format("[[{}]] tables", key));
  config.given[key] = {source.place, false};
  entries.clear();
  for (const toml::node& table : *tables) {
    const toml::table& fields = *table.as_table();
    const std::size_t index = entries.size();
    entries.push_back(kind.read(fields, file));
    for (const auto& [field, value] : fields)
      keep_variables(config, kind.key(index, field.str()), value, kind.is_path(field.str()), file);
  }
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
      config.given[key] = {source.place, false};
      config.ingest.event_weights.clear();
      std::vector<std::pair<toml::source_position, std::string>>
          events;  // in the order of the file; toml++ sorts keys
      for (const auto& [event, weight] : *weights)
        events.emplace_back(weight.source().begin, std::string(event.str()));
      std::stable_sort(events.begin(), events.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      for (const auto& [position, event] : events) {
        double value = 0;
        check_node(*weights->get(event), key, source);
        read_value(*weights->get(event), value, source, key);
        config.ingest.event_weights.emplace_back(event, value);
      }
    } else if (key == "data.attributes") {
      read_entries(config, key, node, source, file, config.ingest.attributes,
                   {read_attribute_table, attribute_key, [](std::string_view) { return false; }});
    } else if (key == "data.relations") {
      read_entries(
          config, key, node, source, file, config.ingest.links,
          {read_link_entry, link_key, [](std::string_view field) { return field == "table"; }});
    } else if (key == "data.items.vectors") {
      read_entries(config, key, node, source, file, config.ingest.vectors,
                   {read_vectors_entry, vectors_key, is_file});
    } else if (const Setting* known = find_setting(key)) {
      read_setting(config, *known, node, source);
      config.given[key] = {source.place, false};
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

/// Where nobody names a kind: the default, or the one that learns in steps if a key was given that
/// the default has no use for and that one has, such as train.epochs.
models::ModelKind unnamed_kind(Config config) {
  const models::ModelKind usual = TrainOptions().model.kind;
  for (const auto& [key, given] : config.given) {
    config.train.model.kind = usual;
    if (has_effect(config, key)) continue;
    config.train.model.kind = models::ModelKind::lightgcn;
    if (has_effect(config, key)) return models::ModelKind::lightgcn;
  }
  return usual;
}

/// Keys that were not given get the defaults of the model's kind, if those of another are in force.
void apply_kind_defaults(Config& config) {
  if (!config.given.contains("model.kind")) config.train.model.kind = unnamed_kind(config);
  const models::ModelKind kind = config.train.model.kind;
  if (kind == config.defaults_of) return;
  Config defaults;
  defaults.train = recipe_of(kind);
  for (const Setting& known : all_settings()) {
    if (config.given.contains(known.key)) continue;
    if (!known.key.starts_with("model.") && !known.key.starts_with("train.")) continue;
    if (known.key == "model.out") continue;
    const toml::table table = toml::parse("value = " + known.write(defaults));
    known.read(config, *table.get("value"), {"defaults", {}});
  }
  config.defaults_of = kind;
}

/// What was said of cut-offs counts if it is not what would be without it.
bool gives_cutoffs(const Config& config) {
  const auto given = config.given.find("evaluate.cutoffs");
  return given != config.given.end() &&
         (given->second.on_command_line || config.evaluate.cutoffs != EvaluateOptions().cutoffs);
}

void finish(Config& config, const std::string& place) {
  apply_kind_defaults(config);
  config.evaluate.cutoffs_given = gives_cutoffs(config);
  for (const char* role : {"user", "item", "time", "event", "weight", "session"}) {
    if (config.given.contains(fmt::format("data.columns.{}", role)))
      config.ingest.columns_given.insert(role);
  }
  config.embed.formats = embedding_formats(config.embed_formats, place + ": embeddings.formats");
}

}  // namespace

Config read_config(const fs::path& path) {
  if (!fs::exists(path)) throw InputError(fmt::format("{}: no such file", path.string()));
  const std::string text = graph::read_file(path, kMostConfigBytes);
  check_toml_depth(text, path.string());
  Config config;
  try {
    const toml::table table = toml::parse(text, path.string());
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
  if (key == "data.attributes" || key == "data.event_weights" || key == "data.relations" ||
      key == "data.items.vectors")
    throw InputError(
        fmt::format("{}: {} is a table, which a configuration file can hold", source.place, key));
  if (known == nullptr) unknown_key(source, key, known_keys());
  check_toml_depth(text, fmt::format("--set {}", key));
  toml::table table;
  try {
    table = toml::parse("value = " + text);
  } catch (const toml::parse_error&) {
    table.insert_or_assign("value", text);  // a bare word is a string
  }
  read_setting(config, *known, *table.get("value"), source);
  mark_given(config, key, source.place);
}

namespace {

/// Sets what a text of TOML says.
void apply_text(Config& config, const std::string& toml, const std::string& place) {
  check_toml_depth(toml, place);
  try {
    apply_table(config, toml::parse(toml, place), "", {place, {}});
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}: not valid TOML: {}", place, error.description()));
  }
  finish(config, place);
}

}  // namespace

void apply_tables(Config& config, const std::string& toml) { apply_text(config, toml, "settings"); }

void mark_given(Config& config, const std::string& key, const std::string& flag) {
  config.given[key] = {flag, true};
  finish(config, flag);
}

namespace {

/// TOML of the settings that `wanted` is true for, with the tables of the log.
std::string toml_of(const Config& config, const std::function<bool(const std::string&)>& wanted) {
  std::string text;
  std::string section;
  for (const Setting& known : all_settings()) {
    if (!wanted(known.key)) continue;
    const std::size_t dot = known.key.rfind('.');
    if (known.key.substr(0, dot) != section) {
      section = known.key.substr(0, dot);
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", section);
    }
    // A column that is empty but was not given says nothing: recbole takes it from the header.
    const bool unsaid = known.key.starts_with("data.columns.") &&
                        !config.given.contains(known.key) && known.write(config) == "''";
    text += fmt::format("{}{} = {}  # {}\n", unsaid ? "# " : "", known.key.substr(dot + 1),
                        stored_text(config, known.key, known.write(config)), known.help);
  }
  text += "\n[data.event_weights]\n";
  for (const auto& [event, weight] : config.ingest.event_weights)
    text += fmt::format("{} = {}\n", toml_string(event), write_value(weight));
  for (std::size_t i = 0; i < config.ingest.attributes.size(); ++i) {
    text += "\n[[data.attributes]]\n";
    const AttributeColumn& attribute = config.ingest.attributes[i];
    const bool unsaid =
        !attribute.kind_given && attribute.kind == graph::AttributeKind::categorical;
    for (const auto& [field, value] : attribute_fields(config.ingest.attributes[i]))
      text += fmt::format("{}{} = {}\n", field == "kind" && unsaid ? "# " : "", field,
                          stored_text(config, attribute_key(i, field), write_value(value)));
  }
  return text;
}

enum class WithFiles { no, yes };

std::string vectors_toml(const Config& config, WithFiles files) {
  std::string text;
  for (std::size_t i = 0; i < config.ingest.vectors.size(); ++i) {
    text += "\n[[data.items.vectors]]\n";
    for (const auto& [field, value] : vectors_fields(config.ingest.vectors[i])) {
      if (files == WithFiles::yes || !is_file(field))
        text += fmt::format("{} = {}\n", field, stored_text(config, vectors_key(i, field), value));
    }
  }
  return text;
}

std::string links_toml(const Config& config) {
  std::string text;
  for (std::size_t i = 0; i < config.ingest.links.size(); ++i) {
    text += "\n[[data.relations]]\n";
    for (const auto& [field, value] : link_fields(config.ingest.links[i]))
      text += fmt::format("{} = {}\n", field, stored_text(config, link_key(i, field), value));
  }
  return text;
}

}  // namespace

std::string effective_toml(const Config& config) {
  return toml_of(config, [](const std::string&) { return true; }) + links_toml(config) +
         vectors_toml(config, WithFiles::yes);
}

std::string log_settings(const Config& config) {
  static const std::set<std::string> kFiles = {
      "data.out",       "data.log",        "data.train",           "data.validation",
      "data.test",      "data.sequences",  "data.attributes_file", "data.prefix",
      "data.benchmark", "data.items.table"};
  return toml_of(config,
                 [](const std::string& key) {
                   return key.starts_with("data.") && !kFiles.contains(key);
                 }) +
         vectors_toml(config, WithFiles::no);
}

IngestOptions ingest_options(const Config& config) {
  IngestOptions options = config.ingest;
  options.settings = log_settings(config);
  return options;
}

Config config_of_log(const std::string& log_settings, const std::string& place) {
  Config config;
  apply_text(config, log_settings, place);
  return config;
}

std::string settings_json(const Config& config, const std::vector<std::string>& prefixes) {
  nlohmann::json settings;
  const auto wanted = [&](const std::string& key) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const std::string& prefix) { return key.starts_with(prefix); });
  };
  for (const Setting& known : all_settings()) {
    if (wanted(known.key))
      settings[known.key] = stored_with_hash(config, known.key, known.write(config));
  }
  if (wanted("data.event_weights")) settings["data.event_weights"] = config.ingest.event_weights;
  // There an empty column that is given is another than one that the header may fill.
  if (wanted("data.columns.given") && config.ingest.format == InputFormat::recbole)
    settings["data.columns.given"] = config.ingest.columns_given;
  if (wanted("data.attributes")) {
    for (std::size_t i = 0; i < config.ingest.attributes.size(); ++i) {
      nlohmann::json& fields = settings["data.attributes"].emplace_back(nlohmann::json::array());
      for (const auto& [field, value] : attribute_fields(config.ingest.attributes[i]))
        fields.push_back(stored_with_hash(config, attribute_key(i, field), value));
    }
  }
  if (wanted("data.relations")) {
    for (std::size_t i = 0; i < config.ingest.links.size(); ++i) {
      nlohmann::json& fields = settings["data.relations"].emplace_back(nlohmann::json::array());
      for (const auto& [field, value] : link_fields(config.ingest.links[i]))
        fields.push_back(stored_with_hash(config, link_key(i, field), value));
    }
  }
  if (wanted("data.items.vectors")) {
    for (std::size_t i = 0; i < config.ingest.vectors.size(); ++i) {
      nlohmann::json& fields = settings["data.items.vectors"].emplace_back(nlohmann::json::array());
      for (const auto& [field, value] : vectors_fields(config.ingest.vectors[i]))
        fields.push_back(stored_with_hash(config, vectors_key(i, field), value));
    }
  }
  return settings.dump();
}

std::string configuration_markdown() {
  const Config defaults;
  std::string text =
      "| key | default | range | meaning | has an effect with |\n| --- | --- | --- | --- | --- |\n";
  for (const Setting& known : all_settings()) {
    const auto bounds = bounds_of(known.key);
    text += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", known.key, known.write(defaults),
                        bounds ? bounds->text() : "", known.help, goes_with(known.key));
  }
  text += fmt::format(
      "| `data.event_weights` | `view = 1, cart = 2, purchase = 4` | {} | weight of "
      "each event type; other types are rejected | {} |\n",
      bounds_of("data.event_weights")->text(), goes_with("data.event_weights"));
  text +=
      "| `[[data.attributes]]` | none | | `column`, `name` (the column's, if not given), `kind` "
      "(categorical, list, numeric, text; without one list where Parquet holds lists, else "
      "categorical), `separator` of a list, `path_separator` of a path "
      "`a.b.c` "
      "(a list of its prefixes) | " +
      goes_with("data.attributes") + " |\n";
  text +=
      "| `[[data.relations]]` | none | | links between users: `name`, `table` (files), `from` and "
      "`to` (columns of raw user ids), `weight` (column of a number above 0; empty: each link "
      "counts 1), `directed` (`from` follows `to`; else both ways), and `separator`, `quote`, "
      "`escape`, `encoding`, `header` as of the log | |\n";
  text +=
      "| `[[data.items.vectors]]` | none | | vectors of items, which become an attribute: `name`, "
      "and `file` (.npy, .parquet, .arrow, .feather, .safetensors, .fbin, .hbin, .jsonl, .csv) "
      "with "
      "`ids` (file of raw ids, a line each, where the format holds numbers alone), `tensor` (of "
      "several), `id_column` and `vector_column` (of a table: raw_id and vector), or `text` (names "
      "of attributes whose words are made vectors) | |\n";
  text += "\n`model.kind = \"interest\"` has other defaults where these suit sequences better:";
  Config interest;
  interest.train = recipe_of(models::ModelKind::interest);
  for (const Setting& known : all_settings()) {
    if (known.key != "model.kind" && known.write(interest) != known.write(defaults))
      text += fmt::format(" `{} = {}`", known.key, known.write(interest));
  }
  text += ".\n";
  text +=
      "\nStrings may name environment variables: `${NAME}`, or `${NAME:-default}` where it may be "
      "unset; `$${` stands for `${` itself. What a variable holds is used and not stored: "
      "`X.data/run.json`, `X.model/config.toml`, the report and messages have the variable's name "
      "(and a hash, so that `run` notices another value).\n";
  return text;
}

}  // namespace penchant::pipeline
