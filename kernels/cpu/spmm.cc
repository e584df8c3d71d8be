// SPDX-License-Identifier: Apache-2.0
// Sparse times dense, row by row. See the kernel's comment below.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/spmm.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/cpu/activate.h"
#include "kernels/cpu/cpu_backend.h"

#ifndef PENCHANT_KERNELS_CPU_SPMM_ONCE
#define PENCHANT_KERNELS_CPU_SPMM_ONCE
namespace penchant::kernels {

/// What the per-target function needs of one product; T is the storage of x.
template <typename T>
struct SpmmArguments {
  graph::CsrView a;
  MatrixView<const T> x;
  FloatView y;
  SpmmOptions options;
};

}  // namespace penchant::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// How the entries of a row are walked for kVectors vectors of its columns.
// Rows of x that lie kAhead nonzeros ahead are prefetched: bench/spmm_bench, Gowalla, D = 64, two
// Sapphire Rapids cores, median ms: none 4.7, 8 ahead 4.5, 16 3.9, 32 4.0, 64 4.4; into L2 instead
// of L1 7.9. Few vectors wait for each other's sums, so that entries alternate between two of them,
// and ask for less at once, so that twice as many are ahead: docs/benchmarks.md#prefetch-distance.
template <int kVectors>
struct RowWalk {
  static constexpr int kSums = kVectors <= 4 ? 2 : 1;
  static constexpr std::int64_t kAhead = kVectors <= 4 ? 32 : 16;
};

using FloatTag = hn::ScalableTag<float>;

HWY_INLINE hn::VFromD<FloatTag> load(FloatTag tag, const float* from) {
  return hn::LoadU(tag, from);
}
HWY_INLINE hn::VFromD<FloatTag> load(FloatTag tag, const Bf16* from) {
  const hn::Rebind<std::uint16_t, FloatTag> narrow;
  const hn::Rebind<std::uint32_t, FloatTag> wide;
  const auto halves = hn::LoadU(narrow, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(tag, hn::ShiftLeft<16>(hn::PromoteTo(wide, halves)));
}
HWY_INLINE float widen(float value) { return value; }
HWY_INLINE float widen(Bf16 value) {
  const std::uint32_t bits = static_cast<std::uint32_t>(value.bits) << 16;
  float result;
  hwy::CopySameSize(&bits, &result);
  return result;
}

HWY_INLINE hn::VFromD<FloatTag> activate_lanes(FloatTag tag, Activation act,
                                               hn::VFromD<FloatTag> x) {
  const auto positive = hn::Gt(x, hn::Zero(tag));
  if (act == Activation::relu) return hn::IfThenElseZero(positive, x);
  if (act == Activation::leaky_relu)
    return hn::IfThenElse(positive, x, hn::Mul(hn::Set(tag, kLeakySlope), x));
  HWY_ALIGN float lanes[hn::MaxLanes(tag)];
  hn::Store(x, tag, lanes);
  for (std::size_t k = 0; k < hn::Lanes(tag); ++k) lanes[k] = activate(act, lanes[k]);
  return hn::Load(tag, lanes);
}

/// Finishes columns [column, column + lanes) of row i from its sum.
HWY_INLINE void store(FloatTag tag, hn::VFromD<FloatTag> sum, float scale, std::int64_t i,
                      std::int64_t column, const SpmmOptions& options, FloatView y) {
  float* out = y.row(i) + column;
  auto value = hn::Mul(sum, hn::Set(tag, scale));
  if (options.beta != 0.0F)
    value = hn::MulAdd(hn::Set(tag, options.beta), hn::LoadU(tag, out), value);
  if (options.addend.data != nullptr) {
    const auto term = hn::LoadU(tag, options.addend.row(i) + column);
    value = hn::MulAdd(hn::Set(tag, options.delta), term, value);
  }
  if (options.bias.data != nullptr)
    value = hn::Add(value, hn::LoadU(tag, options.bias.data + column));
  if (options.activation != Activation::identity)
    value = activate_lanes(tag, options.activation, value);
  hn::StoreU(value, tag, out);
  if (options.layer_sum.data != nullptr) {
    float* total = options.layer_sum.row(i) + column;
    hn::StoreU(hn::MulAdd(hn::Set(tag, options.gamma), value, hn::LoadU(tag, total)), tag, total);
  }
}

/// sum_v += a_e x(column of e)_v of a table whose first wanted column x points to.
template <int kVectors, typename T>
HWY_INLINE void add_entry(const graph::CsrView& a, graph::EdgeOffset e, const T* HWY_RESTRICT x,
                          std::int64_t stride, hn::VFromD<FloatTag>* sum) {
  constexpr std::int64_t kAhead = RowWalk<kVectors>::kAhead;
  const FloatTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const graph::NodeId* HWY_RESTRICT columns = a.columns.data();
  if (e + kAhead < a.num_entries()) {
    const char* ahead = reinterpret_cast<const char*>(x + columns[e + kAhead] * stride);
    for (std::size_t line = 0; line < static_cast<std::size_t>(kVectors * lanes) * sizeof(T);
         line += 64) {
      hwy::Prefetch(ahead + line);
    }
  }
  const T* HWY_RESTRICT row = x + columns[e] * stride;
  const auto weight = hn::Set(tag, a.values.empty() ? 1.0F : a.values.data()[e]);
  for (int v = 0; v < kVectors; ++v)
    sum[v] = hn::MulAdd(weight, load(tag, row + v * lanes), sum[v]);
}

/// Columns [column, column + kVectors * lanes) of row i.
template <int kVectors, typename T>
HWY_INLINE void row_block(const SpmmArguments<T>& arguments, std::int64_t i, std::int64_t column,
                          float scale) {
  constexpr int kSums = RowWalk<kVectors>::kSums;
  const FloatTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const graph::CsrView a = arguments.a;
  const graph::EdgeOffset last = a.offsets[static_cast<std::size_t>(i) + 1];
  const T* HWY_RESTRICT x = arguments.x.data + column;
  const std::int64_t stride = arguments.x.stride;

  hn::VFromD<FloatTag> sum[kSums][kVectors];
  for (int s = 0; s < kSums; ++s) {
    for (int v = 0; v < kVectors; ++v) sum[s][v] = hn::Zero(tag);
  }
  graph::EdgeOffset e = a.offsets[static_cast<std::size_t>(i)];
  for (; e + kSums <= last; e += kSums) {
    for (int s = 0; s < kSums; ++s) add_entry<kVectors>(a, e + s, x, stride, sum[s]);
  }
  for (; e < last; ++e) add_entry<kVectors>(a, e, x, stride, sum[0]);
  for (int v = 0; v < kVectors; ++v) {
    auto total = sum[0][v];
    for (int s = 1; s < kSums; ++s) total = hn::Add(total, sum[s][v]);
    store(tag, total, scale, i, column + v * lanes, arguments.options, arguments.y);
  }
}

/// The columns behind the last full vector.
template <typename T>
void row_tail(const SpmmArguments<T>& arguments, std::int64_t i, std::int64_t first_column,
              float scale) {
  const graph::CsrView& a = arguments.a;
  const SpmmOptions& options = arguments.options;
  for (std::int64_t column = first_column; column < arguments.y.cols; ++column) {
    float sum = 0.0F;
    for (auto e = a.offsets[static_cast<std::size_t>(i)];
         e < a.offsets[static_cast<std::size_t>(i) + 1]; ++e) {
      const auto place = static_cast<std::size_t>(e);
      sum += (a.values.empty() ? 1.0F : a.values[place]) *
             widen(arguments.x(a.columns[place], column));
    }
    float value = sum * scale;
    if (options.beta != 0.0F) value += options.beta * arguments.y(i, column);
    if (options.addend.data != nullptr) value += options.delta * options.addend(i, column);
    if (options.bias.data != nullptr) value += options.bias[column];
    value = activate(options.activation, value);
    arguments.y(i, column) = value;
    if (options.layer_sum.data != nullptr) options.layer_sum(i, column) += options.gamma * value;
  }
}

template <typename T>
void spmm_rows(const SpmmArguments<T>& arguments, std::int64_t first_row, std::int64_t last_row) {
  const FloatTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const std::int64_t width = arguments.y.cols;
  for (std::int64_t i = first_row; i < last_row; ++i) {
    const auto& row_scale = arguments.options.row_scale;
    const float scale = arguments.options.alpha * (row_scale.data != nullptr ? row_scale[i] : 1.0F);
    std::int64_t column = 0;
    for (; column + 8 * lanes <= width; column += 8 * lanes)
      row_block<8>(arguments, i, column, scale);
    if (column + 4 * lanes <= width) {
      row_block<4>(arguments, i, column, scale);
      column += 4 * lanes;
    }
    if (column + 2 * lanes <= width) {
      row_block<2>(arguments, i, column, scale);
      column += 2 * lanes;
    }
    if (column + lanes <= width) {
      row_block<1>(arguments, i, column, scale);
      column += lanes;
    }
    if (column < width) row_tail(arguments, i, column, scale);
  }
}

void spmm_rows_float(const SpmmArguments<float>& arguments, std::int64_t first_row,
                     std::int64_t last_row) {
  spmm_rows(arguments, first_row, last_row);
}
void spmm_rows_bf16(const SpmmArguments<Bf16>& arguments, std::int64_t first_row,
                    std::int64_t last_row) {
  spmm_rows(arguments, first_row, last_row);
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include "kernels/operands.h"

namespace penchant::kernels {

HWY_EXPORT(spmm_rows_float);
HWY_EXPORT(spmm_rows_bf16);

namespace {

/// Entries per chunk of rows: small enough that two noisy cores finish together, large enough that
/// scheduling costs nothing.
constexpr std::int64_t kChunkEntries = 8192;

class CpuSparseMatrix final : public SparseMatrix {
 public:
  explicit CpuSparseMatrix(const graph::CsrView& matrix) : matrix_(matrix) {
    // A row also costs its store, about eight entries' worth.
    std::int64_t work = 0;
    for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
      work += matrix.row_size(row) + 8;
      if (work >= kChunkEntries) {
        chunks_.push_back(row + 1);
        work = 0;
      }
    }
    if (chunks_.back() != matrix.num_rows) chunks_.push_back(matrix.num_rows);
  }
  std::int64_t rows() const override { return matrix_.num_rows; }
  std::int64_t cols() const override { return matrix_.num_cols; }
  std::int64_t num_entries() const override { return matrix_.num_entries(); }
  const graph::CsrView& view() const { return matrix_; }
  const std::vector<std::int64_t>& chunks() const { return chunks_; }

 private:
  graph::CsrView matrix_;
  std::vector<std::int64_t> chunks_ = {0};  ///< first row of each chunk, and the number of rows
};

// spmm_row_chunks: y_i is the scaled sum of the table rows that row i of the sparse matrix names.
// Computes    y_i = act(alpha row_scale_i sum_j a_ij x_j + beta y_i + delta addend_i + bias);
//             layer_sum_i += gamma y_i
// Shapes      a [N x C] CSR, int64 offsets, int32 columns, float32 values or none; x [C x D]
//             float32 or bf16, y, layer_sum [N x D] float32, row-major; rows on 64-byte boundaries
//             are faster, any alignment is right
// Mapping     a thread owns a chunk of rows of about 8192 entries (dynamic); up to eight vectors of
//             columns (64 floats with AVX2, 128 with AVX-512) stay in registers over the entries of
//             a row; wider D repeats the row per 8 vectors
// Memory      gathers 4 * D bytes an entry (2 * D in bf16); x rows 16 or 32 entries ahead are
//             prefetched; bound: L3 bandwidth while x fits it, DRAM beyond
// Regime      any; rows longer than a chunk are not split, so one row of more than E / (4 threads)
//             entries limits scaling
// Numerics    float32 fused multiply-add, ascending column order, in one sum or, for up to four
//             vectors, in alternation in two; every row by one thread: deterministic at any thread
//             count; error bound in docs/numerics.md
// Edge cases  an empty row stores act(beta y + delta addend + bias); D not a multiple of the vector width ends in a scalar tail
// Source      own; compared with torch.sparse CSR and SciPy in bench/peers/spmm.py
// Measured    docs/benchmarks.md#spmm
template <typename T, typename RowFunction>
void spmm_row_chunks(const SparseMatrix& a, MatrixView<const T> x, FloatView y,
                     const SpmmOptions& options, RowFunction function) {
  const auto* sparse = dynamic_cast<const CpuSparseMatrix*>(&a);
  if (sparse == nullptr)
    throw InputError("spmm: the sparse matrix was prepared by another backend");
  check_product(Device::cpu, a, x, y, options);
  if (a.rows() == 0 || y.cols == 0) return;
  const SpmmArguments<T> arguments{sparse->view(), x, y, options};
  const std::vector<std::int64_t>& chunks = sparse->chunks();
  const auto num_chunks = static_cast<std::int64_t>(chunks.size()) - 1;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t chunk = 0; chunk < num_chunks; ++chunk) {
    function(arguments, chunks[static_cast<std::size_t>(chunk)],
             chunks[static_cast<std::size_t>(chunk) + 1]);
  }
}

}  // namespace

std::unique_ptr<SparseMatrix> CpuBackend::sparse(const graph::CsrView& matrix) {
  return std::make_unique<CpuSparseMatrix>(matrix);
}

void CpuBackend::spmm(const SparseMatrix& a, ConstFloatView x, FloatView y,
                      const SpmmOptions& options) {
  const ThreadScope threads(num_threads_);
  spmm_row_chunks(a, x, y, options, &HWY_DYNAMIC_DISPATCH(spmm_rows_float));
}

void CpuBackend::spmm(const SparseMatrix& a, MatrixView<const Bf16> x, FloatView y,
                      const SpmmOptions& options) {
  const ThreadScope threads(num_threads_);
  spmm_row_chunks(a, x, y, options, &HWY_DYNAMIC_DISPATCH(spmm_rows_bf16));
}

}  // namespace penchant::kernels
#endif  // HWY_ONCE
