// SPDX-License-Identifier: Apache-2.0
// compress as a user meets it: what is written and said, and what is refused.
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// The elements behind the header of an .npy file.
template <typename T>
std::vector<T> elements(const fs::path& path) {
  const std::string bytes = read_text(path);
  const std::size_t header =
      10 + static_cast<unsigned char>(bytes[8]) + 256 * static_cast<unsigned char>(bytes[9]);
  std::vector<T> values((bytes.size() - header) / sizeof(T));
  std::memcpy(values.data(), bytes.data() + header, values.size() * sizeof(T));
  return values;
}

class CliCompress : public ShopTest {
 protected:
  void SetUp() override {
    ShopTest::SetUp();
    train();
  }
  ProgramResult compress(const std::vector<std::string>& more, const std::string& model = "") {
    std::vector<std::string> arguments = {"compress", at("shop.data"),
                                          model.empty() ? at("shop.model") : model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_penchant(arguments);
  }
  ProgramResult train_more(const std::string& name, const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"train", at("shop.data"), "--out", at(name), "--quiet"};
    for (const std::string& setting : settings) {
      arguments.push_back("--set");
      arguments.push_back(setting);
    }
    return run_penchant(arguments);
  }
};

TEST_F(CliCompress, ProductsOfBytesAreTheProductsOfVectors) {
  const ProgramResult result = compress({"--vectors", "int8", "--out", at("shop.int8"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json said = result.json();
  EXPECT_EQ(said["vectors"], "int8");
  EXPECT_EQ(said["items"]["float_bytes"], 150 * 16 * 4);
  EXPECT_EQ(said["items"]["bytes"], 150 * 16 + 16 * 4);
  EXPECT_GT(said["overlap@20"].get<double>(), 0.9);
  EXPECT_TRUE(said["saw_validation"].is_boolean());
  const auto items = elements<std::int8_t>(at("shop.int8/items.npy"));
  const auto users = elements<std::int8_t>(at("shop.int8/users.npy"));
  const auto scales = elements<float>(at("shop.int8/users.scales.npy"));
  const auto old_items = elements<float>(at("shop.model/vectors/items.npy"));
  const auto old_users = elements<float>(at("shop.model/vectors/users.npy"));
  ASSERT_EQ(items.size(), 150U * 16U);
  const std::size_t num_users = scales.size();  // of 300, those who did something
  ASSERT_EQ(users.size(), num_users * 16);
  ASSERT_GT(num_users, 200U);
  for (std::size_t u = 0; u < num_users; u += 17) {
    for (std::size_t i = 0; i < 150; i += 11) {
      double exact = 0.0, length = 0.0;
      int whole = 0;
      for (std::size_t j = 0; j < 16; ++j) {
        exact += static_cast<double>(old_users[u * 16 + j]) * old_items[i * 16 + j];
        length += std::abs(static_cast<double>(old_users[u * 16 + j]) * old_items[i * 16 + j]);
        whole += users[u * 16 + j] * items[i * 16 + j];
      }
      EXPECT_NEAR(static_cast<double>(whole) * scales[u], exact, 0.03 * length + 1e-6);
    }
  }
  EXPECT_EQ(read_text(at("shop.int8/items.ids.jsonl")).substr(0, 1), "\"");
}

TEST_F(CliCompress, CodesOfAWidthThatNoSubVectorDivides) {
  // 150 items: 4 bits a sub-vector would do, 256 centroids are too many.
  expect_input_error(compress({"--vectors", "pq", "--out", at("shop.pq")}),
                     {"150 items", "too few for pq", "--vectors int8"});
  expect_input_error(compress({"--vectors", "pq", "--bytes", "3", "--out", at("shop.pq")}),
                     {"150 items", "256"});
  EXPECT_FALSE(fs::exists(at("shop.pq")));
}

TEST_F(CliCompress, ManyItemsAreCoded) {
  const fs::path folder = folder_.path() / "large";
  fs::create_directories(folder);
  ProgramResult result =
      run_penchant({"generate", "--out", folder.string(), "--users", "400", "--items", "4000",
                    "--events", "20000", "--seed", "7", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string data = (folder / "shop.data").string(),
                    model = (folder / "shop.model").string();
  ASSERT_EQ(
      run_penchant({"ingest", "--config", (folder / "shop.toml").string(), "--quiet"}).exit_code,
      0);
  ASSERT_EQ(run_penchant({"train", data, "--out", model, "--quiet", "--set", "train.epochs=2",
                          "--set", "model.embedding_dim=25"})
                .exit_code,
            0);
  std::vector<std::string> verb = {
      "compress", data, model, "--vectors", "pq", "--out", (folder / "a").string(), "--json"};
  result = run_penchant(verb);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json said = result.json();
  EXPECT_GE(said["items"]["ratio"].get<double>(), 16.0);
  const auto rows = said["num_items"].get<std::size_t>();
  const auto subs = said["code"]["sub_quantizers"].get<std::size_t>();
  const auto bytes = said["code"]["bytes"].get<std::size_t>();
  const auto width = said["width"].get<std::size_t>();
  EXPECT_EQ(width % subs, 0U);
  const auto codes = elements<std::uint8_t>(folder / "a" / "items.codes.npy");
  EXPECT_EQ(codes.size(), rows * bytes);
  const auto codebooks = elements<float>(folder / "a" / "items.codebooks.npy");
  EXPECT_EQ(codebooks.size(), (std::size_t{1} << said["code"]["bits"].get<unsigned>()) * width);
  for (const float number : codebooks) ASSERT_TRUE(std::isfinite(number));
  for (const float number : elements<float>(folder / "a" / "users.scales.npy"))
    ASSERT_TRUE(std::isfinite(number));
  EXPECT_EQ(read_text(folder / "a" / "items.faiss").substr(0, 4), "IxPq");

  // The same seed gives the same bytes; an artefact of the kind is replaced, nothing else is.
  const std::string before = read_text(folder / "a" / "items.codes.npy");
  ASSERT_EQ(run_penchant(verb).exit_code, 0);
  EXPECT_EQ(read_text(folder / "a" / "items.codes.npy"), before);
  verb[6] = model;
  expect_input_error(run_penchant(verb), {model});
  verb[6] = (folder / "b").string();
  verb.insert(verb.end(), {"--bytes", "99"});
  expect_input_error(run_penchant(verb), {"--bytes is 99", "expected 1 to"});
  verb.back() = "0";
  expect_input_error(run_penchant(verb), {"--bytes is 0"});
  verb.back() = "4";
  result = run_penchant(verb);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.json()["code"]["bytes"], 4);
}

TEST_F(CliCompress, AnInt8NetworkIsAModel) {
  ASSERT_EQ(train_more("deep.model", {"model.kind=interest", "train.epochs=2",
                                      "model.embedding_dim=16", "model.hidden_dim=20"})
                .exit_code,
            0);
  ProgramResult result =
      compress({"--network", "int8", "--out", at("deep-int8.model"), "--json"}, at("deep.model"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json said = result.json();
  EXPECT_GT(said["overlap@10"].get<double>(), 0.8);
  EXPECT_EQ(said["ranges"]["network"].size(), 1U);
  EXPECT_GT(said["people"]["1"]["int8_ms"].get<double>(), 0.0);
  // Near the float model's vectors, but not they.
  const auto before = elements<float>(at("deep.model/vectors/users.npy"));
  const auto after = elements<float>(at("deep-int8.model/vectors/users.npy"));
  ASSERT_EQ(before.size(), after.size());
  double furthest = 0.0;
  for (std::size_t i = 0; i < before.size(); ++i)
    furthest = std::max(furthest, static_cast<double>(std::abs(before[i] - after[i])));
  EXPECT_GT(furthest, 0.0);
  EXPECT_LT(furthest, 0.25);
  for (const char* verb : {"evaluate", "recommend", "upgrade"}) {
    std::vector<std::string> arguments = {verb, at("shop.data"), at("deep-int8.model")};
    if (std::string(verb) == "recommend") arguments.insert(arguments.end(), {"--user", "u1"});
    result = run_penchant(arguments);
    EXPECT_EQ(result.exit_code, 0) << verb << ": " << result.err;
  }
  expect_input_error(
      compress({"--network", "int8", "--out", at("again.model")}, at("deep-int8.model")),
      {"int8 already"});
  expect_input_error(compress({"--network", "int8", "--out", at("deep.model")}, at("deep.model")),
                     {"--out is the model itself"});
  // Its vectors can be made smaller as well.
  EXPECT_EQ(
      compress({"--vectors", "int8", "--out", at("deep.int8")}, at("deep-int8.model")).exit_code,
      0);
}

TEST_F(CliCompress, RefusesWhatItCannotDo) {
  const std::string out = at("small");
  expect_input_error(compress({"--out", out}), {"--vectors", "--network"});
  expect_input_error(compress({"--vectors", "int8", "--network", "int8", "--out", out}),
                     {"one of --vectors"});
  expect_input_error(compress({"--vectors", "int4", "--out", out}), {"int4", "int8", "pq"});
  expect_input_error(compress({"--network", "pq", "--out", out}), {"pq", "int8"});
  expect_input_error(compress({"--vectors", "int8", "--bytes", "4", "--out", out}), {"--bytes"});
  expect_input_error(compress({"--vectors", "int8", "--seed", "4", "--out", out}), {"--seed"});
  expect_input_error(compress({"--network", "int8", "--bytes", "4", "--out", out}), {"--bytes"});
  expect_input_error(compress({"--network", "int8", "--out", out}),
                     {"lightgcn", "interest models", "--vectors"});
  ASSERT_EQ(train_more("cnn.model", {"model.kind=interest", "model.sequence=cnn", "train.epochs=1",
                                     "model.embedding_dim=16"})
                .exit_code,
            0);
  expect_input_error(compress({"--network", "int8", "--out", out}, at("cnn.model")),
                     {"cnn", "rnn and lstm"});
  ASSERT_EQ(
      train_more("filter.model", {"model.kind=graph_filter", "filter.kind=linear", "filter.rank=0"})
          .exit_code,
      0);
  expect_input_error(compress({"--vectors", "int8", "--out", out}, at("filter.model")),
                     {"no vectors"});
  write_text(at("note.txt"), "mine");
  expect_input_error(compress({"--vectors", "int8", "--out", at("note.txt")}), {"note.txt"});
  EXPECT_EQ(read_text(at("note.txt")), "mine");
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace penchant::testing
