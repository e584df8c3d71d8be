// SPDX-License-Identifier: Apache-2.0
// Dense products by cuBLASLt: a plan (descriptors and the algorithm that cuBLASLt recommends) for
// each shape that occurs, made by the first product of that shape.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "kernels/backend.h"
#include "kernels/cuda/handles.h"

namespace penchant::kernels::cuda {

/// c = op(a) op(b), row-major: what a plan depends on. Alignments in bytes, at most 16.
struct ProductShape {
  bool flip_a = false;
  bool flip_b = false;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t inner = 0;
  std::array<std::int64_t, 3> strides{};      ///< of a, b, c
  std::array<std::uint32_t, 3> alignments{};  ///< of a, b, c
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;

  auto operator<=>(const ProductShape&) const = default;
};

struct ProductPlan {
  ProductDescriptor product;
  ProductLayout a, b, c;
  cublasLtMatmulAlgo_t algorithm{};
  bool supported = false;  ///< cuBLASLt has an algorithm for the shape with this epilogue
};

class ProductPlans {
 public:
  ProductPlans(std::size_t workspace_bytes, bool tf32);
  /// Valid until the next call. bias: as aligned as every bias that the plan will meet; null where
  /// the epilogue has none.
  const ProductPlan& plan(const ProductShape& shape, const float* bias);
  cublasLtHandle_t handle() const { return handle_.get(); }

 private:
  std::size_t workspace_bytes_;
  bool tf32_;
  ProductHandle handle_;
  std::map<ProductShape, ProductPlan> plans_;
};

}  // namespace penchant::kernels::cuda
