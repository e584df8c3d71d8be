// SPDX-License-Identifier: Apache-2.0
#include "graph/read_graph.h"

#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/npy.h"
#include "tests/graph/graphs.h"
#include "tests/support/sanitizer.h"

namespace penchant::graph {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ReadGraph : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("read_graph_test_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  fs::path gzip(const std::string& name, const std::string& text) const {
    const gzFile file = gzopen((folder_ / name).c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    return folder_ / name;
  }
  std::string error(const std::string& name, const std::string& text) const {
    try {
      read_graph(file(name, text));
    } catch (const InputError& caught) {
      return caught.what();
    }
    return "no error";
  }
  fs::path folder_;
};

//  0 - 1 - 2      The graph of most tests; node 4 has no edge where the format allows that.
//   \ /
//    3
Csr kite(std::int64_t num_nodes) {
  Csr want;
  want.num_rows = want.num_cols = num_nodes;
  want.offsets = {0, 2, 5, 6, 8};
  want.columns = {1, 3, 0, 2, 3, 1, 0, 1};
  want.offsets.resize(static_cast<std::size_t>(num_nodes) + 1, 8);
  return want;
}

TEST_F(ReadGraph, Metis) {
  expect_equal(read_graph(file("a.graph", "% a comment\n5 4\n2 4\n1 3 4\n2\n% more\n1 2\n\n")),
               kite(5));
}

TEST_F(ReadGraph, MetisWithWeightsOfNodesAndEdges) {
  expect_equal(read_graph(file("a.graph",
                               "4 4 111 2\n9 1 1 2 5 4 5\n9 1 1 1 5 3 5 4 5\n9 1 1 2 5\n"
                               "9 1 1 1 5 2 5\n")),
               kite(4));
}

TEST_F(ReadGraph, MetisErrorsNameTheLine) {
  EXPECT_THAT(error("a.graph", "3 2\n2\n1 x\n2\n"),
              HasSubstr("a.graph:3: a neighbour is 'x', expected an integer"));
  EXPECT_THAT(error("a.graph", "3 2\n2\n1 4\n2\n"),
              HasSubstr("a.graph:3: a neighbour is 4, expected 1 to 3"));
  EXPECT_THAT(error("a.graph", "3 2\n2\n1 3\n"), HasSubstr("the file ends at node 2 of 3"));
  EXPECT_THAT(error("a.graph", "2 1\n2\n1\n1\n"), HasSubstr("a line behind the last"));
  EXPECT_THAT(error("a.graph", "2 2\n2\n1\n"), HasSubstr("2 neighbours for 2 edges"));
  EXPECT_THAT(error("a.graph", "3 1\n2\n3\n\n"), HasSubstr("not symmetric"));
  EXPECT_THAT(error("a.graph", "2 1\n1\n2\n"), HasSubstr("its own neighbour"));
  EXPECT_THAT(error("a.graph", "2 1 7\n2\n1\n"), HasSubstr("format code '7'"));
  EXPECT_THAT(error("a.graph", ""), HasSubstr("no header"));
}

TEST_F(ReadGraph, MatrixMarketSymmetricAndGeneral) {
  expect_equal(read_graph(file("a.mtx",
                               "%%MatrixMarket matrix coordinate real symmetric\n% c\n4 4 4\n"
                               "2 1 1.5\n4 1 -2e3\n3 2 1\n4 2 +1\n")),
               kite(4));
  expect_equal(read_graph(file("a.mtx",
                               "%%MatrixMarket MATRIX Coordinate Pattern General\n4 4 6\n"
                               "1 2\n1 4\n2 3\n2 4\n4 2\n3 3\n")),
               kite(4));
}

TEST_F(ReadGraph, RectangularMatrixIsBipartite) {
  const Csr csr = read_graph(
      file("a.mtx", "%%MatrixMarket matrix coordinate pattern general\n1 2 2\n1 1\n1 2\n"));
  EXPECT_EQ(csr.offsets, (std::vector<EdgeOffset>{0, 2, 3, 4}));
  EXPECT_EQ(csr.columns, (std::vector<NodeId>{1, 2, 0, 0}));
}

TEST_F(ReadGraph, MatrixMarketErrorsNameTheLine) {
  const std::string head = "%%MatrixMarket matrix coordinate real general\n";
  EXPECT_THAT(error("a.mtx", head + "2 2 2\n1 2 3.5\n2 x 1\n"),
              HasSubstr("a.mtx:4: the column is 'x', expected an integer"));
  EXPECT_THAT(error("a.mtx", head + "2 2 1\n1 3 1\n"),
              HasSubstr("a.mtx:3: the column is 3, expected 1 to 2"));
  EXPECT_THAT(error("a.mtx", head + "2 2 1\n1 2\n"), HasSubstr("a.mtx:3: the value is missing"));
  EXPECT_THAT(error("a.mtx", head + "2 2 1\n1 2 one\n"), HasSubstr("the value is 'one'"));
  EXPECT_THAT(error("a.mtx", head + "2 2 1\n1 2 1 1\n"), HasSubstr("'1' behind the entry"));
  EXPECT_THAT(error("a.mtx", head + "2 2 3\n1 2 1\n"), HasSubstr("ends after 1 of 3 entries"));
  EXPECT_THAT(error("a.mtx", head + "2 2 1\n1 2 1\n2 1 1\n"), HasSubstr("more entries than"));
  EXPECT_THAT(error("a.mtx", head), HasSubstr("no line 'rows columns entries'"));
  EXPECT_THAT(error("a.mtx", "%%MatrixMarket matrix array real general\n1 1\n1\n"),
              HasSubstr("a.mtx:1: a 'matrix array'"));
}

TEST_F(ReadGraph, EdgeListWithGapsInTheIds) {
  const std::string text = "# SNAP\n# From\tTo\n10\t20\n10\t99\n20,31\r\n20 99 0.5\n99 20\n31 31";
  expect_equal(read_graph(file("a.txt", text)), [] {
    //  10 -> 0, 20 -> 1, 31 -> 2, 99 -> 3
    return kite(4);
  }());
  expect_equal(read_graph(gzip("a.txt.gz", text)), kite(4));
}

TEST_F(ReadGraph, EdgeListWhoseIdsAreFarApartIsNumberedAlike) {
  // Ids that fill their range are numbered by a table, others by search: the same graph.
  std::string near;
  std::string far;
  for (int k = 0; k < 200; ++k) {
    const int from = k * 37 % 101;
    const int to = k * 53 % 97;
    near += std::to_string(from) + " " + std::to_string(to) + "\n";
    far += std::to_string(from * 21000000) + " " + std::to_string(to * 21000000) + "\n";
  }
  const Csr want = read_graph(file("near.txt", near));
  EXPECT_EQ(want.num_rows, 101);
  expect_equal(read_graph(file("far.txt", far)), want);
  const Csr two = read_graph(file("two.txt", "2147483646 0\n"));
  EXPECT_EQ(two.columns, (std::vector<NodeId>{1, 0}));
}

TEST_F(ReadGraph, EdgeListOfOneLineTakesNoMemoryForTheIdsBelow) {
  if (support::address_sanitizer())
    GTEST_SKIP() << "AddressSanitizer's own mappings exceed any limit";
  // The id's own array would have 8 GB.
  rlimit old{};
  getrlimit(RLIMIT_DATA, &old);
  const fs::path path = file("far.txt", "1 2000000000\n");
  const rlimit little{std::min<rlim_t>(rlim_t{1} << 30, old.rlim_max), old.rlim_max};
  setrlimit(RLIMIT_DATA, &little);
  EXPECT_NO_THROW(EXPECT_EQ(read_graph(path).num_rows, 2));
  setrlimit(RLIMIT_DATA, &old);
}

TEST_F(ReadGraph, LongFilesCrossTheReadersBuffer) {
  std::string text;
  for (int k = 0; k < 300000; ++k) text += std::to_string(k) + " " + std::to_string(k + 1) + "\n";
  const Csr csr = read_graph(gzip("path.txt.gz", text));
  EXPECT_EQ(csr.num_rows, 300001);
  EXPECT_EQ(csr.columns.size(), 600000U);
  validate(csr.view());
  const GraphExtent extent = graph_extent(folder_ / "path.txt.gz");
  EXPECT_FALSE(extent.exact);
  EXPECT_NEAR(static_cast<double>(extent.num_entries), 600000, 300000);
}

TEST_F(ReadGraph, EdgeListErrorsNameTheLine) {
  EXPECT_THAT(error("a.txt", "1 2\n\n# c\n3\n"), HasSubstr("a.txt:4: the second id is missing"));
  EXPECT_THAT(error("a.txt", "1 2\n3 -1\n"), HasSubstr("a.txt:2: the second id is -1"));
  EXPECT_THAT(error("a.txt", "u1 2\n"), HasSubstr("a.txt:1: the first id is 'u1'"));
}

TEST_F(ReadGraph, FolderOfNpyIsTakenAsItIs) {
  const Csr want{3, 3, {0, 1, 3, 3}, {2, 0, 1}, {0.5F, 1.0F, -2.0F}};
  const auto write = [&](const char* name, const auto& values) {
    std::ofstream out(folder_ / name, std::ios::binary);
    const auto size = static_cast<std::int64_t>(values.size());
    write_npy<typename std::decay_t<decltype(values)>::value_type>(out, values,
                                                                   std::span(&size, 1));
  };
  write("offsets.npy", want.offsets);
  write("columns.npy", want.columns);
  write("values.npy", want.values);
  expect_equal(read_graph(folder_), want);
  const GraphExtent extent = graph_extent(folder_);
  EXPECT_EQ(extent.num_nodes, 3);
  EXPECT_EQ(extent.num_entries, 3);
  write("columns.npy", std::vector<NodeId>{2, 0, 7});
  EXPECT_THROW(read_graph(folder_), InputError);
}

TEST_F(ReadGraph, ExtentsComeFromTheHeader) {
  const GraphExtent metis = graph_extent(file("a.graph", "5 4\n2 4\n1 3 4\n2\n1 2\n\n"));
  EXPECT_EQ(metis.num_nodes, 5);
  EXPECT_EQ(metis.num_entries, 8);
  EXPECT_TRUE(metis.exact);
  const GraphExtent market = graph_extent(
      file("a.mtx", "%%MatrixMarket matrix coordinate pattern general\n1000 2000 70000\n"));
  EXPECT_EQ(market.num_nodes, 3000);
  EXPECT_EQ(market.num_entries, 140000);
}

TEST_F(ReadGraph, MissingFilesAndFolders) {
  EXPECT_THROW(read_graph(folder_ / "none.graph"), InputError);
  EXPECT_THROW(read_graph(folder_), InputError);
}

}  // namespace
}  // namespace penchant::graph
