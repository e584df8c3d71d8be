// SPDX-License-Identifier: Apache-2.0
// What the parts of gpu_bench share: how a call is timed, which graphs and tables, and the parts
// themselves. Times are medians of rounds of calls back to back behind one wait, as in training:
// descriptors, workspaces and plans are made before, tables that fit stay in L2.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/csr.h"
#include "kernels/backend.h"

namespace penchant::bench {

using nlohmann::json;

/// Prints one line of JSON, at once.
void emit(json line);
/// Median and spread of one call's time.
json time_ms(kernels::Backend& backend, const std::function<void()>& call);
std::unique_ptr<kernels::Backend> gpu(const kernels::CudaOptions& options = {});
/// Uniform numbers in [-1, 1).
kernels::FloatMatrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed,
                                   kernels::Backend& backend);
/// Largest difference over the first rows, on the scale of the values; infinite for NaN.
double disagreement(kernels::ConstFloatView a, kernels::Backend& on_a, kernels::ConstFloatView b,
                    kernels::Backend& on_b);
/// Bytes read and written a second by a copy on the device, over 10^12.
double copy_tb_per_s(std::int64_t bytes);

/// The user-item graph of a log; users come first among the nodes.
struct Interactions {
  std::int64_t num_users = 0;
  std::int64_t num_items = 0;
  std::vector<graph::NodeId> user, item;

  /// Each pair in both directions.
  std::vector<graph::Entry> entries() const;
  /// As one symmetric normalised matrix, made on the host.
  graph::Csr adjacency() const;
};
/// LightGCN's text format: `user item item ...` a line.
Interactions read_lightgcn(const std::string& path);
/// Users and items of Zipf-like popularity.
Interactions power_law(std::int64_t users, std::int64_t items, std::int64_t events);
graph::Csr rmat(int scale, std::int64_t edge_factor);

// Each part prints its results by emit().

/// Own kernels beside the three algorithms of cuSPARSE; false if their results differ.
bool spmm(const std::string& name, const graph::Csr& matrix, std::span<const std::int64_t> widths);
/// Two products of a matrix at D = 64, for a profiler; prints nothing.
void profile_spmm(const graph::Csr& matrix);
/// A training step with and without recorded graphs.
void lightgcn(const Interactions& data, std::int64_t batch_size);
/// A training step of the interest model's sequence half.
void interest(std::int64_t batch, std::int64_t longest);
void lstm(std::int64_t batch, std::int64_t longest);
/// Forward and backward of a causal convolution by both variants; false if their results differ.
bool convolution(std::int64_t batch, std::int64_t longest);
void topk(std::int64_t users, std::int64_t items);
/// Vectors of a whole catalogue, three layers, d = 64: kernel time, and from a CSR in `folder` on.
void catalogue(std::int64_t events, const std::string& folder);

/// gpu_smoke.cc; false if a call failed or its result is not the CPU's.
bool smoke();

}  // namespace penchant::bench
