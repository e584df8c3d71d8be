// SPDX-License-Identifier: Apache-2.0
// Dense products by cuBLASLt: a plan (description and the algorithm that cuBLASLt recommends) for
// each family of shapes that occurs, made by the first product of that family.
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

/// How cuBLASLt is told of the three matrices: by column, so transposed.
struct ProductLayouts {
  explicit ProductLayouts(const ProductShape& shape);
  cublasLtMatrixLayoutOpaque_t a, b, c;
};

struct ProductPlan {
  ProductDescriptor product;
  cublasLtMatmulAlgo_t algorithm{};
  bool supported = false;  ///< cuBLASLt has an algorithm for the shape with this epilogue
  ProductShape checked;    ///< the last shape that the algorithm was found to fit
};

class ProductPlans {
 public:
  ProductPlans(std::size_t workspace_bytes, bool tf32);
  /// That of the shape's family, or its own where that one's algorithm does not fit. Which one it is
  /// depends on the shape alone, so that equal products have equal bits. Valid until the next call.
  /// bias: as aligned as every bias that the plan will meet; null where the epilogue has none.
  const ProductPlan& plan(const ProductShape& shape, const float* bias);
  cublasLtHandle_t handle() const { return handle_.get(); }

 private:
  ProductPlan& known_or_made(const ProductShape& shape, const float* bias);
  bool fits(ProductPlan& plan, const ProductShape& shape) const;

  std::size_t workspace_bytes_;
  bool tf32_;
  ProductHandle handle_;
  std::map<ProductShape, ProductPlan> plans_;
};

}  // namespace penchant::kernels::cuda
