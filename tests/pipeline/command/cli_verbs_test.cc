// SPDX-License-Identifier: Apache-2.0
// What every verb prints and where: data on stdout, everything else on stderr, valid JSON,
// documented exit codes.
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

const std::vector<std::string> kVerbs = {
    "ingest",  "graph",  "partition", "train",    "evaluate", "embed",  "recommend", "similar",
    "score",   "ablate", "run",       "generate", "info",     "config", "bench",     "report",
    "upgrade", "apply",  "append",    "forget",   "audience", "tag",    "explain",   "compress"};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(CliHelp, EveryVerbExplainsItself) {
  const ProgramResult program = run_penchant({"--help"});
  EXPECT_EQ(program.exit_code, 0);
  EXPECT_EQ(program.err, "");
  EXPECT_NE(program.out.find("130 interrupted by a signal"), std::string::npos)
      << "exit codes are documented";
  for (const std::string& verb : kVerbs) {
    EXPECT_NE(program.out.find(verb), std::string::npos) << verb << " is missing from --help";
    const ProgramResult result = run_penchant({verb, "--help"});
    EXPECT_EQ(result.exit_code, 0) << verb;
    EXPECT_NE(result.out, "") << verb;
    EXPECT_EQ(result.err, "") << verb;
    if (verb == "config") continue;  // its options belong to `config show`
    EXPECT_NE(result.out.find("--json"), std::string::npos) << verb;
    EXPECT_NE(result.out.find("--quiet"), std::string::npos) << verb;
  }
}

TEST(CliHelp, VersionGoesToStdout) {
  const ProgramResult result = run_penchant({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out.rfind("penchant ", 0), 0U) << result.out;
  EXPECT_EQ(result.err, "");
}

TEST(CliHelp, UsageErrorsExitTwoAndLeaveStdoutEmpty) {
  expect_input_error(run_penchant({}), {"subcommand"});
  expect_input_error(run_penchant({"recomend"}), {"recomend"});
  expect_input_error(run_penchant({"train", "x.data", "--no-such-flag"}), {"--no-such-flag"});
  expect_input_error(run_penchant({"graph"}), {"data"});
  expect_input_error(run_penchant({"evaluate", "a.data", "b.model", "--split", "train"}),
                     {"--split"});
  expect_input_error(
      run_penchant({"recommend", "a.data", "b.model", "--user", "u1", "--k", "many"}), {"--k"});
}

TEST(CliInfo, NamesDeviceAndLibraries) {
  const json facts = run_penchant({"info", "--json"}).json();
  for (const char* name : {"penchant", "compiler", "device", "cuda", "arrow", "openblas", "metis",
                           "boost", "highway"}) {
    ASSERT_TRUE(facts.contains(name)) << name;
    EXPECT_NE(facts[name], "") << name;
  }
  const ProgramResult text = run_penchant({"info", "--device", "cpu", "--threads", "1"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_NE(text.out.find("1 thread"), std::string::npos) << text.out;
}

TEST(CliInfo, UnusableDeviceExitsThree) {
  if (run_penchant({"info", "--json"}).json()["cuda"] == "available")
    GTEST_SKIP() << "this machine has a GPU";
  const ProgramResult result = run_penchant({"info", "--device", "cuda"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("device 'cuda' was asked for: "), std::string::npos) << result.err;
  const ProgramResult by_environment =
      run_penchant({"info"}, {.environment = {{"PENCHANT_DEVICE", "cuda"}}});
  EXPECT_EQ(by_environment.exit_code, 3) << "PENCHANT_DEVICE chooses the device as --device does";
  EXPECT_EQ(run_penchant({"info", "--device", "cuda:1"}).exit_code, 3);
}

TEST(CliInfo, RefusesANumberOfNoDevice) {
  const auto refused = [](std::vector<std::string> arguments, const char* message) {
    const ProgramResult result = run_penchant(arguments);
    expect_input_error(result, {message});
    for (const char* key : {"run.", "partition.", "--set"})
      EXPECT_EQ(result.err.find(key), std::string::npos) << result.err;
  };
  for (const char* device : {"cuda:", "cuda:x", "cuda:1x"})
    refused({"info", "--device", device}, "the number of a GPU behind cuda:");
  refused({"info", "--device", "cuda:-1"}, "--device cuda:N is -1, expected 0 to 1023");
  refused({"info", "--device", "cpu:1"}, "--device is 'cpu:1'");
  refused({"info", "--threads", "-1"}, "--threads is -1, expected 0 to 1024");
  refused({"partition", "x.data", "--parts", "0"}, "--parts is 0, expected 1 to");
}

using CliVerbs = ShopTest;

TEST_F(CliVerbs, RecommendHonoursSeenItems) {
  train();
  const auto items = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "recommend", at("shop.data"), at("shop.model"), "--user", "u1", "--k", "60", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::set<std::string> found;
    const json list = run_penchant(arguments).json();
    for (const json& item : list["items"]) found.insert(item["item"].get<std::string>());
    return found;
  };
  const std::set<std::string> masked = items({"--seen", "mask"});
  const std::set<std::string> kept = items({"--seen", "keep"});
  EXPECT_NE(masked, kept);
  EXPECT_EQ(items({"--set", "evaluate.seen_items=mask"}), masked);
  EXPECT_EQ(items({"--set", "evaluate.seen_items=keep"}), kept);
  EXPECT_EQ(items({"--set", "evaluate.seen_items=mask", "--seen", "keep"}), kept);
  const auto text = [&](const char* seen) {
    return run_penchant(
               {"recommend", at("shop.data"), at("shop.model"), "--user", "u1", "--seen", seen})
        .out;
  };
  EXPECT_NE(text("mask").find("for user u1, without what they have"), std::string::npos);
  EXPECT_NE(text("keep").find("for user u1, with what they have"), std::string::npos);
  expect_input_error(run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", "u1",
                                   "--seen", "some"}),
                     {"--seen", "mask"});
}

TEST_F(CliVerbs, ControlCharactersOfDataAreEscaped) {
  std::ofstream log(at("evil.csv"));
  log << "user,item\n";
  for (int k = 0; k < 200; ++k)
    log << "u\x1b[31m" << k % 10 << ",i\x1b]0;title\x07\xe2\x80\xae" << k * 7 % 20 << '\n';
  log.close();
  ASSERT_EQ(run_penchant({"ingest", "--log", at("evil.csv"), "--user-column", "user",
                          "--item-column", "item", "--out", at("evil.data")})
                .exit_code,
            0);
  ASSERT_EQ(run_penchant({"train", at("evil.data"), "--out", at("evil.model"), "--set",
                          "train.epochs=1", "--set", "model.embedding_dim=8"})
                .exit_code,
            0);
  const auto clean = [](const ProgramResult& result) {
    for (const std::string& text : {result.out, result.err}) {
      EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
      EXPECT_EQ(text.find('\x07'), std::string::npos) << text;
      EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << text;
    }
    return result;
  };
  const std::string user = "u\x1b[31m3";
  const ProgramResult list = clean(
      run_penchant({"recommend", at("evil.data"), at("evil.model"), "--user", user, "--k", "3"}));
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_NE(list.out.find("i\\x1b]0;title\\x07\\u202e"), std::string::npos) << list.out;
  const json exact = run_penchant({"recommend", at("evil.data"), at("evil.model"), "--user", user,
                                   "--k", "3", "--json"})
                         .json();
  EXPECT_EQ(exact["items"][0]["item"].get<std::string>().rfind("i\x1b]0;title\x07\xe2\x80\xae", 0),
            0U)
      << "JSON has the id itself";
  clean(run_penchant({"recommend", at("evil.data"), at("evil.model"), "--user", "u\x1b[31m"}));
  clean(run_penchant({"recommend", at("evil.data"), at("evil.model"), "--history", "i\x1b]0;"}));
  clean(run_penchant({"similar", at("evil.data"), at("evil.model"), "--item", "i\x1b]0;"}));
  clean(run_penchant({"evaluate", at("evil.data"), "no\x1b[2Jmodel"}));
  clean(run_penchant({"no\x1b[2Jverb"}));
  clean(run_penchant({"train", "--no\x1b[2Joption"}));
  clean(run_penchant({"config", "show", "--set", "no\x1b[2J.key=1"}));
  const ProgramResult long_id = run_penchant({"similar", at("evil.data"), at("evil.model"),
                                              "--item", std::string(100'000, 'x'), "--k", "3"});
  expect_input_error(long_id, {"unknown item", "(100000 bytes)"});
  EXPECT_LT(long_id.err.size(), 400U);
}

TEST_F(CliVerbs, WhatAVariableHoldsStaysOutOfFilesAndPages) {
  const std::string secret = "s3cret-value";
  const ProgramOptions options = {.environment = {{"PENCHANT_TEST_SECRET", secret}}};
  const std::vector<std::string> run = {
      "run",   at("shop.toml"),  "--quiet", "--json",
      "--set", "train.epochs=1", "--set",   "data.missing=[\"${PENCHANT_TEST_SECRET}\"]"};
  ASSERT_EQ(run_penchant(run, options).exit_code, 0);
  ASSERT_EQ(run_penchant({"report", at("shop.model")}, options).exit_code, 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_text(entry.path()).find(secret), std::string::npos) << entry.path();
  }
  EXPECT_NE(read_text(at("shop.model/config.toml")).find("${PENCHANT_TEST_SECRET}"),
            std::string::npos);
  const auto skips_ingest = [&](const ProgramOptions& changed) {
    const json result = run_penchant(run, changed).json();
    return std::find(result["skipped"].begin(), result["skipped"].end(), "ingest") !=
           result["skipped"].end();
  };
  EXPECT_TRUE(skips_ingest(options));
  EXPECT_FALSE(skips_ingest({.environment = {{"PENCHANT_TEST_SECRET", "another"}}}));
  const ProgramResult refused = run_penchant({"ingest", "--config", at("shop.toml"), "--set",
                                              "data.log=[\"/none/${PENCHANT_TEST_SECRET}.csv\"]"},
                                             options);
  expect_input_error(refused, {"/none/${PENCHANT_TEST_SECRET}.csv"});
  EXPECT_EQ(refused.err.find(secret), std::string::npos);
}

TEST_F(CliVerbs, ADamagedEvaluationIsMadeAgain) {
  const std::vector<std::string> run = {"run", at("shop.toml"), "--json", "--set",
                                        "train.epochs=1"};
  const json whole = run_penchant(run).json();
  const std::filesystem::path file = at("shop.model/evaluation.json");
  const json stored = json::parse(read_text(file));
  for (const char* key : {"metrics", "popularity_metrics", "num_users"}) {
    json damaged = stored;
    damaged.erase(key);
    write_text(file, damaged.dump());
    const ProgramResult again = run_penchant(run);
    EXPECT_EQ(again.json()["metrics"], whole["metrics"]) << key;
    EXPECT_NE(again.err.find("evaluation.json is damaged"), std::string::npos) << again.err;
  }
  json empty = stored;
  empty["metrics"] = json::object();
  write_text(file, empty.dump());
  EXPECT_EQ(run_penchant(run).json()["metrics"], whole["metrics"]);
}

TEST_F(CliVerbs, EveryVerbPrintsJsonAlone) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  const json ingest =
      run_penchant({"ingest", "--config", at("shop.toml"), "--out", at("again.data"), "--json"})
          .json();
  EXPECT_EQ(ingest["rows"]["read"], 6000);
  EXPECT_GT(ingest["num_train"], 0);
  const json graph = run_penchant({"graph", data, "--json"}).json();
  EXPECT_EQ(graph["user_item"]["items"], ingest["num_items"]);
  EXPECT_EQ(graph["item_relations"].size(), 3U) << "co-occurrence, category, brand";
  const json partition = run_penchant({"partition", data, "--parts", "4", "--json"}).json();
  ASSERT_EQ(partition["partitions"].size(), 4U);
  EXPECT_EQ(partition["partitions"][0]["method"], "metis");
  EXPECT_LT(partition["partitions"][0]["edge_cut"], partition["partitions"][3]["edge_cut"])
      << "METIS must cut less than random";
  const json evaluation = run_penchant({"evaluate", data, model, "--json"}).json();
  EXPECT_EQ(evaluation["part"], "test");
  EXPECT_GT(evaluation["num_users"], 0);
  for (const char* metric : {"recall@20", "ndcg@20", "hit_rate@10", "precision@20", "mrr", "mrr@20",
                             "map@20", "auc", "coverage@20", "gini@20"}) {
    ASSERT_TRUE(evaluation["metrics"].contains(metric)) << metric;
    ASSERT_TRUE(evaluation["popularity_metrics"].contains(metric)) << metric;
  }
  EXPECT_EQ(
      run_penchant({"evaluate", data, model, "--split", "validation", "--json"}).json()["part"],
      "validation");
  const json embed =
      run_penchant({"embed", data, model, "--out", at("e"), "--format", "both", "--json"}).json();
  EXPECT_EQ(embed["num_items"], ingest["num_items"]);
  const json recommended =
      run_penchant({"recommend", data, model, "--user", "u3", "--k", "7", "--json"}).json();
  ASSERT_EQ(recommended["items"].size(), 7U);
  EXPECT_EQ(recommended["items"][0]["rank"], 1);
  EXPECT_GE(recommended["items"][0]["score"], recommended["items"][6]["score"]);
  const json similar =
      run_penchant({"similar", data, model, "--item", "i7", "--k", "7", "--json"}).json();
  ASSERT_EQ(similar["items"].size(), 7U);
  for (const json& entry : similar["items"]) EXPECT_NE(entry["item"], "i7");
  EXPECT_EQ(similar["items"][0]["label"].get<std::string>().rfind("Item ", 0), 0U)
      << "labels come from the name attribute";
  EXPECT_FALSE(run_penchant({"config", "show", "--json"}).json().empty());
}

TEST_F(CliVerbs, QuietKeepsStderrEmpty) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"ingest", "--config", at("shop.toml"), "--quiet"},
           {"graph", at("shop.data"), "--quiet"},
           {"partition", at("shop.data"), "--quiet"},
           {"train", at("shop.data"), "--out", at("shop.model"), "--quiet", "--set",
            "train.epochs=1"},
           {"evaluate", at("shop.data"), at("shop.model"), "--quiet"},
           {"embed", at("shop.data"), at("shop.model"), "--out", at("e"), "--quiet"}}) {
    const ProgramResult result = run_penchant(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments.front() << ": " << result.err;
    EXPECT_EQ(result.err, "") << arguments.front();
    EXPECT_NE(result.out, "") << arguments.front();
  }
}

TEST_F(CliVerbs, NoAnimationAndNoColourWithoutTerminal) {
  const ProgramResult result = run_penchant({"run", at("shop.toml"), "--set", "train.epochs=2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const std::string stage : {"ingest", "graph", "partition", "train", "evaluate"}) {
    EXPECT_NE(result.err.find(stage), std::string::npos)
        << stage << " is not in the progress report";
  }
  EXPECT_EQ(result.err.find('\r'), std::string::npos);
  EXPECT_EQ(result.err.find('\033'), std::string::npos);
}

TEST_F(CliVerbs, VerifyComparesFilesWithTheModelAndEndsWithItsVerdict) {
  train();
  const std::vector<std::string> embed = {"embed", at("shop.data"), at("shop.model")};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = embed;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  };
  ASSERT_EQ(with({"--out", at("e"), "--format", "pgcopy,arrow", "--format", "npy"}).exit_code, 0);
  const ProgramResult good = with({"--verify", at("e"), "--quiet"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.err, "");
  for (const char* word : {"npy", "arrow", "items.pgcopy", "1.0000", "top 20"})
    EXPECT_NE(good.out.find(word), std::string::npos) << word << "\n" << good.out;
  const json report = with({"--verify", at("e"), "--sample", "7", "--json"}).json();
  EXPECT_EQ(report["agrees"], true);
  EXPECT_EQ(report["users"], 7);
  ASSERT_EQ(report["formats"].size(), 3U);
  EXPECT_EQ(report["formats"][2]["files"][0]["rows"], 150);

  const std::string text = read_text(at("e/items.pgcopy"));
  write_text(at("e/items.pgcopy"), text.substr(text.find('\n') + 1));
  const std::string id = text.substr(0, text.find('\t'));
  const ProgramResult bad = with({"--verify", at("e"), "--json", "--quiet"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_EQ(json::parse(bad.out)["agrees"], false);
  EXPECT_NE(bad.err.find("items.pgcopy: 1 id is missing, such as '" + id + "'"), std::string::npos)
      << bad.err;

  expect_input_error(with({"--verify", at("e"), "--out", at("f")}), {"--out has no effect"});
  expect_input_error(with({"--verify", at("e"), "--format", "npy"}), {"--format has no effect"});
  expect_input_error(with({"--out", at("f"), "--sample", "7"}), {"--sample goes with --verify"});
  expect_input_error(with({"--verify", at("nowhere")}), {"nowhere: no such folder"});
  expect_input_error(with({"--verify", at("e"), "--sample", "0"}), {"--sample is 0"});
  expect_input_error(with({"--out", at("f"), "--format", "npy,hdf5"}),
                     {"--format: 'hdf5'", "pgvector, or both (npy and parquet)"});
}

TEST_F(CliVerbs, ADeltaMakesTheNewEmbeddingsOfTheOld) {
  train();
  const auto embed = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"embed", at("shop.data"), at("shop.model"), "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  };
  ASSERT_EQ(embed({"--out", at("old"), "--format", "npy,csv"}).exit_code, 0);
  ASSERT_EQ(run_penchant({"train", at("shop.data"), "--out", at("shop.model"), "--quiet", "--seed",
                          "9", "--set", "train.epochs=2", "--set", "train.batch_size=512", "--set",
                          "model.embedding_dim=16", "--set", "train.calibrate_popularity=false"})
                .exit_code,
            0);
  const ProgramResult said = embed({"--since", at("old"), "--out", at("shop.delta")});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_NE(said.out.find("removed"), std::string::npos);
  EXPECT_NE(said.out.find("items   cosine "), std::string::npos) << said.out;
  const json delta =
      embed({"--since", at("old"), "--out", at("shop.delta"), "--moved", "0.5", "--json"}).json();
  EXPECT_EQ(delta["moved"]["more_than"], 0.5);
  EXPECT_EQ(delta["entities"]["items"]["before"], 150);
  ASSERT_EQ(embed({"--since", at("old"), "--out", at("shop.delta")}).exit_code, 0);
  const json applied =
      run_penchant({"apply", at("old"), at("shop.delta"), "--out", at("new"), "--json"}).json();
  EXPECT_EQ(applied["num_items"], 150);
  EXPECT_EQ(applied["out"], at("new"));
  ASSERT_EQ(embed({"--out", at("full"), "--format", "npy,csv"}).exit_code, 0);
  for (const char* file : {"items.npy", "users.npy", "items.ids.jsonl", "items.csv", "users.csv"})
    EXPECT_TRUE(read_text(at("full") + "/" + file) == read_text(at("new") + "/" + file)) << file;
  EXPECT_EQ(run_penchant({"apply", at("old"), at("shop.delta"), "--out", at("old")}).exit_code, 0);
  expect_input_error(run_penchant({"apply", at("old"), at("shop.delta"), "--out", at("old")}),
                     {"it was applied already"});
  expect_input_error(run_penchant({"apply", at("old"), at("shop.delta")}), {"--out"});
  expect_input_error(embed({"--since", at("old"), "--out", at("d"), "--format", "npy"}),
                     {"--format has no effect with --since"});
  expect_input_error(embed({"--since", at("old"), "--out", at("d"), "--type", "float16"}),
                     {"--type has no effect with --since"});
  expect_input_error(embed({"--since", at("old"), "--out", at("d"), "--moved", "-1"}),
                     {"--moved is -1"});
  expect_input_error(embed({"--since", at("old")}), {"no output given for the delta"});
  expect_input_error(embed({"--out", at("d"), "--moved", "0.1"}), {"--moved goes with --since"});
  expect_input_error(embed({"--verify", at("old"), "--since", at("old")}),
                     {"--since has no effect"});
}

TEST_F(CliVerbs, EmbeddingsCoverTheWholeCatalogue) {
  train();
  ASSERT_EQ(run_penchant({"embed", at("shop.data"), at("shop.model"), "--out", at("e"), "--format",
                          "npy,parquet", "--type", "float16"})
                .exit_code,
            0);
  std::set<std::string> ids;
  for (const std::string& line : lines_of(read_text(at("e/items.ids.jsonl"))))
    ids.insert(json::parse(line).get<std::string>());
  EXPECT_EQ(ids.size(), 150U) << "the generator leaves some items unsold; they must be here too";
  EXPECT_TRUE(ids.contains("i149"));
  const json manifest = json::parse(read_text(at("e/manifest.json")));
  EXPECT_EQ(manifest["num_items"], 150);
  EXPECT_EQ(manifest["dimension"], 16);
  EXPECT_EQ(manifest["dtype"], "float16");
  EXPECT_TRUE(manifest["normalized"].is_boolean());
  EXPECT_EQ(manifest["data_hash"],
            json::parse(read_text(at("shop.model/manifest.json")))["data_hash"]);
  const std::string npy = read_text(at("e/items.npy"));
  EXPECT_EQ(npy.compare(1, 5, "NUMPY"), 0);
  EXPECT_NE(npy.find("<f2"), std::string::npos);
  EXPECT_NE(npy.find("'shape': (150,16)"), std::string::npos);
  EXPECT_EQ(npy.size() % 64, (150U * 16U * 2U) % 64U)
      << "header padded to 64 bytes, then rows x columns halves";
  EXPECT_TRUE(std::filesystem::exists(at("e/items.parquet")));
  EXPECT_TRUE(std::filesystem::exists(at("e/users.parquet")));
}

TEST_F(CliVerbs, AClosedPipeIsNotAFailure) {
  train();
  // The reader's end of the pipe is closed before the program writes.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  const ProgramResult result =
      run_penchant({"evaluate", at("shop.data"), at("shop.model"), "--quiet"},
                   {.standard_output = "/proc/self/fd/" + std::to_string(ends[1])});
  close(ends[1]);
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(CliVerbs, AFullDeviceOnStdoutIsReported) {
  ingest();
  const ProgramResult result =
      run_penchant({"graph", at("shop.data"), "--quiet"}, {.standard_output = "/dev/full"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("standard output"), std::string::npos) << result.err;
}

TEST(CliConfig, ShowPrintsACompleteConfigurationThatReadsBack) {
  const TemporaryFolder folder;
  const ProgramResult shown =
      run_penchant({"config", "show", "--effective", "--set", "train.epochs=33", "--set",
                    "data.filters=[\"quantity > 0\"]"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_NE(shown.out.find("epochs = 33"), std::string::npos);
  write_text(folder.path() / "all.toml", shown.out);
  const ProgramResult again = run_penchant(
      {"config", "show", "--effective", "--config", (folder.path() / "all.toml").string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, shown.out);
}

TEST(CliConfig, TheDocumentedTableIsCurrent) {
  const std::string page = read_text(source_folder() / "docs" / "configuration.md");
  const ProgramResult table = run_penchant({"config", "show", "--markdown"});
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_NE(page.find(table.out), std::string::npos)
      << "docs/configuration.md does not hold what `penchant config show --markdown` prints";
}

TEST(CliGenerate, SameSeedSameBytes) {
  const TemporaryFolder folder;
  const auto generate = [&](const char* name, const char* seed) {
    const std::string out = (folder.path() / name).string();
    EXPECT_EQ(run_penchant({"generate", "--out", out, "--users", "50", "--items", "30", "--events",
                            "500", "--seed", seed, "--truth"})
                  .exit_code,
              0);
    return read_text(out + "/events.csv");
  };
  const std::string first = generate("a", "1");
  EXPECT_EQ(lines_of(first).size(), 501U);
  EXPECT_EQ(first, generate("b", "1"));
  EXPECT_NE(first, generate("c", "2"));
  EXPECT_TRUE(
      json::parse(read_text(folder.path() / "a" / "truth.json")).contains("user_interests"));
}

}  // namespace
}  // namespace penchant::testing
