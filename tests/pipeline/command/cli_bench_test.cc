// SPDX-License-Identifier: Apache-2.0
// penchant bench as a user calls it: formats, plans, refusals.
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/pipeline/support/program.h"
#include "tests/support/sanitizer.h"

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
  const auto folder = [&](const std::string& name) { return (folder_.path() / name).string(); };
  const std::vector<std::string> graph = {"bench", "-g", "bipartite", "--scale", "8"};
  const auto export_to = [&](const std::string& name, std::vector<std::string> words) {
    words.insert(words.end(), {"--export", folder(name)});
    const ProgramResult result = run_penchant(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
  };
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = graph;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const auto array = [&](const std::string& name, const char* file) {
    return read_text(folder_.path() / name / file);
  };
  export_to("plain", graph);
  export_to("degree", with({"--order", "degree"}));
  export_to("again", {"bench", "-g", folder("degree")});
  export_to("ordered", {"bench", "-g", folder("plain"), "--order", "degree"});
  for (const char* file : {"offsets.npy", "columns.npy", "values.npy"}) {
    EXPECT_NE(array("plain", file), "") << file;
    EXPECT_NE(array("plain", file), array("degree", file)) << file;
    EXPECT_EQ(array("degree", file), array("again", file)) << file;
    EXPECT_EQ(array("degree", file), array("ordered", file)) << file;
  }
  const auto entries = [](std::vector<std::string> words) {
    words.insert(words.end(), {"-r", "1", "--json", "--device", "cpu"});
    return run_penchant(words).json()["rows"][0]["entries"];
  };
  EXPECT_EQ(entries({"bench", "-g", folder("degree"), "-w", "forward_backward"}), entries(graph));
  expect_input_error(run_penchant(with({"--scale", "9", "--export", folder("both")})),
                     {"--export of 2 graphs"});
  expect_input_error(run_penchant({"bench", "-w", "ingest", "--export", folder("none")}),
                     {"nothing to --export", "graph_build"});
}

TEST_F(CliBench, ExportNeedsTheGraphsMemoryAlone) {
  // 512 MiB for each of two tables, 12 MiB for the graph.
  const std::vector<std::string> graph = {"bench", "--scale", "17",       "--edge-factor", "4",
                                          "-d",    "1024",    "--memory", "300M"};
  std::vector<std::string> words = graph;
  words.insert(words.end(), {"--export", (folder_.path() / "csr").string()});
  EXPECT_EQ(run_penchant(words).exit_code, 0);
  EXPECT_EQ(run_penchant(graph).exit_code, 4);
  words = {"bench", "--memory", "1M", "--export", (folder_.path() / "none").string()};
  const ProgramResult refused = run_penchant(words);
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_NE(refused.err.find("--export of spmm on rmat 2^16 x 16"), std::string::npos)
      << refused.err;
}

/// Each row's peak is within the plan's sum without the phase that measures the machine, which is
/// over when the first row begins.
void expect_peaks_within_plan(std::vector<std::string> words) {
  words.insert(words.begin(), "bench");
  words.insert(words.end(), {"--device", "cpu", "-r", "1", "--min-time", "0", "--json", "--quiet"});
  const ProgramResult result = run_penchant(words);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  words.push_back("--plan");
  const json cases = run_penchant(words).json()["cases"];
  const json rows = result.json()["rows"];
  ASSERT_EQ(rows.size(), cases.size());
  for (std::size_t k = 0; k < rows.size(); ++k) {
    std::map<std::string, std::int64_t> held;
    for (const json& array : cases[k]["arrays"])
      held[array["held"]] += array["bytes"].get<std::int64_t>();
    const std::int64_t plan = held["always"] + held["from loading on"] +
                              std::max({held["loading"], held["ordering"], held["running"]});
    const auto peak = rows[k]["peak_bytes"].get<std::int64_t>();
    EXPECT_LE(peak, plan) << rows[k]["workload"] << " on " << rows[k]["graph"] << " in order "
                          << rows[k]["order"] << " exceeds its plan:\n"
                          << cases[k].dump(2);
    EXPECT_LE(plan, rows[k]["planned_bytes"].get<std::int64_t>() + (std::int64_t{8} << 20))
        << "of another process, whose own size differs";
  }
}

/// Not with AddressSanitizer: freed memory is kept, and all of it has a shadow.
const bool kExactMemory = !support::address_sanitizer();

TEST_F(CliBench, PeaksAreWithinThePlanOfSmallCases) {
  if (!kExactMemory) GTEST_SKIP() << "with AddressSanitizer the peak is not of what is held";
  expect_peaks_within_plan({"-w",
                            "spmm,gcn_layer,lightgcn_forward,forward_backward,training_step,"
                            "embedding,topk,partition,ingest,graph_build",
                            "-g", "rmat,bipartite,lattice", "--scale", "10", "--order",
                            "none,degree,metis", "--events", "2000"});
  std::string text;
  for (int k = 0; k < 1000; ++k)
    text += std::to_string(k) + " " + std::to_string(2'000'000'000 + k % 7) + "\n";
  expect_peaks_within_plan({"-g", file("far_apart.txt", text)});
}

TEST_F(CliBench, PeaksAreWithinThePlanOfMediumCases) {
  if (!kExactMemory) GTEST_SKIP() << "with AddressSanitizer the peak is not of what is held";
  // Tables of 64 MiB: none of them may be missing from the plan.
  expect_peaks_within_plan({"-w", "spmm,gcn_layer,forward_backward,training_step,embedding",
                            "--scale", "18", "--edge-factor", "1", "--batch", "64", "--layers",
                            "3"});
  expect_peaks_within_plan({"-w", "lightgcn_forward,partition,topk", "-g", "bipartite", "--scale",
                            "14", "--edge-factor", "16", "--order", "degree,metis", "--batch",
                            "8"});
  expect_peaks_within_plan({"-w", "graph_build,ingest", "--events", "200000"});
  // 130 MiB of a graph that the workloads after it have no use for.
  expect_peaks_within_plan({"-w", "spmm,graph_build,ingest", "-g", "lattice", "--scale", "19", "-d",
                            "8", "--events", "2000"});
  const std::string folder = (folder_.path() / "csr").string();
  ASSERT_EQ(run_penchant({"bench", "--scale", "14", "--export", folder}).exit_code, 0);
  std::string text;
  for (int k = 0; k < 400'000; ++k)
    text += std::to_string(k % 50000) + " " + std::to_string(k * 7919LL % 99991) + "\n";
  const std::string plain = file("edges.txt", text);
  const std::string packed = file("edges.txt.gz", as_gzip(text));
  expect_peaks_within_plan(
      {"-w", "forward_backward", "-g", folder + "," + plain + "," + packed, "-d", "8"});
}

TEST_F(CliBench, PlanAllocatesNothing) {
  const ProgramResult result = run_penchant(
      {"bench", "--plan", "--scale", "30", "--edge-factor", "64", "-o", "json", "--memory", "1G"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json planned = result.json()["cases"][0];
  EXPECT_EQ(planned["fits"], false);
  EXPECT_GT(planned["total_bytes"], std::int64_t{1} << 40);
  EXPECT_NE(run_penchant({"bench", "--plan", "--scale", "8"}).out.find("fits"), std::string::npos);
  expect_input_error(run_penchant({"bench", "--plan", "-o", "csv"}), {"--plan", "csv", "jsonl"});
}

TEST_F(CliBench, WhatDoesNotFitExitsFourWithTheNumbers) {
  const ProgramResult result = run_penchant({"bench", "--scale", "20", "--memory", "64M"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_EQ(result.out, "");
  for (const char* word : {"rmat 2^20 x 16", "64.00 MiB may be taken", "--plan"})
    EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
}

TEST_F(CliBench, ASweepLeavesOutWhatDoesNotFitAndRunsTheRest) {
  for (const char* quiet : {"--quiet", "--json"}) {
    const ProgramResult result =
        run_penchant({"bench", "--device", "cpu", "--scale", "6,22", "-d", "8,16", "-r", "1",
                      "--min-time", "0", "--memory", "400M", "--json", quiet});
    EXPECT_EQ(result.exit_code, 4);
    const json document = result.json();
    ASSERT_EQ(document["rows"].size(), 2U);
    EXPECT_EQ(document["rows"][1]["graph"], "rmat 2^6 x 16");
    EXPECT_EQ(document["skipped"].size(), 2U);
    for (const char* word : {"2 of 4 cases left out for want of memory", "at width 8 needs",
                             "rmat 2^22 x 16 at width 16 needs", "400.00 MiB may be taken"})
      EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
  }
}

TEST_F(CliBench, LittleMemoryShrinksTheTriadAndSaysSo) {
  const ProgramResult result = run_penchant({"bench", "--device", "cpu", "--scale", "6", "-r", "1",
                                             "--min-time", "0", "--memory", "300M", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_LT(result.json()["triad_array_bytes"], 3 * (128 << 20));
  EXPECT_NE(result.err.find("the triad runs over"), std::string::npos) << result.err;
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
  expect_input_error(run_penchant({"bench", "--memory", "9000000T"}),
                     {"--memory", "'9000000T'", "8388608T"});
  for (const char* seconds : {"inf", "nan", "1e30"})
    expect_input_error(run_penchant({"bench", "--min-time", seconds}),
                       {"--min-time", seconds == std::string("1e30") ? "1e+30" : seconds, "3600"});
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
