// SPDX-License-Identifier: Apache-2.0
// Gather and deterministic scatter-add of table rows.
#include <algorithm>
#include <numeric>

#include <fmt/core.h>

#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

namespace {

void require_ids(const char* op, IdView ids, std::int64_t num_rows) {
  require_host(op, "ids", ids);
  for (std::int64_t i = 0; i < ids.size; ++i) {
    if (ids[i] < 0 || ids[i] >= num_rows) {
      throw InputError(
          fmt::format("{}: id {} at position {}, expected 0 to {}", op, ids[i], i, num_rows - 1));
    }
  }
}

}  // namespace

void CpuBackend::gather_rows(ConstFloatView table, IdView ids, FloatView y) {
  const ThreadScope threads(num_threads_);
  require_host("gather_rows", "table", table);
  require_shape("gather_rows", "y", y, ids.size, table.cols);
  require_ids("gather_rows", ids, table.rows);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < ids.size; ++i) std::copy_n(table.row(ids[i]), table.cols, y.row(i));
}

// A stable sort groups equal ids in ascending position; each group is added by one thread.
void CpuBackend::scatter_add_rows(float alpha, ConstFloatView x, IdView ids, FloatView table) {
  const ThreadScope threads(num_threads_);
  require_shape("scatter_add_rows", "x", x, ids.size, table.cols);
  require_shape("scatter_add_rows", "table", table, table.rows, table.cols);
  require_ids("scatter_add_rows", ids, table.rows);
  if (ids.size == 0 || table.cols == 0) return;
  // Key: id in the upper half, position in the lower, so that a plain sort is stable.
  graph::checked_cast<std::int32_t>(ids.size);
  scatter_order_.resize(static_cast<std::size_t>(ids.size));
  for (std::int64_t i = 0; i < ids.size; ++i) {
    scatter_order_[static_cast<std::size_t>(i)] = (static_cast<std::int64_t>(ids[i]) << 32) | i;
  }
  std::sort(scatter_order_.begin(), scatter_order_.end());
  const std::int64_t* order = scatter_order_.data();
#pragma omp parallel for schedule(static)
  for (std::int64_t k = 0; k < ids.size; ++k) {
    if (k > 0 && (order[k - 1] >> 32) == (order[k] >> 32)) continue;  // not the first of its group
    float* to = table.row(order[k] >> 32);
    for (std::int64_t member = k; member < ids.size && (order[member] >> 32) == (order[k] >> 32);
         ++member) {
      const float* from = x.row(order[member] & 0xFFFFFFFF);
      for (std::int64_t j = 0; j < table.cols; ++j) to[j] += alpha * from[j];
    }
  }
}

void CpuBackend::mark_rows(std::span<const IdView> lists, std::int64_t num_rows,
                           VectorView<std::uint32_t> rows) {
  check_mark_rows(Device::cpu, lists, num_rows, rows);
  for (const IdView& ids : lists) {
    if (ids.size > 0) require_ids("mark_rows", ids, num_rows);
  }
  std::fill_n(rows.data, rows.size, 0U);
  for (const IdView& ids : lists) {
    for (std::int64_t i = 0; i < ids.size; ++i)
      rows[ids[i] / kRowsPerWord] |= 1U << (ids[i] % kRowsPerWord);
  }
}

}  // namespace penchant::kernels
