// SPDX-License-Identifier: Apache-2.0
// What the issue of the CUDA backend asks to be measured, on one GPU: sparse products of the own
// kernels beside the best of cuSPARSE, training steps, a catalogue's vectors, top-k.
//   gpu_bench [--part NAME] [--data FOLDER] [--work FOLDER] [--small] > results.json
//     NAME is spmm, steps, topk or catalogue; without it all are measured
//   gpu_bench --check     prints the device
//   gpu_bench --profile   two products of the largest graph, for a profiler
// Needs no library but the module's: bench/gpu.sh carries it to machines that have only CUDA. Exits
// 3 without a usable GPU, 1 if two variants disagree.
#include "bench/gpu_bench.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>

namespace penchant::bench {
namespace {

constexpr std::string_view kParts[] = {"spmm", "steps", "topk", "catalogue"};

struct Request {
  std::string part;  ///< empty: all
  std::string data;
  std::string work = "/tmp/penchant-gpu-bench";
  bool small = false;
  bool check = false;
  bool profile = false;
};

graph::Csr largest_graph(bool small) {
  return small ? power_law(5'000, 2'000, 50'000).adjacency()
               : power_law(4'000'000, 1'000'000, 50'000'000).adjacency();
}

Interactions gowalla(const Request& request) {
  return request.data.empty() ? power_law(29858, 40981, 810128)
                              : read_lightgcn(request.data + "/gowalla/train.txt");
}

json products(const Request& request, bool& agree) {
  json results = json::array();
  const auto add = [&](const std::string& name, const graph::Csr& matrix) {
    for (json& result : spmm(name, matrix, agree)) results.push_back(std::move(result));
  };
  add(request.data.empty() ? "like Gowalla" : "Gowalla", gowalla(request).adjacency());
  add("R-MAT 1.6 M", rmat(16, 12));
  add("bipartite 10 M",
      power_law(500'000, 200'000, request.small ? 50'000 : 5'000'000).adjacency());
  if (!request.small) {
    add("R-MAT 30 M", rmat(20, 16));
    add("bipartite 100 M", largest_graph(request.small));
  }
  return results;
}

json measure(const Request& request, bool& agree) {
  const auto asked = [&](std::string_view part) {
    return request.part.empty() || request.part == part;
  };
  json results = {{"device", gpu()->description()}};
  if (asked("spmm")) {
    results["copy_tb_per_s"] = copy_tb_per_s(std::int64_t{1} << (request.small ? 24 : 30));
    results["spmm"] = products(request, agree);
  }
  if (asked("steps")) {
    results["lightgcn"] = lightgcn(gowalla(request), 2048);
    results["lstm"] = lstm(256, 50);
    results["convolution"] = convolution(256, 50, agree);
    results["interest"] = interest(256, 50);
  }
  if (asked("topk")) results["topk"] = topk(50'000, 90'000);
  if (asked("catalogue"))
    results["catalogue"] = catalogue(request.small ? 100'000 : 100'000'000, request.work);
  results["variants_agree"] = agree;
  return results;
}

int run(const Request& request) {
  if (kernels::cuda_status() != "available") {
    std::fprintf(stderr, "gpu_bench: no device: %s\n", kernels::cuda_status().c_str());
    return 3;
  }
  if (request.check) {
    std::printf("%s\n", gpu()->description().c_str());
    return 0;
  }
  if (request.profile) {
    profile_spmm(largest_graph(request.small));
    return 0;
  }
  bool agree = true;
  std::printf("%s\n", measure(request, agree).dump(2).c_str());
  if (!agree) std::fprintf(stderr, "gpu_bench: two variants of an op disagree\n");
  return agree ? 0 : 1;
}

}  // namespace
}  // namespace penchant::bench

int main(int argc, char** argv) {
  penchant::bench::Request request;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    if (word == "--small") {
      request.small = true;
    } else if (word == "--check") {
      request.check = true;
    } else if (word == "--profile") {
      request.profile = true;
    } else if (word == "--part" && k + 1 < argc &&
               std::find(std::begin(penchant::bench::kParts), std::end(penchant::bench::kParts),
                         std::string_view(argv[k + 1])) != std::end(penchant::bench::kParts)) {
      request.part = argv[++k];
    } else if (word == "--data" && k + 1 < argc) {
      request.data = argv[++k];
    } else if (word == "--work" && k + 1 < argc) {
      request.work = argv[++k];
    } else {
      std::fprintf(stderr,
                   "usage: gpu_bench [--part spmm|steps|topk|catalogue] [--data FOLDER] "
                   "[--work FOLDER] [--small] > results.json\n"
                   "       gpu_bench --check | --profile [--small]\n");
      return 2;
    }
  }
  try {
    return penchant::bench::run(request);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 3;
  }
}
