// SPDX-License-Identifier: Apache-2.0
// Sparse times dense, row by row. See the kernel's comment below.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/spmm.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <algorithm>
#include <limits>

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

/// Where a thread lists the entries of a chunk of rows whose table rows are not zero
/// (SpmmOptions::nonzero), counted from the chunk's first: room for all, and kSlack for what a whole
/// vector is stored beyond them.
struct PickedEntries {
  static constexpr std::int64_t kSlack = 64;
  std::int32_t* places;
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
  /// Of picked entries, whose rows lie in the second-level cache mostly.
  static constexpr std::int32_t kPickedAhead = 8;
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

HWY_INLINE bool has_addend(const SpmmOptions& options, std::int64_t i) {
  return options.addend.data != nullptr &&
         (options.nonzero_addend.data == nullptr || contains(options.nonzero_addend, i));
}

/// Finishes columns [column, column + lanes) of row i from its sum.
HWY_INLINE void store(FloatTag tag, hn::VFromD<FloatTag> sum, float scale, std::int64_t i,
                      std::int64_t column, const SpmmOptions& options, FloatView y) {
  float* out = y.row(i) + column;
  auto value = hn::Mul(sum, hn::Set(tag, scale));
  if (options.beta != 0.0F)
    value = hn::MulAdd(hn::Set(tag, options.beta), hn::LoadU(tag, out), value);
  if (has_addend(options, i)) {
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

/// Asks for the wanted columns of a table row.
template <int kVectors, typename T>
HWY_INLINE void prefetch_row(const T* HWY_RESTRICT row) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(FloatTag()));
  const char* ahead = reinterpret_cast<const char*>(row);
  for (std::size_t line = 0; line < static_cast<std::size_t>(kVectors * lanes) * sizeof(T);
       line += 64) {
    hwy::Prefetch(ahead + line);
  }
}

/// sum_v += a_e x(column of e)_v of a table whose first wanted column x points to.
template <int kVectors, typename T>
HWY_INLINE void add_entry(const graph::CsrView& a, graph::EdgeOffset e, const T* HWY_RESTRICT x,
                          std::int64_t stride, hn::VFromD<FloatTag>* sum) {
  const FloatTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const T* HWY_RESTRICT row = x + a.columns.data()[e] * stride;
  const auto weight = hn::Set(tag, a.values.empty() ? 1.0F : a.values.data()[e]);
  for (int v = 0; v < kVectors; ++v)
    sum[v] = hn::MulAdd(weight, load(tag, row + v * lanes), sum[v]);
}

/// The sums of a row and its end.
template <int kVectors, typename T>
HWY_INLINE void store_sums(const SpmmArguments<T>& arguments, std::int64_t i, std::int64_t column,
                           float scale, const hn::VFromD<FloatTag> (*sum)[kVectors]) {
  const FloatTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (int v = 0; v < kVectors; ++v) {
    auto total = sum[0][v];
    for (int s = 1; s < RowWalk<kVectors>::kSums; ++s) total = hn::Add(total, sum[s][v]);
    store(tag, total, scale, i, column + v * lanes, arguments.options, arguments.y);
  }
}

/// The entry at `e`, where the rows follow each other.
struct EveryRow {
  HWY_INLINE graph::EdgeOffset at(graph::EdgeOffset e) const { return e; }
};
/// The same where entries behind a row's last are left out up to the next wanted row.
struct WantedRow {
  graph::EdgeOffset last, left_out;
  HWY_INLINE graph::EdgeOffset at(graph::EdgeOffset e) const { return e < last ? e : e + left_out; }
};

/// add_entry, which asks for the table row of an entry that comes later.
template <int kVectors, typename T, typename Order>
HWY_INLINE void add_ahead(const graph::CsrView& a, graph::EdgeOffset e, const Order& order,
                          const T* HWY_RESTRICT x, std::int64_t stride, hn::VFromD<FloatTag>* sum) {
  const graph::EdgeOffset ahead = order.at(e + RowWalk<kVectors>::kAhead);
  if (ahead < a.num_entries()) prefetch_row<kVectors>(x + a.columns.data()[ahead] * stride);
  add_entry<kVectors>(a, e, x, stride, sum);
}

/// Columns [column, column + kVectors * lanes) of row i.
template <int kVectors, typename T, typename Order>
HWY_INLINE void row_block(const SpmmArguments<T>& arguments, std::int64_t i, std::int64_t column,
                          float scale, const Order& order) {
  constexpr int kSums = RowWalk<kVectors>::kSums;
  const FloatTag tag;
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
    for (int s = 0; s < kSums; ++s) add_ahead<kVectors>(a, e + s, order, x, stride, sum[s]);
  }
  for (; e < last; ++e) add_ahead<kVectors>(a, e, order, x, stride, sum[0]);
  store_sums<kVectors>(arguments, i, column, scale, sum);
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
      if (options.nonzero.data != nullptr && !contains(options.nonzero, a.columns[place])) continue;
      sum += (a.values.empty() ? 1.0F : a.values[place]) *
             widen(arguments.x(a.columns[place], column));
    }
    float value = sum * scale;
    if (options.beta != 0.0F) value += options.beta * arguments.y(i, column);
    if (has_addend(options, i)) value += options.delta * options.addend(i, column);
    if (options.bias.data != nullptr) value += options.bias[column];
    value = activate(options.activation, value);
    arguments.y(i, column) = value;
    if (options.layer_sum.data != nullptr) options.layer_sum(i, column) += options.gamma * value;
  }
}

HWY_INLINE float scale_of(const SpmmOptions& options, std::int64_t i) {
  return options.alpha * (options.row_scale.data != nullptr ? options.row_scale[i] : 1.0F);
}

template <typename T, typename Order>
HWY_INLINE void whole_row(const SpmmArguments<T>& arguments, std::int64_t i, const Order& order) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(FloatTag()));
  const std::int64_t width = arguments.y.cols;
  const float scale = scale_of(arguments.options, i);
  std::int64_t column = 0;
  for (; column + 8 * lanes <= width; column += 8 * lanes)
    row_block<8>(arguments, i, column, scale, order);
  if (column + 4 * lanes <= width) {
    row_block<4>(arguments, i, column, scale, order);
    column += 4 * lanes;
  }
  if (column + 2 * lanes <= width) {
    row_block<2>(arguments, i, column, scale, order);
    column += 2 * lanes;
  }
  if (column + lanes <= width) {
    row_block<1>(arguments, i, column, scale, order);
    column += lanes;
  }
  if (column < width) row_tail(arguments, i, column, scale);
}

/// The first row from i on, before `last`, that is wanted, or `last`.
HWY_INLINE std::int64_t next_wanted(RowSet wanted, std::int64_t i, std::int64_t last) {
  while (i < last && wanted.data != nullptr && !contains(wanted, i)) ++i;
  return i;
}

/// Lists the entries of the rows whose table rows are not zero, ascending, and behind them a place
/// that no row has. No branch depends on an entry: one in five or so is picked, at no foreseeable
/// place. Returns how many.
template <typename T>
std::int32_t pick_entries(const SpmmArguments<T>& arguments, std::int64_t first_row,
                          std::int64_t last_row, std::int32_t* HWY_RESTRICT places) {
  const hn::RebindToSigned<FloatTag> places_tag;
  const hn::RebindToUnsigned<FloatTag> words_tag;
  const auto lanes = static_cast<std::int32_t>(hn::Lanes(places_tag));
  const graph::EdgeOffset* HWY_RESTRICT offsets = arguments.a.offsets.data();
  const graph::NodeId* HWY_RESTRICT columns = arguments.a.columns.data() + offsets[first_row];
  const RowSet nonzero = arguments.options.nonzero;
  const auto count = static_cast<std::int32_t>(offsets[last_row] - offsets[first_row]);
  static_assert(kRowsPerWord == 32);
  const auto place_in_word = hn::Set(words_tag, 31U);
  std::int32_t picked = 0;
  std::int32_t e = 0;
  for (; e + lanes <= count; e += lanes) {
    const auto rows = hn::LoadU(places_tag, columns + e);
    const auto words = hn::GatherIndex(words_tag, nonzero.data, hn::ShiftRight<5>(rows));
    const auto bits = hn::Shr(words, hn::And(hn::BitCast(words_tag, rows), place_in_word));
    const auto is_in = hn::TestBit(bits, hn::Set(words_tag, 1U));
    picked += static_cast<std::int32_t>(hn::CompressStore(
        hn::Iota(places_tag, e), hn::RebindMask(places_tag, is_in), places_tag, places + picked));
  }
  for (; e < count; ++e) {
    places[picked] = e;
    picked += contains(nonzero, columns[e]) ? 1 : 0;
  }
  places[picked] = std::numeric_limits<std::int32_t>::max();
  return picked;
}

/// add_entry to the sum that row_block adds an entry of an even or an odd place of its row to.
template <int kVectors, typename T>
HWY_INLINE void add_picked(const graph::CsrView& a, graph::EdgeOffset e, bool is_odd,
                           const T* HWY_RESTRICT x, std::int64_t stride,
                           hn::VFromD<FloatTag> (*sum)[kVectors]) {
  constexpr int kSums = RowWalk<kVectors>::kSums;
  if (kSums == 1) {
    add_entry<kVectors>(a, e, x, stride, sum[0]);
    return;
  }
  // Both sums are made and one is kept: which one no branch could foresee.
  const FloatTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const T* HWY_RESTRICT row = x + a.columns.data()[e] * stride;
  const auto weight = hn::Set(tag, a.values.empty() ? 1.0F : a.values.data()[e]);
  const auto odd = hn::FirstN(tag, is_odd ? hn::Lanes(tag) : 0);
  for (int v = 0; v < kVectors; ++v) {
    const auto term = load(tag, row + v * lanes);
    auto& even_sum = sum[0][v];
    auto& odd_sum = sum[kSums - 1][v];
    even_sum = hn::IfThenElse(odd, even_sum, hn::MulAdd(weight, term, even_sum));
    odd_sum = hn::IfThenElse(odd, hn::MulAdd(weight, term, odd_sum), odd_sum);
  }
}

/// row_block of all wanted rows, from the picked entries.
template <int kVectors, typename T>
void picked_blocks(const SpmmArguments<T>& arguments, std::int64_t first_row, std::int64_t last_row,
                   std::int64_t column, const std::int32_t* HWY_RESTRICT places,
                   std::int32_t num_picked) {
  constexpr int kSums = RowWalk<kVectors>::kSums;
  const FloatTag tag;
  const graph::CsrView a = arguments.a;
  const RowSet wanted = arguments.options.wanted;
  const graph::NodeId* HWY_RESTRICT columns = a.columns.data();
  const graph::EdgeOffset* HWY_RESTRICT offsets = a.offsets.data();
  const graph::EdgeOffset base = offsets[first_row];
  const T* HWY_RESTRICT x = arguments.x.data + column;
  const std::int64_t stride = arguments.x.stride;
  std::int32_t k = 0;
  for (std::int64_t i = first_row; i < last_row; ++i) {
    const auto begin = static_cast<std::int32_t>(offsets[i] - base);
    const auto end = static_cast<std::int32_t>(offsets[i + 1] - base);
    if (next_wanted(wanted, i, i + 1) != i) {
      while (places[k] < end) ++k;
      continue;
    }
    hn::VFromD<FloatTag> sum[kSums][kVectors];
    for (int s = 0; s < kSums; ++s) {
      for (int v = 0; v < kVectors; ++v) sum[s][v] = hn::Zero(tag);
    }
    for (; places[k] < end; ++k) {
      const std::int32_t ahead = k + RowWalk<kVectors>::kPickedAhead;
      if (ahead < num_picked) prefetch_row<kVectors>(x + columns[base + places[ahead]] * stride);
      add_picked<kVectors>(a, base + places[k], (places[k] - begin) % 2 != 0, x, stride, sum);
    }
    store_sums<kVectors>(arguments, i, column, scale_of(arguments.options, i), sum);
  }
}

/// The wanted rows of a product whose table is zero in most rows: column block by column block.
template <typename T>
void picked_rows(const SpmmArguments<T>& arguments, std::int64_t first_row, std::int64_t last_row,
                 const PickedEntries& picked) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(FloatTag()));
  const std::int64_t width = arguments.y.cols;
  const std::int32_t count = pick_entries(arguments, first_row, last_row, picked.places);
  std::int64_t column = 0;
  for (; column + 8 * lanes <= width; column += 8 * lanes)
    picked_blocks<8>(arguments, first_row, last_row, column, picked.places, count);
  if (column + 4 * lanes <= width) {
    picked_blocks<4>(arguments, first_row, last_row, column, picked.places, count);
    column += 4 * lanes;
  }
  if (column + 2 * lanes <= width) {
    picked_blocks<2>(arguments, first_row, last_row, column, picked.places, count);
    column += 2 * lanes;
  }
  if (column + lanes <= width) {
    picked_blocks<1>(arguments, first_row, last_row, column, picked.places, count);
    column += lanes;
  }
  if (column == width) return;
  const RowSet wanted = arguments.options.wanted;
  for (std::int64_t i = next_wanted(wanted, first_row, last_row); i < last_row;
       i = next_wanted(wanted, i + 1, last_row)) {
    row_tail(arguments, i, column, scale_of(arguments.options, i));
  }
}

/// Asks for the first entries of a row, and for where it is stored.
template <typename T>
HWY_INLINE void prefetch_entries(const SpmmArguments<T>& arguments, std::int64_t i) {
  const graph::CsrView& a = arguments.a;
  const graph::EdgeOffset first = a.offsets[static_cast<std::size_t>(i)];
  constexpr graph::EdgeOffset kPerLine = 16;  // of 4 bytes
  for (graph::EdgeOffset e = first; e < std::min(first + 4 * kPerLine, a.num_entries());
       e += kPerLine) {
    hwy::Prefetch(a.columns.data() + e);
    if (!a.values.empty()) hwy::Prefetch(a.values.data() + e);
  }
  for (std::int64_t column = 0; column < arguments.y.cols; column += kPerLine)
    hwy::Prefetch(arguments.y.row(i) + column);
}

template <typename T>
void spmm_rows(const SpmmArguments<T>& arguments, std::int64_t first_row, std::int64_t last_row,
               const PickedEntries& picked) {
  if (arguments.options.nonzero.data != nullptr) {
    picked_rows(arguments, first_row, last_row, picked);
    return;
  }
  const RowSet wanted = arguments.options.wanted;
  if (wanted.data == nullptr) {
    for (std::int64_t i = first_row; i < last_row; ++i) whole_row(arguments, i, EveryRow{});
    return;
  }
  // Ids and values of a row start at no foreseeable place either.
  const graph::EdgeOffset* HWY_RESTRICT offsets = arguments.a.offsets.data();
  std::int64_t i = next_wanted(wanted, first_row, last_row);
  std::int64_t next = next_wanted(wanted, i + 1, last_row);
  while (i < last_row) {
    const std::int64_t later = next_wanted(wanted, next + 1, last_row);
    if (later < last_row) prefetch_entries(arguments, later);
    whole_row(arguments, i,
              WantedRow{offsets[i + 1], offsets[std::min(next, last_row)] - offsets[i + 1]});
    i = next;
    next = later;
  }
}

void spmm_rows_float(const SpmmArguments<float>& arguments, std::int64_t first_row,
                     std::int64_t last_row, const PickedEntries& picked) {
  spmm_rows(arguments, first_row, last_row, picked);
}
void spmm_rows_bf16(const SpmmArguments<Bf16>& arguments, std::int64_t first_row,
                    std::int64_t last_row, const PickedEntries& picked) {
  spmm_rows(arguments, first_row, last_row, picked);
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include <omp.h>

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
    for (std::size_t chunk = 0; chunk + 1 < chunks_.size(); ++chunk) {
      const std::int64_t first = chunks_[chunk];
      const std::int64_t last = chunks_[chunk + 1];
      most_entries_ = std::max(most_entries_, matrix.offsets[static_cast<std::size_t>(last)] -
                                                  matrix.offsets[static_cast<std::size_t>(first)]);
    }
  }
  std::int64_t rows() const override { return matrix_.num_rows; }
  std::int64_t cols() const override { return matrix_.num_cols; }
  std::int64_t num_entries() const override { return matrix_.num_entries(); }
  const graph::CsrView& view() const { return matrix_; }
  const std::vector<std::int64_t>& chunks() const { return chunks_; }
  /// Numbers in the PickedEntries of a chunk.
  std::int64_t picked_size() const { return most_entries_ + PickedEntries::kSlack; }

 private:
  graph::CsrView matrix_;
  std::int64_t most_entries_ = 0;           ///< of a chunk
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
//             a row; wider D repeats the row per 8 vectors. Of rows that are wanted the next two
//             are known, so that the prefetch jumps; entries of table rows that are not zero are
//             listed chunk by chunk before any is added
// Memory      gathers 4 * D bytes an entry (2 * D in bf16); x rows 16 or 32 entries ahead are
//             prefetched; bound: L3 bandwidth while x fits it, DRAM beyond
// Regime      any; rows longer than a chunk are not split, so one row of more than E / (4 threads)
//             entries limits scaling
// Numerics    float32 fused multiply-add, ascending column order, in one sum or, for up to four
//             vectors, in alternation in two, which an entry keeps when others are left out; every
//             row by one thread: deterministic at any thread count; error bound in docs/numerics.md
// Edge cases  an empty row stores act(beta y + delta addend + bias); D not a multiple of the vector width ends in a scalar tail
// Source      own; compared with torch.sparse CSR and SciPy in bench/peers/spmm.py
// Measured    docs/benchmarks.md#spmm
template <typename T, typename RowFunction>
void spmm_row_chunks(const SparseMatrix& a, MatrixView<const T> x, FloatView y,
                     const SpmmOptions& options, std::vector<std::int32_t>& memory,
                     RowFunction function) {
  const auto* sparse = dynamic_cast<const CpuSparseMatrix*>(&a);
  if (sparse == nullptr)
    throw InputError("spmm: the sparse matrix was prepared by another backend");
  check_product(Device::cpu, a, x, y, options);
  if (a.rows() == 0 || y.cols == 0) return;
  const SpmmArguments<T> arguments{sparse->view(), x, y, options};
  const std::vector<std::int64_t>& chunks = sparse->chunks();
  const auto num_chunks = static_cast<std::int64_t>(chunks.size()) - 1;
  const std::int64_t share = options.nonzero.data != nullptr
                                 ? graph::checked_cast<std::int32_t>(sparse->picked_size())
                                 : 0;
  const auto size = static_cast<std::size_t>(share * omp_get_max_threads());
  if (memory.size() < size) memory.resize(size);
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t chunk = 0; chunk < num_chunks; ++chunk) {
    function(arguments, chunks[static_cast<std::size_t>(chunk)],
             chunks[static_cast<std::size_t>(chunk) + 1],
             PickedEntries{memory.data() + share * omp_get_thread_num()});
  }
}

}  // namespace

std::unique_ptr<SparseMatrix> CpuBackend::sparse(const graph::CsrView& matrix) {
  return std::make_unique<CpuSparseMatrix>(matrix);
}

void CpuBackend::spmm(const SparseMatrix& a, ConstFloatView x, FloatView y,
                      const SpmmOptions& options) {
  const ThreadScope threads(num_threads_);
  spmm_row_chunks(a, x, y, options, picked_entries_, &HWY_DYNAMIC_DISPATCH(spmm_rows_float));
}

void CpuBackend::spmm(const SparseMatrix& a, MatrixView<const Bf16> x, FloatView y,
                      const SpmmOptions& options) {
  const ThreadScope threads(num_threads_);
  spmm_row_chunks(a, x, y, options, picked_entries_, &HWY_DYNAMIC_DISPATCH(spmm_rows_bf16));
}

}  // namespace penchant::kernels
#endif  // HWY_ONCE
