// SPDX-License-Identifier: Apache-2.0
// X.data whose hashes are right, but whose files do not fit together.
#include "pipeline/data/check_dataset.h"

#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/files.h"
#include "graph/npy.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

class CheckDataset : public penchant::testing::IngestTest {
 protected:
  void SetUp() override {
    std::string log = "user,item,time,event,weight\n";
    for (int user = 0; user < 20; ++user) {
      for (int row = 0; row < 8; ++row) log += fmt_row(user, row);
    }
    IngestOptions options;
    options.log.files = {write("log.csv", log)};
    options.columns.user = "user";
    options.columns.item = "item";
    options.columns.time = "time";
    options.columns.event = "event";
    options.columns.weight = "weight";
    pipeline::ingest(options, at("x.data"), silent_progress());
    good_ = read_manifest(at("x.data"), kDataArtifact);
  }
  static std::string fmt_row(int user, int row) {
    return "u" + std::to_string(user) + ",i" + std::to_string((user + row * 3) % 11) + "," +
           std::to_string(1600000000 + 1000 * row + user) + "," + (row % 2 == 0 ? "view" : "buy") +
           ",2\n";
  }

  /// What reading says after `change`, with all hashes made right again; "" if it is accepted.
  std::string after(const std::function<void(const fs::path&, json&)>& change) {
    const fs::path copy = at("copy.data");
    fs::remove_all(copy);
    fs::copy(at("x.data"), copy, fs::copy_options::recursive);
    json manifest = good_;
    change(copy, manifest);
    for (auto& [name, hash] : manifest["files"].items()) {
      if (fs::exists(copy / name)) hash = hash_file(copy / name);
    }
    manifest["hash"] = hash_bytes(manifest["files"].dump() + manifest["attributes"].dump());
    write_manifest(copy, manifest);
    try {
      read_dataset(copy);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
  template <typename T>
  static auto changed(const std::string& name, const std::function<void(std::vector<T>&)>& edit) {
    return [=](const fs::path& folder, json&) {
      auto values = graph::read_npy<T>(folder / name);
      edit(values);
      const auto size = static_cast<std::int64_t>(values.size());
      write_file_atomically(folder / name, [&](std::ostream& out) {
        graph::write_npy<T>(out, values, std::span(&size, 1));
      });
    };
  }
  static auto without(const std::string& name) {
    return [=](const fs::path& folder, json& manifest) {
      fs::remove(folder / name);
      manifest["files"].erase(name);
    };
  }

  json good_;
};

TEST_F(CheckDataset, AcceptsWhatIngestWrote) {
  EXPECT_EQ(after([](const fs::path&, json&) {}), "");
}

TEST_F(CheckDataset, ColumnsAreThereAndOfOneLength) {
  for (const char* part : {"train/", "validation/", "test/"}) {
    for (const char* column : {"user.npy", "item.npy", "weight.npy", "time_ms.npy", "event.npy"}) {
      const std::string name = std::string(part) + column;
      EXPECT_NE(after(without(name)), "") << name;
    }
    EXPECT_THAT(after(changed<float>(std::string(part) + "weight.npy",
                                     [](auto& values) { values.clear(); })),
                HasSubstr("weight.npy"));
    EXPECT_THAT(after(changed<std::int64_t>(std::string(part) + "time_ms.npy",
                                            [](auto& values) { values.pop_back(); })),
                HasSubstr("time_ms.npy"));
  }
}

TEST_F(CheckDataset, RowsAreInRangeAndInOrder) {
  const auto ids = [&](const char* name, std::function<void(std::vector<std::int32_t>&)> edit) {
    EXPECT_THAT(after(changed<std::int32_t>(name, edit)), HasSubstr(name));
  };
  ids("train/user.npy", [](auto& values) { std::swap(values.front(), values.back()); });
  ids("train/user.npy", [](auto& values) { values.back() = 20; });
  ids("test/user.npy", [](auto& values) { values.front() = -1; });
  ids("train/item.npy", [](auto& values) { values.front() = 1 << 30; });
  for (const float weight : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(
        after(changed<float>("train/weight.npy", [=](auto& values) { values[3] = weight; })),
        HasSubstr("train/weight.npy"));
  }
  const auto beyond = static_cast<std::int8_t>(good_["event_names"].size());
  for (const std::int8_t event : {std::int8_t{-1}, beyond}) {
    EXPECT_THAT(after(changed<std::int8_t>("validation/event.npy",
                                           [=](auto& values) { values[0] = event; })),
                HasSubstr("validation/event.npy"));
  }
  for (const std::int64_t time : {graph::kNoTime, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_THAT(
        after(changed<std::int64_t>("train/time_ms.npy", [=](auto& values) { values[2] = time; })),
        HasSubstr("train/time_ms.npy"));
  }
}

TEST_F(CheckDataset, DictionariesAreThoseOfTheRows) {
  const auto entities = [&](std::vector<std::string> ids, std::vector<std::int64_t> counts) {
    return after([&](const fs::path& folder, json&) {
      const Dataset dataset = read_dataset(at("x.data"));
      ids.resize(20);
      counts.resize(20);
      for (std::size_t user = 0; user < 20; ++user) {
        if (ids[user].empty()) ids[user] = "u" + std::to_string(user);
        if (counts[user] == 0) counts[user] = dataset.user_statistics.count[user];
      }
      ParquetWriter writer(folder / "users.parquet");
      writer.write(20, {{"raw_id", std::vector<std::string_view>(ids.begin(), ids.end())},
                        {"count", Int64Column{counts, -7}},
                        {"first_time_ms", Int64Column{dataset.user_statistics.first_time_ms, 0}},
                        {"last_time_ms", Int64Column{dataset.user_statistics.last_time_ms, 0}}});
      writer.close();
    });
  };
  EXPECT_EQ(entities({}, {}), "");
  EXPECT_THAT(entities({"u1"}, {}), HasSubstr("users.parquet"));
  EXPECT_THAT(entities({}, {-1}), HasSubstr("users.parquet"));
  EXPECT_THAT(entities({}, {-7}), HasSubstr("users.parquet")) << "null";
  EXPECT_THAT(entities({}, {1000}), HasSubstr("users.parquet"));
  EXPECT_THAT(after([&](const fs::path& folder, json&) {
                const Dataset dataset = read_dataset(at("x.data"));
                const std::vector<std::string> ids(20, "x");
                const std::vector<std::string_view> texts(ids.begin(), ids.end());
                ParquetWriter writer(folder / "users.parquet");
                writer.write(20, {{"raw_id", texts},
                                  {"count", texts},
                                  {"first_time_ms", texts},
                                  {"last_time_ms", texts}});
                writer.close();
              }),
              HasSubstr("users.parquet"));
}

TEST_F(CheckDataset, TheManifestAgreesWithTheFiles) {
  for (const char* key : {"num_users", "num_items", "num_train", "num_validation", "num_test"}) {
    EXPECT_THAT(after([=](const fs::path&, json& manifest) {
                  manifest[key] = manifest[key].get<std::int64_t>() + 1;
                }),
                HasSubstr(key));
  }
  EXPECT_THAT(after([](const fs::path&, json& manifest) { manifest["repeated_share"] = 7.0; }),
              HasSubstr("repeated_share"));
  EXPECT_THAT(after([](const fs::path&, json& manifest) { manifest["files"] = json::object(); }),
              HasSubstr("not among the files"));
  EXPECT_THAT(after([](const fs::path&, json& manifest) { manifest["event_names"] = "view"; }),
              HasSubstr("damaged"));
}

}  // namespace
}  // namespace penchant::pipeline
