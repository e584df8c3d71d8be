// SPDX-License-Identifier: Apache-2.0
// Full disks, read-only folders, and artefacts that are damaged, unfinished, or of another data
// set.
#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using CliBadArtefact = ShopTest;

/// Flips one bit in the middle of a file.
void flip_bit(const fs::path& path) {
  std::string bytes = read_text(path);
  bytes[bytes.size() / 2] ^= 0x10;
  write_text(path, bytes);
}

void cut_in_half(const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); }

/// Temporary files that a failed write must not leave behind.
std::vector<std::string> partial_files(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".partial") found.push_back(entry.path().string());
  }
  return found;
}

TEST_F(CliBadArtefact, FullDisk) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  struct Stage {
    std::vector<std::string> arguments;
    std::string out;
    std::int64_t limit;  ///< smaller than the stage's largest file, larger than some of its others
  };
  for (const Stage& stage :
       {Stage{{"partition", data}, "shop.data/partition", 600},
        Stage{{"ingest", "--config", at("shop.toml"), "--set", "data.out=" + at("full.data")},
              "full.data",
              4000},
        Stage{{"ingest", "--config", at("shop.toml"), "--set", "data.out=" + at("full.data")},
              "full.data",
              12000},
        Stage{{"graph", data}, "shop.data/graph", 5000},
        Stage{{"train", data, "--out", at("full.model"), "--set", "train.epochs=1"},
              "full.model",
              20000},
        Stage{{"embed", data, model, "--out", at("full.e")}, "full.e", 9000},
        Stage{{"embed", data, model, "--out", at("full.e"), "--format", "parquet"},
              "full.e",
              9000}}) {
    SCOPED_TRACE(stage.arguments.front() + " at " + std::to_string(stage.limit) + " bytes");
    const fs::path manifest = at(stage.out + "/manifest.json");
    const std::string before = fs::exists(manifest) ? read_text(manifest) : "";
    const ProgramResult result = run_penchant(stage.arguments, {.file_size_limit = stage.limit});
    expect_input_error(result, {at(stage.out), "File too large"});
    EXPECT_EQ(fs::exists(manifest) ? read_text(manifest) : "", before)
        << "what was finished stays, and nothing else is";
    EXPECT_EQ(partial_files(folder_.path()), std::vector<std::string>{});
  }
}

TEST_F(CliBadArtefact, FullDiskWhileGenerating) {
  const ProgramResult result = run_penchant({"generate", "--out", at("other"), "--events", "5000"},
                                            {.file_size_limit = 20000});
  expect_input_error(result, {at("other/events.csv"), "File too large"});
  EXPECT_FALSE(fs::exists(at("other/shop.toml")));
  EXPECT_EQ(partial_files(folder_.path()), std::vector<std::string>{});
}

TEST_F(CliBadArtefact, ReadOnlyFolder) {
  train();
  const std::string folder = at("locked");
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
  const ProgramOptions as_user = {.obey_permissions = true};
  const std::string data = at("shop.data");
  expect_input_error(run_penchant({"ingest", "--config", at("shop.toml"), "--set",
                                   "data.out=" + folder + "/x.data"},
                                  as_user),
                     {folder + "/x.data", "Permission denied"});
  expect_input_error(
      run_penchant({"ingest", "--config", at("shop.toml"), "--set", "data.out=" + folder}, as_user),
      {folder, "Permission denied"});
  expect_input_error(run_penchant({"train", data, "--out", folder + "/x.model"}, as_user),
                     {folder + "/x.model", "Permission denied"});
  expect_input_error(run_penchant({"embed", data, at("shop.model"), "--out", folder}, as_user),
                     {folder, "Permission denied"});
  expect_input_error(run_penchant({"generate", "--out", folder}, as_user),
                     {folder, "Permission denied"});
  EXPECT_TRUE(fs::is_empty(folder));
  fs::permissions(folder, fs::perms::owner_all);
}

TEST_F(CliBadArtefact, UnreadableFile) {
  fs::permissions(at("events.csv"), fs::perms::none);
  expect_input_error(
      run_penchant({"ingest", "--config", at("shop.toml")}, {.obey_permissions = true}),
      {at("events.csv"), "Permission denied"});
}

TEST_F(CliBadArtefact, ModelOfAnotherDataSet) {
  train();
  const std::string other = at("other.data");
  ASSERT_EQ(run_penchant({"ingest", "--config", at("shop.toml"), "--out", other, "--set",
                          "data.min_user_count=15", "--quiet"})
                .exit_code,
            0);
  const std::vector<std::string> words = {at("shop.model"), "trained on another data set"};
  expect_input_error(run_penchant({"evaluate", other, at("shop.model")}), words);
  expect_input_error(run_penchant({"embed", other, at("shop.model"), "--out", at("x.e")}), words);
  expect_input_error(run_penchant({"recommend", other, at("shop.model"), "--user", "u1"}), words);
  expect_input_error(run_penchant({"similar", other, at("shop.model"), "--item", "i1"}), words);
  expect_input_error(run_penchant({"train", other, "--out", at("shop.model"), "--resume", "--set",
                                   "train.epochs=2", "--set", "train.batch_size=512", "--set",
                                   "train.calibrate_popularity=false"}),
                     {at("shop.model"), "cannot resume", "data_hash"});
  EXPECT_FALSE(fs::exists(at("x.e/manifest.json")));
}

TEST_F(CliBadArtefact, ArtefactsTakenForOneAnother) {
  train();
  expect_input_error(run_penchant({"evaluate", at("shop.model"), at("shop.data")}),
                     {at("shop.model"), "is a model, expected a data"});
  expect_input_error(run_penchant({"graph", at("shop.model")}),
                     {at("shop.model"), "is a model, expected a data"});
  const ProgramResult over = run_penchant({"train", at("shop.data"), "--out", at("shop.data")});
  expect_input_error(over, {at("shop.data"), "holds a data", "refusing to write a model over it"});
  EXPECT_TRUE(fs::exists(at("shop.data/manifest.json")));
  fs::create_directory(at("empty"));
  expect_input_error(run_penchant({"graph", at("empty")}),
                     {at("empty"), "manifest.json", "unfinished"});
}

TEST_F(CliBadArtefact, AFolderOfOtherFilesStaysAsItIs) {
  train();
  const std::string folder = at("mine");
  for (const char* part : {"train", "vectors"}) fs::create_directories(folder + "/" + part);
  const std::vector<std::string> files = {"train/log.csv", "vectors/notes.txt", "config.toml"};
  for (const std::string& file : files) write_text(folder + "/" + file, file);
  const std::vector<std::vector<std::string>> commands = {
      {"ingest", "--config", at("shop.toml"), "--out", folder},
      {"train", at("shop.data"), "--out", folder},
      {"train", at("shop.data"), "--out", folder, "--set", "model=auto"},
      {"train", at("shop.data"), "--out", folder, "--set", "model=graph_filter"},
      {"embed", at("shop.data"), at("shop.model"), "--out", folder}};
  for (const std::vector<std::string>& command : commands)
    expect_input_error(run_penchant(command), {folder, "refusing to write", "an empty folder"});
  for (const std::string& file : files) EXPECT_EQ(read_text(folder + "/" + file), file);
}

TEST_F(CliBadArtefact, DamagedCheckpoint) {
  ingest();
  const std::vector<std::string> resume = {
      "train", at("shop.data"),        "--out", at("shop.model"),     "--resume",
      "--set", "train.batch_size=512", "--set", "model.kind=lightgcn"};
  ASSERT_TRUE(stop_training(3, {"train", at("shop.data"), at("shop.model")},
                            {"train.batch_size=512", "model.kind=lightgcn"}));
  const std::string checkpoint = at("shop.model/checkpoint.safetensors");
  const std::string good = read_text(checkpoint);
  const auto refused = [&](const std::vector<std::string>& words) {
    expect_input_error(run_penchant(resume), words);
    EXPECT_FALSE(fs::exists(at("shop.model/manifest.json")));
  };
  flip_bit(checkpoint);
  refused({checkpoint, "damaged"});
  write_text(checkpoint, good.substr(0, good.size() / 2));
  refused({checkpoint});
  write_text(checkpoint, good.substr(0, 5));
  refused({checkpoint});
  write_text(checkpoint, "");
  refused({checkpoint});
  std::string huge_header = good;
  huge_header[6] = '\x7f';  // the header's length becomes 2^54: it must not be believed
  write_text(checkpoint, huge_header);
  refused({checkpoint});
  write_text(checkpoint, good);
  EXPECT_EQ(run_penchant(resume).exit_code, 0) << "the undamaged checkpoint must resume";
}

TEST_F(CliBadArtefact, CheckpointOfOtherSettings) {
  ingest();
  const std::vector<std::string> start = {
      "train", at("shop.data"),        "--out", at("shop.model"),
      "--set", "train.batch_size=512", "--set", "model.kind=lightgcn"};
  ASSERT_TRUE(stop_training(3, {"train", at("shop.data"), at("shop.model")},
                            {"train.batch_size=512", "model.kind=lightgcn"}));
  std::vector<std::string> other = start;
  other.insert(other.end(), {"--resume", "--set", "train.learning_rate=0.5"});
  expect_input_error(run_penchant(other),
                     {at("shop.model"), "cannot resume", "learning_rate", "0.5"});
}

TEST_F(CliBadArtefact, DamagedWeights) {
  train();
  const std::string weights = at("shop.model/weights.safetensors");
  const std::string good = read_text(weights);
  flip_bit(weights);
  expect_input_error(run_penchant({"evaluate", at("shop.data"), at("shop.model")}),
                     {weights, "damaged"});
  write_text(weights, good.substr(0, good.size() - 8));
  expect_input_error(run_penchant({"evaluate", at("shop.data"), at("shop.model")}), {weights});
  fs::remove(weights);
  expect_input_error(run_penchant({"embed", at("shop.data"), at("shop.model"), "--out", at("x.e")}),
                     {weights});
  EXPECT_FALSE(fs::exists(at("x.e/manifest.json")));
}

TEST_F(CliBadArtefact, DamagedDataSet) {
  ingest();
  const std::string column = at("shop.data/train/item.npy");
  const std::string good = read_text(column);
  flip_bit(column);
  expect_input_error(run_penchant({"graph", at("shop.data")}), {column, "damaged"});
  write_text(column, good);
  cut_in_half(at("shop.data/items.parquet"));
  expect_input_error(run_penchant({"graph", at("shop.data")}),
                     {at("shop.data/items.parquet"), "damaged"});
  cut_in_half(at("shop.data/manifest.json"));
  expect_input_error(run_penchant({"graph", at("shop.data")}),
                     {at("shop.data/manifest.json"), "damaged"});
}

/// Every file of an artefact that its manifest names, and the manifest.
std::vector<std::string> files_of(const fs::path& artefact) {
  std::vector<std::string> names = {"manifest.json"};
  const json manifest = json::parse(read_text(artefact / "manifest.json"));
  for (const auto& [name, hash] : manifest["files"].items()) names.push_back(name);
  return names;
}

TEST_F(CliBadArtefact, AFlippedBitInAnyFileIsNoticed) {
  train();
  struct Reader {
    std::string artefact;
    std::vector<std::string> arguments;
    bool derived;  ///< made again where its manifest is damaged
  };
  const std::string data = at("shop.data");
  const std::vector<std::string> evaluate = {"evaluate", data, at("shop.model")};
  for (const Reader& reader :
       {Reader{"shop.data", evaluate, false}, Reader{"shop.model", evaluate, false},
        Reader{"shop.data/graph", {"partition", data, "--parts", "3"}, true},
        Reader{"shop.data/partition",
               {"train", data, "--out", at("x.model"), "--set", "train.epochs=1"},
               true}}) {
    const fs::path artefact = at(reader.artefact);
    for (const std::string& name : files_of(artefact)) {
      if (reader.derived && name == "manifest.json") continue;
      if (name == "parts.npy") continue;
      SCOPED_TRACE(reader.artefact + "/" + name);
      const std::string good = read_text(artefact / name);
      flip_bit(artefact / name);
      expect_input_error(run_penchant(reader.arguments), {(artefact / name).string()});
      write_text(artefact / name, good);
    }
  }
}

TEST_F(CliBadArtefact, ADigitOfAModelsManifestIsNoticed) {
  train();
  const fs::path path = at("shop.model/manifest.json");
  const std::string good = read_text(path);
  int tried = 0;
  for (std::size_t place = 0; place < good.size(); ++place) {
    if (std::isdigit(static_cast<unsigned char>(good[place])) == 0 || place % 7 != 0) continue;
    if (++tried > 25) break;
    std::string bad = good;
    bad[place] = bad[place] == '9' ? '8' : static_cast<char>(bad[place] + 1);
    // A last digit beyond what a number holds changes nothing.
    if (json::parse(bad, nullptr, false) == json::parse(good)) continue;
    write_text(path, bad);
    expect_input_error(
        run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", "u3"}),
        {path.string()});
  }
  write_text(path, good);
}

TEST_F(CliBadArtefact, RunMakesAgainWhatIsDamaged) {
  const std::vector<std::string> run = {"run",     at("shop.toml"), "--json",
                                        "--quiet", "--set",         "train.epochs=1"};
  run_penchant(run).json();
  for (const auto& [file, stage] : {std::pair{"shop.data/partition/manifest.json", "partition"},
                                    {"shop.data/graph/user_item.columns.npy", "graph"},
                                    {"shop.embeddings/items.npy", "embed"},
                                    {"shop.model/evaluation.json", "evaluate"}}) {
    write_text(at(file), file == std::string("shop.model/evaluation.json") ? "{}" : "");
    const json done = run_penchant(run).json()["done"];
    EXPECT_NE(std::find(done.begin(), done.end(), stage), done.end()) << file << done;
  }
}

TEST_F(CliBadArtefact, WhatIsReadIsARegularFile) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  const std::vector<std::string> recommend = {"recommend", data, model, "--user", "u3"};
  const std::vector<std::string> evaluate = {"evaluate", data, model};
  for (const std::string& file :
       {data + "/train/user.npy", data + "/manifest.json", model + "/weights.safetensors",
        model + "/vectors/users.npy", data + "/users.parquet"}) {
    SCOPED_TRACE(file);
    const fs::path kept = at("kept");
    fs::rename(file, kept);
    const std::vector<std::string>& reader =
        file.ends_with("weights.safetensors") ? evaluate : recommend;
    ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
    expect_input_error(run_penchant(reader), {file, "a pipe"});
    fs::remove(file);
    fs::create_symlink("/dev/zero", file);
    expect_input_error(run_penchant(reader), {file, "a device"});
    fs::remove(file);
    fs::rename(kept, file);
  }
  for (const std::string& config : {std::string("/dev/zero"), at("shop.data")})
    expect_input_error(run_penchant({"ingest", "--config", config, "--out", at("x.data")}),
                       {config, "expected a regular file"});
}

TEST_F(CliBadArtefact, AFailedIngestLeavesTheOldDataSetAlone) {
  ingest();
  const std::string manifest = read_text(at("shop.data/manifest.json"));
  write_text(at("events.csv"), "user,item,event,time,session\nu1,\xff,view,1600000000000,s1\n");
  expect_input_error(run_penchant({"ingest", "--config", at("shop.toml")}),
                     {at("events.csv") + ":2", "UTF-8"});
  EXPECT_EQ(read_text(at("shop.data/manifest.json")), manifest);
  EXPECT_EQ(run_penchant({"graph", at("shop.data")}).exit_code, 0);
}

TEST_F(CliBadArtefact, KLargerThanTheCatalogue) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  expect_input_error(run_penchant({"recommend", data, model, "--user", "u3", "--k", "151"}),
                     {"k is 151", "150 items"});
  expect_input_error(run_penchant({"recommend", data, model, "--user", "u3", "--k", "0"}),
                     {"k is 0", "at least 1"});
  expect_input_error(run_penchant({"similar", data, model, "--item", "i7", "--k", "150"}),
                     {"k is 150", "149 items"});
  EXPECT_EQ(run_penchant({"similar", data, model, "--item", "i7", "--k", "149", "--json"})
                .json()["items"]
                .size(),
            149U);
  expect_input_error(run_penchant({"evaluate", data, model, "--set", "evaluate.cutoffs=[10, 151]"}),
                     {"cut-off 151", "150 items"});
  expect_input_error(run_penchant({"evaluate", data, model, "--set", "evaluate.cutoffs=[0]"}),
                     {"evaluate.cutoffs is 0", "expected 1 to"});
  expect_input_error(run_penchant({"partition", data, "--parts", "100000"}), {"parts", "100000"});
}

TEST_F(CliBadArtefact, UnknownRawIdsAreSuggested) {
  train();
  expect_input_error(run_penchant({"recommend", at("shop.data"), at("shop.model"), "--user", "U3"}),
                     {"unknown user 'U3'", "did you mean"});
  expect_input_error(
      run_penchant({"similar", at("shop.data"), at("shop.model"), "--item", "no-such-item"}),
      {"unknown item 'no-such-item'", "150"});
}

}  // namespace
}  // namespace penchant::testing
