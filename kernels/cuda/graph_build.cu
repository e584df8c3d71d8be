// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/graph_build.h"

#include <thrust/device_vector.h>
#include <thrust/system_error.h>

#include "kernels/cuda/graph_build.cuh"
#include "kernels/cuda/handles.h"

namespace penchant::kernels::cuda {

namespace {

/// Thrust allocates beside the pool. Its failures as this project's.
template <typename Build>
graph::Csr build(Build function) {
  release_unused_memory();
  try {
    return function();
  } catch (const thrust::system_error& error) {
    throw DeviceError(std::string("Thrust: ") + error.what());
  }
}

}  // namespace

graph::Csr csr_from_entries_on_device(std::int64_t num_rows, std::int64_t num_cols,
                                      std::span<const graph::Entry> entries,
                                      graph::Duplicates duplicates) {
  return build([&] {
    const thrust::device_vector<graph::Entry> on_device(entries.begin(), entries.end());
    return download(build_csr(num_rows, num_cols, on_device, duplicates));
  });
}

graph::Csr transpose_on_device(const graph::CsrView& matrix) {
  return build([&] { return download(transpose(upload<thrust::device_vector>(matrix))); });
}

graph::Csr normalize_symmetric_on_device(const graph::CsrView& matrix) {
  return build([&] {
    CsrArrays<thrust::device_vector> arrays = upload<thrust::device_vector>(matrix);
    normalize_symmetric(arrays);
    return download(arrays);
  });
}

}  // namespace penchant::kernels::cuda
