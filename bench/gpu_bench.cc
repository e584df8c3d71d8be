// SPDX-License-Identifier: Apache-2.0
// What the issue of the CUDA backend asks to be measured, on one GPU: sparse products of the own
// kernels beside the best of cuSPARSE, training steps, a catalogue's vectors, top-k.
//   gpu_bench [--part NAME] [--data FOLDER] [--work FOLDER] [--small] > results.jsonl
//     NAME is one of kParts; without it all but spmm_large are measured. A line of JSON a result, as
//     it comes: what a time limit cuts off is only what was not yet measured.
//   gpu_bench --check     prints the device
//   gpu_bench --smoke     one call of each kind of work that a library or a kernel does, each by
//                         name and waited for, beside the CPU's result (gpu_smoke.cc)
//   gpu_bench --profile gowalla|10m|100m   two products at D = 64, for a profiler
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

constexpr std::string_view kParts[] = {"spmm",  "spmm_large", "spmm_all",
                                       "steps", "topk",       "catalogue"};
constexpr std::string_view kProfiles[] = {"gowalla", "10m", "100m"};

struct Request {
  std::string part;  ///< empty: all but the large products
  std::string data;
  std::string work = "/tmp/penchant-gpu-bench";
  bool small = false;
  bool check = false;
  bool smoke = false;
  std::string profile;
};

/// For rehearsals, whose kernels are emulated.
Interactions small_graph() { return power_law(500, 200, 3'000); }

graph::Csr bipartite_10m(bool small) {
  return small ? small_graph().adjacency() : power_law(500'000, 200'000, 5'000'000).adjacency();
}

graph::Csr bipartite_100m(bool small) {
  return small ? small_graph().adjacency()
               : power_law(4'000'000, 1'000'000, 50'000'000).adjacency();
}

Interactions gowalla(const Request& request) {
  if (request.small) return small_graph();
  return request.data.empty() ? power_law(29858, 40981, 810128)
                              : read_lightgcn(request.data + "/gowalla/train.txt");
}

/// The graphs whose tables stay in L2 at all widths; those beyond at two; or all at all widths,
/// which takes longer than a short command may.
bool products(const Request& request) {
  constexpr std::int64_t kWidths[] = {32, 64, 128, 256};
  constexpr std::int64_t kTwoWidths[] = {64, 256};
  const bool all = request.part == "spmm_all";
  const bool large = all || request.part == "spmm_large";
  bool agree = true;
  emit({{"part", "copy"},
        {"copy_tb_per_s", copy_tb_per_s(std::int64_t{1} << (request.small ? 16 : 30))}});
  if (!large || all) {
    agree &= spmm(request.data.empty() ? "like Gowalla" : "Gowalla", gowalla(request).adjacency(),
                  kWidths);
    agree &= spmm("R-MAT 1.6 M", request.small ? rmat(8, 6) : rmat(16, 12), kWidths);
  }
  if (large) {
    const std::span<const std::int64_t> widths =
        all ? std::span<const std::int64_t>(kWidths) : std::span<const std::int64_t>(kTwoWidths);
    agree &= spmm("bipartite 10 M", bipartite_10m(request.small), widths);
    if (all && !request.small) agree &= spmm("R-MAT 30 M", rmat(20, 16), widths);
    agree &= spmm("bipartite 100 M", bipartite_100m(request.small), widths);
  }
  return agree;
}

/// False if two variants of an op disagree.
bool measure(const Request& request) {
  const auto asked = [&](std::string_view part) {
    return request.part.empty() || request.part == part;
  };
  bool agree = true;
  emit({{"part", "device"}, {"device", gpu()->description()}});
  if (asked("spmm") || request.part.starts_with("spmm")) agree &= products(request);
  if (asked("steps")) {
    const std::int64_t batch = request.small ? 8 : 256;
    const std::int64_t longest = request.small ? 5 : 50;
    lightgcn(gowalla(request), request.small ? 64 : 2048);
    lstm(batch, longest);
    agree &= convolution(batch, longest);
    interest(batch, longest);
  }
  if (asked("topk")) topk(request.small ? 50 : 50'000, request.small ? 300 : 90'000);
  if (asked("catalogue")) catalogue(request.small ? 3'000 : 100'000'000, request.work);
  return agree;
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
  if (request.smoke) return smoke() ? 0 : 1;
  if (!request.profile.empty()) {
    if (request.profile == "gowalla")
      profile_spmm(gowalla(request).adjacency());
    else
      profile_spmm(request.profile == "10m" ? bipartite_10m(request.small)
                                            : bipartite_100m(request.small));
    return 0;
  }
  const bool agree = measure(request);
  if (!agree) std::fprintf(stderr, "gpu_bench: two variants of an op disagree\n");
  return agree ? 0 : 1;
}

template <std::size_t kCount>
bool one_of(const std::string_view (&words)[kCount], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

}  // namespace
}  // namespace penchant::bench

int main(int argc, char** argv) {
  using namespace penchant::bench;
  Request request;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    const std::string next = k + 1 < argc ? argv[k + 1] : "";
    if (word == "--small") {
      request.small = true;
    } else if (word == "--check") {
      request.check = true;
    } else if (word == "--smoke") {
      request.smoke = true;
    } else if (word == "--profile" && one_of(kProfiles, next)) {
      request.profile = argv[++k];
    } else if (word == "--part" && one_of(kParts, next)) {
      request.part = argv[++k];
    } else if (word == "--data" && !next.empty()) {
      request.data = argv[++k];
    } else if (word == "--work" && !next.empty()) {
      request.work = argv[++k];
    } else {
      std::fprintf(stderr,
                   "usage: gpu_bench [--part spmm|spmm_large|spmm_all|steps|topk|catalogue] "
                   "[--data FOLDER] [--work FOLDER] [--small] > results.jsonl\n"
                   "       gpu_bench --check | --smoke | --profile gowalla|10m|100m [--small]\n");
      return 2;
    }
  }
  try {
    return run(request);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 3;
  }
}
