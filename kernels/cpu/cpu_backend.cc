// SPDX-License-Identifier: Apache-2.0
// Memory, copies and conversions of the CPU backend.
#include "kernels/cpu/cpu_backend.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include <fmt/core.h>
#include <hwy/targets.h>

#include "kernels/cpu/check.h"
#include "kernels/operands.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace penchant::kernels {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::uint16_t round_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U)
    return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // quiet NaN
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace

CpuBackend::CpuBackend(int num_threads) : num_threads_(host_threads(num_threads)) {
  hwy::GetChosenTarget().Update(
      hwy::SupportedTargets());  // so that dispatch pointers are final from here on
}

std::string cpu_instruction_set() {
  // Of what the machine has, what this build was compiled for.
  const auto targets = static_cast<std::uint32_t>(hwy::SupportedTargets() & HWY_TARGETS);
  return hwy::TargetName(
      static_cast<std::int64_t>(targets & (~targets + 1)));  // the lowest bit is the best target
}

std::string CpuBackend::description() const {
  return fmt::format("CPU, {}, {} thread{}", cpu_instruction_set(), num_threads_,
                     num_threads_ == 1 ? "" : "s");
}

Memory CpuBackend::allocate(std::int64_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes < 0) throw std::bad_alloc();
  const bool large = static_cast<std::size_t>(bytes) >= 2 * kHugePage;
  const std::size_t alignment = large ? kHugePage : kAlignment;
  const std::size_t size =
      (static_cast<std::size_t>(bytes) + alignment - 1) / alignment * alignment;
  Memory memory(std::aligned_alloc(alignment, size), &std::free);
  if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__)
  if (large)  // embedding tables are gathered at random: fewer TLB misses
    madvise(memory.get(), size, MADV_HUGEPAGE);
#endif
  std::memset(memory.get(), 0, size);
  return memory;
}

FloatMatrix& CpuBackend::scratch(FloatMatrix& matrix, std::int64_t rows, std::int64_t cols) {
  if (matrix.rows() < rows || matrix.cols() < cols) {
    matrix = this->matrix<float>(std::max(rows, matrix.rows()), std::max(cols, matrix.cols()));
  }
  return matrix;
}

void CpuBackend::copy(ConstFloatView from, FloatView to) {
  const ThreadScope threads(num_threads_);
  require_host("copy", "from", from);
  require_shape("copy", "to", to, from.rows, from.cols);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < from.rows; ++i) std::copy_n(from.row(i), from.cols, to.row(i));
}

void CpuBackend::copy(VectorView<const float> from, VectorView<float> to) {
  require_host("copy", "from", from);
  require_size("copy", "to", to, from.size);
  std::copy_n(from.data, from.size, to.data);
}

void CpuBackend::copy(IdView from, VectorView<graph::NodeId> to) {
  require_host("copy", "from", from);
  require_size("copy", "to", to, from.size);
  std::copy_n(from.data, from.size, to.data);
}

void CpuBackend::convert(ConstFloatView from, MatrixView<Bf16> to) {
  const ThreadScope threads(num_threads_);
  require_host("convert", "from", from);
  require_shape("convert", "to", to, from.rows, from.cols);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < from.rows; ++i) {
    for (std::int64_t j = 0; j < from.cols; ++j) to(i, j).bits = round_to_bf16(from(i, j));
  }
}

void CpuBackend::convert(MatrixView<const Bf16> from, FloatView to) {
  const ThreadScope threads(num_threads_);
  require_host("convert", "from", from);
  require_shape("convert", "to", to, from.rows, from.cols);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < from.rows; ++i) {
    for (std::int64_t j = 0; j < from.cols; ++j) {
      to(i, j) = std::bit_cast<float>(static_cast<std::uint32_t>(from(i, j).bits) << 16);
    }
  }
}

void CpuBackend::fill(FloatView y, float value) {
  const ThreadScope threads(num_threads_);
  require_shape("fill", "y", y, y.rows, y.cols);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < y.rows; ++i) std::fill_n(y.row(i), y.cols, value);
}

void CpuBackend::fill_rows(RowSet rows, float value, FloatView y) {
  const ThreadScope threads(num_threads_);
  check_fill_rows(Device::cpu, rows, y);
  if (rows.data == nullptr) {
    fill(y, value);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < y.rows; ++i) {
    if (contains(rows, i)) std::fill_n(y.row(i), y.cols, value);
  }
}

}  // namespace penchant::kernels
