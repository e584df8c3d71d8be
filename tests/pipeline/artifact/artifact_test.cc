// SPDX-License-Identifier: Apache-2.0
// Which files belong to an artefact, how one file and a whole artefact take their place, and
// Parquet files of more text than one block holds.
#include "pipeline/artifact/artifact.h"

#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/folder.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::read_text;
using testing::write_text;

class Artifact : public ::testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  /// An artefact of kind partition.
  void write(const fs::path& path, const std::string& parts) {
    ArtifactWriter writer(path, kPartitionArtifact);
    writer.clear();
    write_text(writer.folder() / "parts.npy", parts);
    writer.finish({{"data_hash", "00"}});
  }
  testing::TemporaryFolder folder_;
};

TEST(ArtifactFiles, KnowsWhatAStageWrites) {
  EXPECT_EQ(file_role("data", "train/user.npy"), FileRole::content);
  EXPECT_EQ(file_role("data", "train/users.npy"), FileRole::none);
  EXPECT_EQ(file_role("data", "train/notes.txt"), FileRole::none);
  EXPECT_EQ(file_role("data", "graph/relation12.values.npy"), FileRole::artefact);
  EXPECT_EQ(file_role("data", "graph.unfinished/unfinished"), FileRole::artefact);
  EXPECT_EQ(file_role("data", "graph/notes.txt"), FileRole::none);
  EXPECT_EQ(file_role("graph", "relation.values.npy"), FileRole::none);
  EXPECT_EQ(file_role("graph", "relation1.values.npy"), FileRole::content);
  EXPECT_EQ(file_role("model", "checkpoint.safetensors"), FileRole::resume);
  EXPECT_EQ(file_role("model", "selection/weights.safetensors"), FileRole::artefact);
  EXPECT_EQ(file_role("model", "trained/manifest.json"), FileRole::content);
  EXPECT_EQ(file_role("model", "trained/vectors/items.npy"), FileRole::artefact);
  EXPECT_EQ(file_role("model", "vectors/items.npy"), FileRole::content);
  EXPECT_EQ(file_role("model", "vectors/manifest.json"), FileRole::content);
  EXPECT_EQ(file_role("model", "items.npy"), FileRole::none);
  EXPECT_EQ(file_role("model", "weights.safetensors.abcdefghij23.partial"), FileRole::record);
  EXPECT_EQ(file_role("model", "thesis.txt.partial"), FileRole::none);
  for (const char* name : {"/dev/zero", "../data/users.parquet", "", ".", "train/../users.parquet"})
    EXPECT_EQ(file_role("data", name), FileRole::none) << name;
}

TEST_F(Artifact, TakesThePlaceOfTheOldAsAWhole) {
  write(at("p"), "old");
  const auto old = read_manifest(at("p"), kPartitionArtifact);
  {
    ArtifactWriter writer(at("p"), kPartitionArtifact);
    write_text(writer.folder() / "parts.npy", "half");
    EXPECT_EQ(read_text(at("p") / "parts.npy"), "old");
    check_files(at("p"), kPartitionArtifact, old);
    EXPECT_THROW(ArtifactWriter(at("p"), kPartitionArtifact), ArtifactInUse);
  }
  EXPECT_EQ(read_text(at("p") / "parts.npy"), "old") << "never finished";
  EXPECT_FALSE(fs::exists(at("p.unfinished")));
  write(at("p"), "new");
  EXPECT_EQ(read_text(at("p") / "parts.npy"), "new");
  EXPECT_FALSE(fs::exists(at("p.unfinished")));
  check_files(at("p"), kPartitionArtifact, read_manifest(at("p"), kPartitionArtifact));
}

// Killed while it wrote its marker: the next one finds a temporary file and nothing else.
TEST_F(Artifact, AMarkerThatWasNeverWrittenIsInNobodysWay) {
  write(at("p"), "old");
  fs::create_directory(at("p.unfinished"));
  write_text(at("p.unfinished/unfinished.mivhhwz4ddzn.partial"), "{");
  write(at("p"), "new");
  EXPECT_EQ(read_text(at("p") / "parts.npy"), "new");
  EXPECT_FALSE(fs::exists(at("p.unfinished")));
  fs::create_directory(at("q"));
  write_text(at("q/unfinished.mivhhwz4ddzn.partial"), "{");
  write(at("q"), "new");
  EXPECT_EQ(read_text(at("q") / "parts.npy"), "new");
  // Anything else beside it may be somebody's.
  fs::create_directory(at("r"));
  write_text(at("r/unfinished.mivhhwz4ddzn.partial"), "{");
  write_text(at("r/unfinished.thoughts"), "mine");
  EXPECT_THROW(write(at("r"), "new"), InputError);
}

TEST_F(Artifact, GuardsItselfAndItsFiles) {
  write(at("p"), "parts");
  const auto check = [&] {
    check_files(at("p"), kPartitionArtifact, read_manifest(at("p"), kPartitionArtifact));
  };
  check();
  const auto refused = [&](auto change, const char* what) {
    nlohmann::json manifest = read_manifest(at("p"), kPartitionArtifact);
    const nlohmann::json good = manifest;
    change(manifest);
    write_manifest(at("p"), manifest);
    try {
      check();
      ADD_FAILURE() << what;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
    write_manifest(at("p"), good);
  };
  refused([](auto& m) { m["files"]["/dev/zero"] = ""; }, "/dev/zero");
  refused([](auto& m) { m["files"]["../p/parts.npy"] = ""; }, "../p/parts.npy");
  refused([](auto& m) { m["files"]["order.npy"] = "00"; }, "order.npy");
  refused([](auto& m) { m["files"]["parts.npy"] = 1; }, "parts.npy");
  refused([](auto& m) { m["files"] = nlohmann::json::object(); }, "parts.npy");
  refused([](auto& m) { m.erase("files"); }, "names no files");
  // Blanks are free, values are not.
  const std::string text = read_text(at("p") / kManifestName);
  write_text(at("p") / kManifestName, nlohmann::json::parse(text).dump());
  check();
  write_text(at("p") / kManifestName, "");
  EXPECT_FALSE(is_finished(at("p"), kPartitionArtifact));
  write(at("p"), "again");
  check();
}

TEST_F(Artifact, ReadsManifestsOfEarlierProgramsWithoutAHash) {
  fs::create_directory(at("p"));
  write_text(at("p") / kManifestName, R"({"kind": "partition", "format_version": 1})");
  EXPECT_TRUE(is_finished(at("p"), kPartitionArtifact));
  write_text(at("p") / kManifestName,
             R"({"kind": "partition", "format_version": 1, "manifest_hash": "00"})");
  EXPECT_FALSE(is_finished(at("p"), kPartitionArtifact)) << "a damaged version of today's";
}

TEST_F(Artifact, ANewFileIsWholeOrAbsent) {
  write_text(at("f"), "old");
  {
    graph::NewFile file(at("f"));
    file.stream() << "half";
  }
  EXPECT_EQ(read_text(at("f")), "old");
  {
    graph::NewFile file(at("f"));
    file.stream() << std::string(1'000'000, 'x') << "end";
    EXPECT_EQ(read_text(at("f")), "old");
    file.commit();
  }
  EXPECT_EQ(read_text(at("f")).size(), 1'000'003U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
  EXPECT_THROW(graph::NewFile("/dev/null"), InputError);
  EXPECT_THROW(graph::NewFile(at("none") / "f"), InputError);
  ASSERT_EQ(mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_THROW(graph::open_regular(at("pipe")), InputError);
}

TEST_F(Artifact, ParquetTakesMoreTextThanOneBlockHolds) {
  std::vector<std::string> texts;
  for (int row = 0; row < 100; ++row) texts.push_back(std::string(7, 'a') + std::to_string(row));
  ListColumn lists;
  lists.offsets = {0};
  for (const std::string& text : texts) {
    lists.elements.insert(lists.elements.end(), {text, "b"});
    lists.offsets.push_back(static_cast<std::int64_t>(lists.elements.size()));
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<std::int64_t> numbers(100);
  for (std::size_t row = 0; row < 100; ++row) numbers[row] = static_cast<std::int64_t>(row);
  ParquetWriter writer(at("t.parquet"), 50);  // five rows a block, and less
  writer.write(100, {{"text", views}, {"list", lists}, {"number", Int64Column{numbers, -1}}});
  writer.close();
  const std::vector<std::string> columns = {"text", "list", "number"};
  TableReader reader(at("t.parquet"), {}, columns);
  TextBatch batch;
  std::size_t row = 0;
  while (reader.next(batch)) {
    for (std::size_t r = 0; r < static_cast<std::size_t>(batch.num_rows); ++r, ++row) {
      EXPECT_EQ(batch.columns[0][r], texts[row]);
      EXPECT_EQ(batch.columns[1][r], kListSeparator + texts[row] + kListSeparator + "b");
      EXPECT_EQ(batch.columns[2][r], std::to_string(row));
    }
  }
  EXPECT_EQ(row, 100U);
}

}  // namespace
}  // namespace penchant::pipeline
