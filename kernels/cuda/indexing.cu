// SPDX-License-Identifier: Apache-2.0
// Gather and deterministic scatter-add of the CUDA backend. CUB's radix sort is stable: equal ids
// keep ascending positions, which is the order that scatter_add_rows promises.
#include "kernels/cuda/indexing.cuh"

#include <bit>
#include <numeric>
#include <vector>

#include <cub/device/device_radix_sort.cuh>

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

void CudaBackend::gather_rows(ConstFloatView table, IdView ids, FloatView y) {
  require_device("gather_rows", "table", table);
  require_device("gather_rows", "ids", ids);
  require_shape("gather_rows", "y", y, ids.size, table.cols);
  cuda::gather_rows(table, ids, y, stream_.get());
}

void CudaBackend::scatter_add_rows(float alpha, ConstFloatView x, IdView ids, FloatView table) {
  require_shape("scatter_add_rows", "x", x, ids.size, table.cols);
  require_device("scatter_add_rows", "ids", ids);
  require_device("scatter_add_rows", "table", table);
  if (ids.size == 0 || table.cols == 0) return;
  const std::int64_t count = ids.size;
  const auto narrow = graph::checked_cast<std::int32_t>(count);
  if (iota_size_ < count) {
    std::vector<std::int32_t> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    staging_.upload(numbers.data(), iota_.reserve<std::int32_t>(count), count);
    iota_size_ = count;
  }
  // Ids lie in [0, rows): the sort need not look at bits above.
  const int bits = std::max(1, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(
                                   std::max<std::int64_t>(table.rows - 1, 1)))));
  std::size_t bytes = 0;
  check(cub::DeviceRadixSort::SortPairs(
      nullptr, bytes, ids.data, static_cast<graph::NodeId*>(nullptr), iota_.data<std::int32_t>(),
      static_cast<std::int32_t*>(nullptr), narrow, 0, bits, stream_.get()));
  const std::int64_t aligned = (count * 4 + 255) / 256 * 256;
  char* memory = sort_.reserve<char>(2 * aligned + static_cast<std::int64_t>(bytes));
  auto* sorted = reinterpret_cast<graph::NodeId*>(memory);
  auto* positions = reinterpret_cast<std::int32_t*>(memory + aligned);
  check(cub::DeviceRadixSort::SortPairs(memory + 2 * aligned, bytes, ids.data, sorted,
                                        iota_.data<std::int32_t>(), positions, narrow, 0, bits,
                                        stream_.get()));
  cuda::scatter_add_rows(alpha, x, IdView(sorted, count, Device::cuda),
                         VectorView<const std::int32_t>(positions, count, Device::cuda), table,
                         stream_.get());
}

}  // namespace penchant::kernels::cuda
