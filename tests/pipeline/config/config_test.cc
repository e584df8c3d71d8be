// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/config.h"

#include <chrono>
#include <cstdlib>
#include <map>
#include <sstream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::TemporaryFolder;
using penchant::testing::write_text;

#define EXPECT_MENTIONS(text, word) EXPECT_NE((text).find(word), std::string::npos) << (text)

/// Key and value of every line of the effective configuration, but for the tables of events and
/// attributes.
std::vector<std::pair<std::string, std::string>> settings_of(const Config& config) {
  std::vector<std::pair<std::string, std::string>> settings;
  std::istringstream lines(effective_toml(config));
  std::string section;
  for (std::string line; std::getline(lines, line) && line != "[data.event_weights]";) {
    if (line.starts_with("[")) {
      section = line.substr(1, line.size() - 2);
    } else if (const std::size_t equals = line.find(" = "); equals != std::string::npos) {
      const std::string value = line.substr(equals + 3, line.find("  # ") - equals - 3);
      const std::size_t name = line.starts_with("# ") ? 2 : 0;  // of a column that nobody gave
      settings.emplace_back(section + "." + line.substr(name, equals - name), value);
    }
  }
  return settings;
}

/// A good value that is not `value`, as TOML.
std::string other_value(const std::string& key, const std::string& value) {
  static const std::map<std::string, std::string> special = {
      {"data.separator", "\";\""},
      {"data.items.separator", "\"\\t\""},
      {"data.quote", "\"none\""},
      {"data.escape", "\"\\\\\""},
      {"data.items.quote", "\"'\""},
      {"data.items.escape", "\"none\""},
      {"data.filters", "[\"quantity > 1\", \"event in a,b\"]"},
      {"data.items.filters", "[\"in_stock == true\"]"},
      {"data.time_format", "\"%d.%m.%Y\""},
      {"data.time_zone", "\"+09:00\""},
      {"data.decimal", "\",\""},
      {"data.pseudonymise", "[\"user\", \"session\"]"},
      {"data.missing", "[\"it's\", \"a\\\"b\", \"x\\ny\", \"\\\\N\"]"},
      {"evaluate.cutoffs", "[7, 70]"},
      {"model.cnn_widths", "[7, 70]"},
      {"model.mlp_dims", "[7, 70]"},
      {"embeddings.formats", "[\"parquet\"]"},
      {"train.budget", "\"90s\""},
      {"partition.imbalance", "1.5"},
      {"filter.power", "0.375"},
      {"filter.rank", "7"},
      {"filter.low_pass", "0.375"},
      {"filter.order", "7"},
      {"filter.flatness", "0.375"},
      {"filter.sharpening", "0.375"}};
  if (special.contains(key)) return special.at(key);
  if (value == "true" || value == "false") return value == "true" ? "false" : "true";
  if (value.front() == '[') return "[\"/one\", \"/two\"]";
  if (value.front() == '"' || value.front() == '\'') {
    std::string refusal;
    try {
      Config scratch;
      apply_setting(scratch, key + "=\"/other\"");
    } catch (const InputError& error) {
      refusal = error.what();
    }
    if (refusal.ends_with(" number")) return "3";  // a number or "auto"
    const std::string lead = "expected one of: ";
    if (refusal.find(lead) == std::string::npos) return "\"/other\"";
    std::string words = refusal.substr(refusal.find(lead) + lead.size());
    for (std::size_t comma = words.find(", ");; comma = words.find(", ")) {
      const std::string word = words.substr(0, comma);
      if (word != value.substr(1, value.size() - 2)) return "\"" + word + "\"";
      words = words.substr(comma + 2);
    }
  }
  return value.find_first_of(".e") == std::string::npos ? std::to_string(std::stoll(value) + 3)
                                                        : "0.375";
}

Config changed_everywhere() {
  Config config;
  apply_setting(config, "data.items.table=[\"/one\", \"/two\"]");
  for (const auto& [key, value] : settings_of(Config()))
    apply_setting(config, key + "=" + other_value(key, value));
  return config;
}

TEST(Config, EveryKeyCanBeSet) {
  const Config changed = changed_everywhere();
  const auto before = settings_of(Config());
  const auto after = settings_of(changed);
  ASSERT_EQ(before.size(), after.size());
  ASSERT_GT(before.size(), 60U);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].first, after[i].first);
    EXPECT_NE(before[i].second, after[i].second) << before[i].first << " did not change";
  }
  EXPECT_EQ(changed.train.epochs, Config().train.epochs + 3);
  EXPECT_EQ(changed.ingest.missing, (std::vector<std::string>{"it's", "a\"b", "x\ny", "\\N"}));
  EXPECT_EQ(changed.ingest.item_table->text.separator, '\t');
  ASSERT_EQ(changed.ingest.filters.size(), 2U);
  EXPECT_EQ(changed.ingest.filters[1].values, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(changed.embed.formats, std::vector{EmbeddingFormat::parquet});
}

TEST(Config, EveryKeyReadsBackFromAFile) {
  const TemporaryFolder folder;
  Config changed = changed_everywhere();
  changed.ingest.event_weights = {{"add to cart", 2.5}, {"view", 0.125}};
  changed.ingest.attributes = {{"a", "name of a", graph::AttributeKind::list, ";", "."},
                               {"b", "", graph::AttributeKind::numeric, "|", ""}};
  write_text(folder.path() / "all.toml", effective_toml(changed));
  const Config again = read_config(folder.path() / "all.toml");
  EXPECT_EQ(effective_toml(again), effective_toml(changed));
  EXPECT_EQ(settings_json(again, {""}), settings_json(changed, {""}));
  EXPECT_EQ(again.ingest.event_weights, changed.ingest.event_weights);
  ASSERT_EQ(again.ingest.attributes.size(), 2U);
  EXPECT_EQ(again.ingest.attributes[0].path_separator, ".");
  EXPECT_EQ(again.ingest.attributes[1].kind, graph::AttributeKind::numeric);
}

TEST(Config, APathIsAListOfItsPrefixes) {
  const TemporaryFolder folder;
  const auto kind_of = [&](const std::string& kind) {
    write_text(folder.path() / "c.toml",
               "[[data.attributes]]\ncolumn = \"a\"\npath_separator = \".\"\n" + kind);
    return read_config(folder.path() / "c.toml").ingest.attributes.at(0).kind;
  };
  for (const char* kind : {"", "kind = \"categorical\"\n", "kind = \"list\"\n"})
    EXPECT_EQ(kind_of(kind), graph::AttributeKind::list) << kind;
  for (const std::string kind : {"numeric", "text"}) {
    const std::string message =
        input_error_of([&] { kind_of(fmt::format("kind = \"{}\"\n", kind)); });
    EXPECT_MENTIONS(message, "c.toml:3:");
    EXPECT_MENTIONS(message, "path_separator is given for column 'a' of kind " + kind);
    EXPECT_MENTIONS(message, "expected kind categorical or list");
  }
}

/// The first block of README.md that is marked `toml`.
std::string snippet_of_the_readme() {
  const std::string page =
      penchant::testing::read_text(std::filesystem::path(PENCHANT_TEST_SOURCE_DIR) / "README.md");
  const std::size_t first = page.find("```toml\n") + 8;
  return page.substr(first, page.find("```", first) - first);
}

TEST(Config, TheReadmesShopHasHubsForEachPrefixOfItsCategories) {
  const TemporaryFolder folder;
  write_text(folder.path() / "shop.toml", snippet_of_the_readme());
  std::string events = "customer,sku,when,action,quantity\n";
  std::string items = "sku,category,brand,title\n";
  for (int item = 0; item < 8; ++item) {
    for (int customer = 0; customer < 3; ++customer)
      events += fmt::format("c{},s{},{},view,1\n", customer, item, 1600000000 + item);
    items += fmt::format("s{},{},b{},a title\n", item,
                         item < 2   ? "electronics.audio"
                         : item < 4 ? "electronics.phone"
                                    : "garden",
                         item % 3);
  }
  write_text(folder.path() / "events.csv.gz", events);
  write_text(folder.path() / "items.parquet", items);
  const Config config = read_config(folder.path() / "shop.toml");
  ingest(config.ingest, config.data_out, silent_progress());
  const Dataset dataset = read_dataset(config.data_out);
  const graph::Attribute* category = dataset.catalog.find("category");
  ASSERT_NE(category, nullptr);
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  const graph::Csr& links = graphs.item.relations.at(1).edges;
  EXPECT_EQ(links.num_cols, 4) << "electronics, electronics.audio, electronics.phone, garden";
  const graph::NodeId audio = dataset.items.find("s0");
  std::vector<std::string> values;
  for (const graph::NodeId value : category->item_values.view().row(audio))
    values.emplace_back(category->values.raw(value));
  EXPECT_EQ(values, (std::vector<std::string>{"electronics", "electronics.audio"}));
  EXPECT_EQ(links.view().row_size(audio), 2);
  EXPECT_EQ(item_label(dataset, audio), "a title");
}

TEST(Config, EventTypesKeepTheOrderOfTheFile) {
  const TemporaryFolder folder;
  write_text(folder.path() / "c.toml", "[data.event_weights]\nview = 1\ncart = 2\npurchase = 4\n");
  EXPECT_EQ(read_config(folder.path() / "c.toml").ingest.event_weights,
            Config().ingest.event_weights);
}

TEST(Config, DefaultsReadBackFromAFile) {
  const TemporaryFolder folder;
  write_text(folder.path() / "empty.toml", "");
  EXPECT_EQ(effective_toml(read_config(folder.path() / "empty.toml")), effective_toml(Config()));
}

TEST(Config, EveryKeyIsDocumented) {
  const std::string table = configuration_markdown();
  for (const auto& [key, value] : settings_of(Config()))
    EXPECT_MENTIONS(table, "| `" + key + "` |");
}

TEST(Config, SettingsComeInAnyOrder) {
  Config one;
  apply_setting(one, "data.items.table=items.txt");
  apply_setting(one, "data.items.separator=;");
  Config other;
  apply_setting(other, "data.items.separator=;");
  apply_setting(other, "data.items.table=items.txt");
  ASSERT_TRUE(one.ingest.item_table && other.ingest.item_table);
  EXPECT_EQ(one.ingest.item_table->text.separator, ';');
  EXPECT_EQ(other.ingest.item_table->text.separator, ';');
}

TEST(Config, SetTakesBareWordsQuotedTextAndLists) {
  Config config;
  apply_setting(config, "model.kind=gcn");
  EXPECT_EQ(config.train.model.kind, models::ModelKind::gcn);
  apply_setting(config, "model.kind=\"lightgcn\"");
  EXPECT_EQ(config.train.model.kind, models::ModelKind::lightgcn);
  apply_setting(config, "data.log=a.csv");
  EXPECT_EQ(config.ingest.log.files, std::vector<std::filesystem::path>{"a.csv"})
      << "one value stands for a list of one";
  apply_setting(config, "data.separator=tab");
  EXPECT_EQ(config.ingest.log.text.separator, '\t');
  apply_setting(config, "data.filters=[\"a == b=c\"]");
  EXPECT_EQ(config.ingest.filters.at(0).values.at(0), "b=c");
  apply_setting(config, "train.learning_rate=1");
  EXPECT_EQ(config.train.learning_rate, 1.0F) << "a whole number is a number";
}

TEST(Config, ModelStandsForItsKind) {
  Config config;
  apply_setting(config, "model=auto");
  EXPECT_EQ(config.train.model.kind, models::ModelKind::automatic);
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "model=autumn"); }),
                  "model.kind is 'autumn'");
}

TEST(Config, BudgetsAreTimes) {
  const auto seconds = [](const char* text) { return parse_budget(text, "--budget").seconds; };
  EXPECT_EQ(seconds("90s"), 90);
  EXPECT_EQ(seconds("90"), 90);
  EXPECT_EQ(seconds("5m"), 300);
  EXPECT_EQ(seconds("1h"), 3600);
  for (const char* wrong : {"", "s", "0s", "-5s", "1.5m", "5 parsecs", "5ms", "9999999999999h"}) {
    EXPECT_MENTIONS(input_error_of([&] { seconds(wrong); }),
                    "--budget is '" + std::string(wrong) + "', expected a time above 0");
  }
  Config config;
  apply_setting(config, "train.budget=45");
  EXPECT_EQ(config.train.budget.seconds, 45);
}

TEST(Config, UnknownKeysAreRefusedWithASuggestion) {
  Config config;
  const std::string message =
      input_error_of([&] { apply_setting(config, "model.embeding_dim=3"); });
  EXPECT_MENTIONS(message, "'model.embeding_dim'");
  EXPECT_MENTIONS(message, "did you mean 'model.embedding_dim'?");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "zzzzzzzzzzzzzzz=3"); }),
                  "penchant config show");
}

TEST(Config, WrongTypesAreRefused) {
  Config config;
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "train.epochs=1.5"); }),
                  "train.epochs: expected a whole number");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "train.refit=1"); }),
                  "train.refit: expected true or false");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "train.l2=small"); }),
                  "train.l2: expected a number");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "model.out=3"); }),
                  "model.out: expected a string");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "embeddings.formats=hdf5"); }),
                  "expected npy, parquet, arrow, safetensors");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "data.separator=ab"); }),
                  "expected one character");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "run.threads=99999999999"); }),
                  "run.threads");
}

TEST(Config, EveryNumberHasBounds) {
  for (const auto& [key, value] : settings_of(Config())) {
    if (key.ends_with(".seed")) continue;
    double number = 0;
    const bool is_number = std::sscanf(value.c_str(), "%lf", &number) == 1 ||
                           std::sscanf(value.c_str(), "[%lf", &number) == 1;
    if (!is_number && !bounds_of(key)) continue;
    ASSERT_TRUE(bounds_of(key)) << key << " has no entry in pipeline/artifact/bounds.cc";
    for (const char* absurd : {"9223372036854775807", "-1", "1e300", "-1e300", "nan", "inf"}) {
      Config config;
      const std::string message =
          input_error_of([&] { apply_setting(config, fmt::format("{}={}", key, absurd)); });
      EXPECT_MENTIONS(message, key);
      EXPECT_MENTIONS(message, "expected");
      if (message.find("whole number") == std::string::npos && key != "train.budget") {
        EXPECT_MENTIONS(message, "expected " + bounds_of(key)->text());
      }
    }
  }
}

TEST(Config, NumbersOutOfRangeNamePlaceAndRange) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "c.toml";
  write_text(file, "[model]\nembedding_dim = 4611686018427387904\n");
  EXPECT_EQ(input_error_of([&] { read_config(file); }),
            fmt::format("{}:2:17: model.embedding_dim is 4611686018427387904, expected 1 to 16384",
                        file.string()));
  write_text(file, "[data.event_weights]\nview = 1\ncart = -2.5\n");
  EXPECT_MENTIONS(input_error_of([&] { read_config(file); }),
                  "data.event_weights is -2.5, expected above 0, at most 1000000000");
  Config config;
  EXPECT_EQ(input_error_of([&] { apply_setting(config, "evaluate.cutoffs=[10, 0]"); }),
            "--set evaluate.cutoffs=[10, 0]: evaluate.cutoffs is 0, expected 1 to 2147483647");
  EXPECT_EQ(input_error_of([&] { apply_setting(config, "graph.cooccurrence_weight=nan"); }),
            "--set graph.cooccurrence_weight=nan: graph.cooccurrence_weight is nan, expected 0 to "
            "1000000000");
}

TEST(Config, PathsAreRelativeToTheFile) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "sub");
  write_text(folder.path() / "sub" / "c.toml",
             "[data]\nout = \"../x.data\"\nlog = [\"a.csv\", \"/abs/b.csv\"]\n");
  const Config config = read_config(folder.path() / "sub" / "c.toml");
  EXPECT_EQ(config.data_out, folder.path() / "x.data");
  EXPECT_EQ(config.ingest.log.files,
            (std::vector<std::filesystem::path>{folder.path() / "sub" / "a.csv", "/abs/b.csv"}));
}

TEST(Config, EnvironmentVariablesAndTheirDefaults) {
  setenv("PENCHANT_TEST_FOLDER", "/somewhere", 1);
  setenv("PENCHANT_TEST_EMPTY", "", 1);
  unsetenv("PENCHANT_TEST_UNSET");
  Config config;
  const auto model_out = [&](const std::string& text) {
    apply_setting(config, "model.out=\"" + text + "\"");
    return config.model_out.string();
  };
  EXPECT_EQ(model_out("${PENCHANT_TEST_FOLDER}/m"), "/somewhere/m");
  EXPECT_EQ(model_out("${PENCHANT_TEST_FOLDER:-/else}/m"), "/somewhere/m");
  EXPECT_EQ(model_out("${PENCHANT_TEST_UNSET:-/else}/m"), "/else/m");
  EXPECT_EQ(model_out("${PENCHANT_TEST_EMPTY:-/else}/m"), "/else/m");
  EXPECT_EQ(model_out("/a${PENCHANT_TEST_UNSET:-}/m"), "/a/m");
  EXPECT_EQ(model_out("${PENCHANT_TEST_FOLDER}${PENCHANT_TEST_FOLDER}"), "/somewhere/somewhere");
  apply_setting(config, "data.log=[\"${PENCHANT_TEST_FOLDER}/a\", \"b\"]");
  EXPECT_EQ(config.ingest.log.files.at(0), "/somewhere/a");
  EXPECT_MENTIONS(input_error_of([&] { model_out("${PENCHANT_TEST_UNSET}/m"); }),
                  "PENCHANT_TEST_UNSET is not set");
  EXPECT_MENTIONS(input_error_of([&] { model_out("${PENCHANT_TEST_FOLDER/m"); }), "without '}'");
}

TEST(Config, LinksAreATableEach) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& entry) {
    write_text(folder.path() / "c.toml", "[[data.relations]]\n" + entry);
    return read_config(folder.path() / "c.toml");
  };
  const Config config = read(
      "name = \"friends\"\ntable = [\"a.csv\", \"b.csv\"]\nfrom = \"x\"\nto = \"y\"\n"
      "header = false\nseparator = \"tab\"\n");
  ASSERT_EQ(config.ingest.links.size(), 1U);
  EXPECT_EQ(config.ingest.links[0].source.files.at(1), folder.path() / "b.csv");
  EXPECT_FALSE(config.ingest.links[0].source.text.header);
  EXPECT_FALSE(config.ingest.links[0].directed);
  EXPECT_MENTIONS(input_error_of([&] { read("nmae = \"a\"\n"); }),
                  "c.toml:2:8: unknown key 'nmae'; did you mean 'name'?");
  EXPECT_MENTIONS(input_error_of([&] { read("directed = 1\n"); }),
                  "data.relations.directed: expected true or false");
  // Later rows are read without them.
  EXPECT_EQ(log_settings(config).find("relations"), std::string::npos);
}

TEST(Config, VectorsOfItemsAreATableEach) {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& entry) {
    write_text(folder.path() / "c.toml", "[[data.items.vectors]]\n" + entry);
    return read_config(folder.path() / "c.toml");
  };
  const Config config = read(
      "name = \"picture\"\nfile = \"p.safetensors\"\nids = \"p.txt\"\ntensor = \"t\"\n"
      "[[data.items.vectors]]\nname = \"words\"\ntext = [\"title\"]\n");
  ASSERT_EQ(config.ingest.vectors.size(), 2U);
  EXPECT_EQ(config.ingest.vectors[0].file, folder.path() / "p.safetensors");
  EXPECT_EQ(config.ingest.vectors[0].ids, folder.path() / "p.txt");
  EXPECT_EQ(config.ingest.vectors[1].text, std::vector<std::string>{"title"});
  EXPECT_MENTIONS(input_error_of([&] { read("flie = \"a\"\n"); }),
                  "c.toml:2:8: unknown key 'flie'; did you mean 'file'?");
  EXPECT_MENTIONS(input_error_of([&] { read("text = 1\n"); }), "data.items.vectors.text");
  // Later rows are read as these were, from files of their own.
  const std::string kept = log_settings(config);
  EXPECT_EQ(kept.find("p.safetensors"), std::string::npos) << kept;
  const IngestOptions later = config_of_log(kept, "kept").ingest;
  ASSERT_EQ(later.vectors.size(), 2U);
  EXPECT_EQ(later.vectors[0].tensor, "t");
  EXPECT_TRUE(later.vectors[0].file.empty());
  write_text(folder.path() / "again.toml", effective_toml(config));
  EXPECT_EQ(effective_toml(read_config(folder.path() / "again.toml")), effective_toml(config));
}

TEST(Config, WhatAVariableHoldsIsNotStored) {
  const TemporaryFolder folder;
  setenv("PENCHANT_TEST_SECRET", "s3cret/pass", 1);
  write_text(folder.path() / "c.toml",
             "[data]\nmissing = [\"a\", \"x${PENCHANT_TEST_SECRET}\"]\n"
             "log = [\"${PENCHANT_TEST_SECRET}/log.csv\"]\n"
             "[data.columns]\nuser = \"${PENCHANT_TEST_SECRET}\"\n"
             "[[data.attributes]]\ncolumn = \"${PENCHANT_TEST_SECRET}\"\n"
             "[[data.relations]]\nname = \"n\"\ntable = \"${PENCHANT_TEST_SECRET}/links.csv\"\n"
             "from = \"${PENCHANT_TEST_SECRET}\"\nto = \"b\"\ndirected = true\n");
  Config config = read_config(folder.path() / "c.toml");
  apply_setting(config, "data.columns.item=${PENCHANT_TEST_SECRET}");
  EXPECT_EQ(config.ingest.columns.user, "s3cret/pass");
  EXPECT_EQ(config.ingest.missing.at(1), "xs3cret/pass");
  const std::string stored = effective_toml(config);
  const std::string settings = settings_json(config, {""});
  for (const std::string& text : {stored, settings}) {
    EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
    EXPECT_MENTIONS(text, "${PENCHANT_TEST_SECRET}");
  }
  write_text(folder.path() / "again.toml", stored);
  const Config again = read_config(folder.path() / "again.toml");
  EXPECT_EQ(again.ingest.columns.item, "s3cret/pass");
  EXPECT_EQ(again.ingest.missing, config.ingest.missing);
  EXPECT_EQ(again.ingest.log.files, config.ingest.log.files);
  EXPECT_EQ(again.ingest.attributes.at(0).column, "s3cret/pass");
  EXPECT_EQ(again.ingest.links.at(0).from, "s3cret/pass");
  EXPECT_EQ(again.ingest.links.at(0).source.files, config.ingest.links.at(0).source.files);
  EXPECT_TRUE(again.ingest.links.at(0).directed);
  EXPECT_EQ(effective_toml(again), stored);
  // A stage must notice another value.
  setenv("PENCHANT_TEST_SECRET", "other", 1);
  EXPECT_NE(settings_json(read_config(folder.path() / "c.toml"), {"data.missing"}),
            settings_json(config, {"data.missing"}));
  // A value given later is stored as it is.
  apply_setting(config, "data.columns.user=someone");
  EXPECT_MENTIONS(effective_toml(config), "user = 'someone'");
  unsetenv("PENCHANT_TEST_SECRET");
}

TEST(Config, MessagesHideWhatAVariableHolds) {
  setenv("PENCHANT_TEST_SECRET", "s3cret-kind", 1);
  Config config;
  const std::string message =
      input_error_of([&] { apply_setting(config, "model.kind=\"${PENCHANT_TEST_SECRET}\""); });
  EXPECT_EQ(hide_environment(message).find("s3cret"), std::string::npos) << message;
  EXPECT_MENTIONS(hide_environment(message), "'${PENCHANT_TEST_SECRET}'");
  unsetenv("PENCHANT_TEST_SECRET");
}

TEST(Config, DollarsAndBracesRoundTrip) {
  const TemporaryFolder folder;
  Config config;
  apply_setting(config, "data.columns.user=\"$${HOME} $ { $$\"");
  EXPECT_EQ(config.ingest.columns.user, "${HOME} $ { $$");
  config.ingest.missing = {"${x", "$${", "a$"};
  setenv("PENCHANT_TEST_BRACES", "a${b", 1);
  apply_setting(config, "data.columns.item=${PENCHANT_TEST_BRACES}");
  EXPECT_EQ(config.ingest.columns.item, "a${b") << "what a variable holds is not looked at again";
  write_text(folder.path() / "c.toml", effective_toml(config));
  const Config again = read_config(folder.path() / "c.toml");
  EXPECT_EQ(again.ingest.columns.user, config.ingest.columns.user);
  EXPECT_EQ(again.ingest.columns.item, "a${b");
  EXPECT_EQ(again.ingest.missing, config.ingest.missing);
  unsetenv("PENCHANT_TEST_BRACES");
  EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, "data.columns.item=\"a${b\""); }),
                  "write $${ for ${ itself");
}

TEST(Config, HintsAreQuickAndForShortWords) {
  std::vector<std::string> known;
  for (int k = 0; k < 100'000; ++k) known.push_back("item" + std::to_string(k));
  EXPECT_EQ(nearest("itm77777", known), "item77777");
  EXPECT_EQ(nearest(std::string(65, 'x'), known), "");
  const auto start = std::chrono::steady_clock::now();
  nearest(std::string(64, 'i'), known);
  nearest(std::string(100'000, 'i'), known);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(Config, SettingsJsonHoldsWhatAStageDependsOn) {
  Config config;
  const std::string train = settings_json(config, {"train.", "model."});
  EXPECT_MENTIONS(train, "train.epochs");
  EXPECT_MENTIONS(train, "model.kind");
  EXPECT_EQ(train.find("graph."), std::string::npos);
  config.ingest.event_weights = {{"view", 9}};
  EXPECT_EQ(settings_json(config, {"train.", "model."}), train);
  EXPECT_NE(settings_json(config, {"data."}), settings_json(Config(), {"data."}));
  config.ingest.attributes = {{"a", "a", graph::AttributeKind::text, "|", ""}};
  EXPECT_MENTIONS(settings_json(config, {"data."}), "text");
}

// What a time format or zone cannot be is said where it is written.
TEST(Config, TimesThatCannotBeReadAreRefused) {
  for (const auto& [setting, why] : std::vector<std::pair<std::string, std::string>>{
           {"data.time_format=%H:%M", "no year"},
           {"data.time_format=%Y-%m-%d %I:%M", "needs %p"},
           {"data.time_format=%Y-%m-%d %H:%M %p", "goes with %I"},
           {"data.time_format=%G-%m-%d", "%V and a weekday"},
           {"data.time_format=%Y-%U", "a weekday"},
           {"data.time_format=%Y-%m-%d %Q", "unknown conversion"},
           {"data.time_format=%s %z", "%s"},
           {"data.time_format=yyyy-MM-dd", "strptime pattern"},
           {"data.time_zone=Mars", "an offset such as"},
           {"data.decimal=;", "expected \".\" or \",\""}}) {
    Config config;
    EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, setting); }), why);
    EXPECT_MENTIONS(input_error_of([&] { apply_setting(config, setting); }),
                    setting.substr(0, setting.find('=')));
  }
}

TEST(Nearest, FindsSmallMistakesOnly) {
  const std::vector<std::string> known = {"alpha", "beta", "gamma"};
  EXPECT_EQ(nearest("alpah", known), "alpha");
  EXPECT_EQ(nearest("beta", known), "beta");
  EXPECT_EQ(nearest("gama", known), "gamma");
  EXPECT_EQ(nearest("something else", known), "");
  EXPECT_EQ(nearest("alpha", {}), "");
}

TEST(Config, AKindOfModelBringsItsDefaultsButLeavesWhatWasGiven) {
  const TrainOptions interest = recipe_of(models::ModelKind::interest);
  Config config;
  apply_setting(config, "train.epochs=7");
  apply_setting(config, "model.kind=interest");
  EXPECT_EQ(config.train.epochs, 7);
  EXPECT_EQ(config.train.learning_rate, interest.learning_rate);
  EXPECT_EQ(config.train.num_negatives, interest.num_negatives);
  EXPECT_EQ(config.train.model.normalize, interest.model.normalize);
  EXPECT_EQ(config.train.node_order, NodeOrder::metis) << "the same for every kind";
  apply_setting(config, "model.kind=lightgcn");
  EXPECT_EQ(config.train.epochs, 7);
  const TrainOptions defaults;
  EXPECT_EQ(config.train.learning_rate, defaults.learning_rate);

  penchant::testing::TemporaryFolder folder;
  penchant::testing::write_text(folder.path() / "c.toml",
                                "[model]\ndropout = 0.125\nkind = \"interest\"\n"
                                "[train]\nlearning_rate = 0.5\n");
  const Config read = read_config(folder.path() / "c.toml");
  EXPECT_EQ(read.train.model.interest.dropout, 0.125F) << "in whatever order";
  EXPECT_EQ(read.train.learning_rate, 0.5F);
  EXPECT_EQ(read.train.epochs, interest.epochs);
}

}  // namespace
}  // namespace penchant::pipeline
