// SPDX-License-Identifier: Apache-2.0
// The CPU backend: Highway SIMD chosen at run time, OpenMP outside, single-threaded sgemm calls on
// fixed tiles inside. Its methods are defined by idea in cpu/*.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/host_threads.h"

namespace penchant::kernels {

/// What follows the product of a dense layer.
struct LayerEnd {
  VectorView<const float> bias;
  Activation activation = Activation::identity;
};

class CpuBackend final : public Backend {
 public:
  /// num_threads 0: all cores.
  explicit CpuBackend(int num_threads);

  Device device() const override { return Device::cpu; }
  std::string description() const override;

#include "kernels/backend_overrides.inc"
  void sync() override {}

 protected:
  Memory allocate(std::int64_t bytes) override;

 private:
  /// Grown, never shrunk: steady training steps allocate nothing.
  FloatMatrix& scratch(FloatMatrix& matrix, std::int64_t rows, std::int64_t cols);

  /// gemm, checked; each finished tile of c is ended, if end is given.
  void gemm_tiles(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
                  ConstFloatView b, float beta, FloatView c, const LayerEnd* end);

  struct IdPlace {
    graph::NodeId id, place;
  };
  void sort_places(IdView ids);
  /// First of sorted_places_ with an id not below.
  std::size_t first_place(graph::NodeId id) const;

  int num_threads_;  ///< each op runs under a ThreadScope of so many
  FloatMatrix softmax_scores_, softmax_maxima_, softmax_users_, softmax_weights_;
  std::vector<IdPlace> sorted_places_;  ///< of sampled_softmax's negative ids
  FloatMatrix gemm_parts_;
  FloatMatrix row_sums_;
  FloatMatrix convolution_rows_;
  std::vector<std::int64_t> scatter_order_;
  std::vector<std::int32_t> picked_entries_;  ///< spmm: of each thread
};

/// One single-threaded sgemm on row-major views; the building block of every tiled op. beta = 0
/// does not read c.
void gemm_tile(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
               ConstFloatView b, float beta, FloatView c);

}  // namespace penchant::kernels
