// SPDX-License-Identifier: Apache-2.0
// Matrices on a backend between guard bands. Outputs start as NaN (ids as -7), so that an element
// that is not written shows; what lies before, behind and between the rows must keep its bits.
// Reading beyond an input meets NaN as well.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "tests/support/dense.h"

namespace penchant::support {

enum class Placement {
  aligned,     ///< rows on 64-byte boundaries, as Backend::matrix makes them
  misaligned,  ///< starts one element behind a boundary; rows follow at an odd distance
};

/// T is float or graph::NodeId.
template <typename T>
class Guarded {
 public:
  /// A poisoned output.
  Guarded(kernels::Backend& backend, std::int64_t rows, std::int64_t cols,
          Placement placement = Placement::aligned);
  /// An input, or an output that is read.
  Guarded(kernels::Backend& backend, const Dense& values, Placement placement = Placement::aligned);

  kernels::MatrixView<T> view() const;
  /// Of a matrix with one row.
  kernels::VectorView<T> vector() const;
  /// The values now.
  Dense dense() const;
  /// False if anything outside the matrix has changed.
  bool intact() const;

 private:
  std::vector<T> download() const;

  kernels::Backend& backend_;
  std::int64_t rows_, cols_, first_, stride_;
  mutable kernels::Vector<T> memory_;
};

extern template class Guarded<float>;
extern template class Guarded<graph::NodeId>;

}  // namespace penchant::support
