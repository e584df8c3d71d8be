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
                       {model, "format version 1", "penchant upgrade X.data " + model});

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

}  // namespace
}  // namespace penchant::testing
