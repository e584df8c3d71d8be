// SPDX-License-Identifier: Apache-2.0
// penchant upgrade: a model of format version 1, whose manifest named no files and had no hash of
// its own, and what the verbs say of it.
#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using CliUpgrade = ShopTest;

TEST_F(CliUpgrade, AModelOfAnEarlierProgram) {
  train();
  const std::string data = at("shop.data");
  const std::string model = at("shop.model");
  const std::vector<std::string> recommend = {"recommend", data,  model, "--user",
                                              "u3",        "--k", "12",  "--json"};
  const std::vector<std::string> similar = {"similar", data, model, "--item", "i7", "--json"};
  const json recommended = run_penchant(recommend).json();
  const json near = run_penchant(similar).json();
  const std::string items = read_text(model + "/vectors/items.npy");
  EXPECT_EQ(run_penchant({"upgrade", data, model, "--json"}).json()["written"], false);

  json manifest = json::parse(read_text(model + "/manifest.json"));
  for (const char* key : {"layout", "files", "manifest_hash"}) manifest.erase(key);
  manifest["format_version"] = 1;
  write_text(model + "/manifest.json", manifest.dump());
  fs::remove_all(model + "/vectors");
  for (const std::vector<std::string>& verb :
       {recommend, similar, {"evaluate", data, model}, {"embed", data, model, "--out", at("x.e")}})
    expect_input_error(run_penchant(verb),
                       {model, "format version 1", "penchant upgrade " + data + " " + model});

  const json report = run_penchant({"upgrade", data, model, "--json"}).json();
  EXPECT_EQ(report["from_format"], 1);
  EXPECT_EQ(report["format"], 3);
  EXPECT_EQ(report["written"], true);
  EXPECT_EQ(read_text(model + "/vectors/items.npy"), items);
  EXPECT_EQ(run_penchant(recommend).json(), recommended);
  EXPECT_EQ(run_penchant(similar).json(), near);

  fs::remove(model + "/vectors/users.npy");
  expect_input_error(run_penchant(recommend), {model + "/vectors/users.npy", "penchant upgrade"});
  const ProgramResult again = run_penchant({"upgrade", data, model});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.out.find("format version 3"), std::string::npos) << again.out;
  EXPECT_EQ(run_penchant(recommend).json(), recommended);
}

TEST_F(CliUpgrade, RunUpgradesAModelThatIsWhatItAskedFor) {
  const std::vector<std::string> run = {"run",     at("shop.toml"), "--json",
                                        "--quiet", "--set",         "train.epochs=1"};
  const json first = run_penchant(run).json();
  const std::string model = at("shop.model");
  const std::string weights = read_text(model + "/weights.safetensors");
  json manifest = json::parse(read_text(model + "/manifest.json"));
  for (const char* key : {"layout", "files", "manifest_hash"}) manifest.erase(key);
  manifest["format_version"] = 1;
  write_text(model + "/manifest.json", manifest.dump());
  fs::remove_all(model + "/vectors");
  const json second = run_penchant(run).json();
  EXPECT_EQ(second["done"], json::array({"upgrade"}));
  EXPECT_EQ(second["metrics"], first["metrics"]);
  EXPECT_EQ(read_text(model + "/weights.safetensors"), weights);
}

TEST_F(CliUpgrade, AFailureLeavesNothingThatLooksLikeATraining) {
  ingest();
  const std::string data = at("shop.data");
  const std::string model = at("auto.model");
  const std::vector<std::string> upgrade = {"upgrade", data, model};
  ASSERT_EQ(run_penchant({"train", data, "--out", model, "--quiet", "--set", "model.kind=auto",
                          "--set", "train.budget=5s"})
                .exit_code,
            0);
  fs::remove(model + "/vectors/items.npy");
  fs::rename(model + "/weights.safetensors", at("kept"));
  expect_input_error(run_penchant(upgrade), {"weights.safetensors"});
  fs::rename(at("kept"), model + "/weights.safetensors");
  const ProgramResult result = run_penchant(upgrade);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(run_penchant({"similar", data, model, "--item", "i7"}).exit_code, 0);
}

TEST_F(CliUpgrade, APartOfAModelIsNotUpgradedByItself) {
  train();
  fs::create_directory(at("auto.model"));
  fs::rename(at("shop.model"), at("auto.model/trained"));
  fs::copy_file(at("auto.model/trained/manifest.json"), at("auto.model/manifest.json"));
  for (const char* end : {"", "/"}) {
    expect_input_error(run_penchant({"upgrade", at("shop.data"), at("auto.model/trained") + end}),
                       {"is a part of", at("auto.model")});
  }
}

}  // namespace
}  // namespace penchant::testing
