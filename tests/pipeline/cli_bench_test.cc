// SPDX-License-Identifier: Apache-2.0
// penchant bench as a user calls it: formats, plans, refusals.
#include <gtest/gtest.h>

#include "tests/pipeline/program.h"

namespace penchant::testing {
namespace {

using nlohmann::json;

class CliBench : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    write_text(folder_.path() / name, text);
    return (folder_.path() / name).string();
  }
  TemporaryFolder folder_;
};

TEST_F(CliBench, SweepsByCommaLists) {
  const ProgramResult result =
      run_penchant({"bench", "--device", "cpu", "--scale", "6,7", "--dim", "8,16", "--dtype",
                    "f32,bf16", "-r", "2", "--min-time", "0", "-o", "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json document = result.json();
  EXPECT_EQ(document["rows"].size(), 8U);
  EXPECT_GT(document["triad_gb_s"], 0);
  EXPECT_NE(document["commit"], "");
  for (const json& row : document["rows"]) {
    EXPECT_GT(row["median_s"], 0);
    EXPECT_NE(row["verified"], "");
    EXPECT_GT(row["peak_bytes"], 0);
  }
}

TEST_F(CliBench, ReadsTheUsersGraphs) {
  const std::string metis = file("triangle.graph", "3 3\n2 3\n1 3\n1 2\n");
  const std::string market =
      file("path.mtx", "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 2\n");
  const std::string edges = file("edges.txt.gz", as_gzip("# c\n10 20\n20 30\n30 40\n"));
  const json rows = run_penchant({"bench", "-g", metis + "," + market + "," + edges, "--device",
                                  "cpu", "-w", "forward_backward", "-r", "1", "--json"})
                        .json()["rows"];
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0]["entries"], 6);
  EXPECT_EQ(rows[1]["entries"], 4);
  EXPECT_EQ(rows[2]["nodes"], 4);
}

TEST_F(CliBench, ExportsTheGraphThatItTimes) {
  const std::string folder = (folder_.path() / "csr").string();
  const std::vector<std::string> graph = {"bench", "-g", "bipartite", "--scale", "8"};
  std::vector<std::string> arguments = graph;
  arguments.insert(arguments.end(), {"--order", "degree", "--export", folder});
  ASSERT_EQ(run_penchant(arguments).exit_code, 0);
  const auto entries = [](std::vector<std::string> words) {
    words.insert(words.end(), {"-r", "1", "--json", "--device", "cpu"});
    return run_penchant(words).json()["rows"][0]["entries"];
  };
  EXPECT_EQ(entries({"bench", "-g", folder, "-w", "forward_backward"}), entries(graph));
  arguments.insert(arguments.end(), {"--scale", "9"});
  expect_input_error(run_penchant(arguments), {"--export of 2 graphs"});
}

TEST_F(CliBench, PlanAllocatesNothing) {
  const ProgramResult result = run_penchant(
      {"bench", "--plan", "--scale", "30", "--edge-factor", "64", "-o", "json", "--memory", "1G"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json planned = result.json()["cases"][0];
  EXPECT_EQ(planned["fits"], false);
  EXPECT_GT(planned["total_bytes"], std::int64_t{1} << 40);
  EXPECT_NE(run_penchant({"bench", "--plan", "--scale", "8"}).out.find("fits"), std::string::npos);
}

TEST_F(CliBench, WhatDoesNotFitExitsFourWithTheNumbers) {
  const ProgramResult result = run_penchant({"bench", "--scale", "20", "--memory", "64M"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_EQ(result.out, "");
  for (const char* word : {"rmat 2^20 x 16", "64.00 MiB may be taken", "--plan"})
    EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
}

TEST_F(CliBench, BadInputNamesWhatWasExpected) {
  expect_input_error(run_penchant({"bench", "-w", "spm"}),
                     {"--workload", "'spm'", "lightgcn_forward"});
  expect_input_error(run_penchant({"bench", "-o", "xml"}), {"-o", "'xml'", "jsonl"});
  expect_input_error(run_penchant({"bench", "-g", "no/such.graph"}), {"no/such.graph"});
  expect_input_error(run_penchant({"bench", "--format", "hdf5"}), {"--format", "matrix_market"});
  expect_input_error(run_penchant({"bench", "--scale", "31"}), {"--scale 31", "30"});
  expect_input_error(run_penchant({"bench", "--dim", "0"}), {"--dim is 0"});
  expect_input_error(run_penchant({"bench", "--dim", "6x"}), {"--dim"});
  expect_input_error(run_penchant({"bench", "--memory", "lots"}), {"--memory", "'lots'"});
  expect_input_error(run_penchant({"bench", "--order", "random"}), {"--order", "metis"});
  expect_input_error(run_penchant({"bench", "--variant", "cusparse", "--device", "cpu"}),
                     {"variant cusparse needs --device cuda"});
  const std::string broken = file(
      "broken.mtx", "%%MatrixMarket matrix coordinate real general\n3 3 2\n1 2 0.5\n2 nine 1\n");
  expect_input_error(run_penchant({"bench", "-g", broken}),
                     {"broken.mtx:4", "the column is 'nine'"});
  expect_input_error(run_penchant({"bench", "-g", file("none.txt", "# nothing\n")}), {"no edge"});
}

TEST_F(CliBench, DeviceThatIsNotThereExitsThree) {
  if (run_penchant({"info", "--json"}).json()["cuda"] == "available")
    GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(run_penchant({"bench", "--device", "cuda", "--scale", "6"}).exit_code, 3);
}

}  // namespace
}  // namespace penchant::testing
