// SPDX-License-Identifier: Apache-2.0
// Dropout: every element decides by its own position in a counter-based stream. See the kernel's
// comment below.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/dropout.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include "kernels/cpu/dropout.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// high and low halves of the 64-bit products of all lanes with a constant.
template <class Tag, class Value = hn::Vec<Tag>>
HWY_INLINE void multiply_wide(Tag tag, Value factor, Value x, Value& high, Value& low) {
#if HWY_TARGET == HWY_SCALAR
  const std::uint64_t product = std::uint64_t{hn::GetLane(x)} * hn::GetLane(factor);
  high = hn::Set(tag, static_cast<std::uint32_t>(product >> 32));
  low = hn::Set(tag, static_cast<std::uint32_t>(product));
#else
  const hn::RepartitionToWide<Tag> wide;
  const auto even = hn::MulEven(x, factor);
  const auto odd = hn::MulEven(hn::BitCast(tag, hn::ShiftRight<32>(hn::BitCast(wide, x))), factor);
  high = hn::OddEven(hn::BitCast(tag, odd), hn::BitCast(tag, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(tag, hn::ShiftLeft<32>(odd)), hn::BitCast(tag, even));
#endif
}

/// The four words of Philox-4x32-10 at `Lanes` positions from `first`, position by position.
template <class Tag>
HWY_INLINE void philox(Tag tag, const DropoutStream& stream, std::uint64_t first,
                       std::uint32_t* HWY_RESTRICT words) {
  const auto start = static_cast<std::uint32_t>(first);
  auto c0 = hn::Iota(tag, start);
  // A position that wraps around in the lower word carries into the upper one.
  const auto carry = hn::VecFromMask(tag, hn::Lt(c0, hn::Set(tag, start)));
  auto c1 = hn::Sub(hn::Set(tag, static_cast<std::uint32_t>(first >> 32)), carry);
  auto c2 = hn::Set(tag, stream.stream[0]);
  auto c3 = hn::Set(tag, stream.stream[1]);
  const auto factor0 = hn::Set(tag, 0xD2511F53U);
  const auto factor1 = hn::Set(tag, 0xCD9E8D57U);
  std::uint32_t key0 = stream.key[0];
  std::uint32_t key1 = stream.key[1];
  for (int round = 0; round < 10; ++round) {
    auto high0 = c0, low0 = c0, high1 = c0, low1 = c0;
    multiply_wide(tag, factor0, c0, high0, low0);
    multiply_wide(tag, factor1, c2, high1, low1);
    c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(tag, key0));
    c1 = low1;
    c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(tag, key1));
    c3 = low0;
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  hn::StoreInterleaved4(c0, c1, c2, c3, tag, words);
}

/// y_j = 0 or scale x_j for elements place .. place + count of the matrix.
void drop(const DropoutStream& stream, std::uint64_t place, std::int64_t count, const float* x,
          float* y) {
  const hn::ScalableTag<float> tag;
  const hn::RebindToUnsigned<decltype(tag)> unsigned_tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  HWY_ALIGN std::uint32_t words[4 * hn::MaxLanes(unsigned_tag)];
  const auto limit = hn::Set(unsigned_tag, stream.limit);
  const auto scale = hn::Set(tag, stream.scale);
  auto skip = static_cast<std::int64_t>(place % 4);
  std::uint64_t position = place / 4;
  for (std::int64_t j = 0; j < count; position += static_cast<std::uint64_t>(lanes)) {
    philox(unsigned_tag, stream, position, words);
    const std::int64_t end = HWY_MIN(count, j + 4 * lanes - skip);
    const std::uint32_t* word = words + skip;
    for (; j + lanes <= end; j += lanes, word += lanes) {
      const auto dropped = hn::RebindMask(tag, hn::Lt(hn::LoadU(unsigned_tag, word), limit));
      hn::StoreU(hn::IfThenZeroElse(dropped, hn::Mul(scale, hn::LoadU(tag, x + j))), tag, y + j);
    }
    for (; j < end; ++j, ++word) y[j] = *word < stream.limit ? 0.0F : stream.scale * x[j];
    skip = 0;
  }
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cmath>

#include "graph/random.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels {

HWY_EXPORT(drop);

// dropout: y_ij = x_ij / (1 - rate), or 0 where the stream says so.
// Computes    word (i D + j) % 4 of position (i D + j) / 4 below rate 2^32: 0, else x / (1 - rate)
// Shapes      x, y [N x D] float32 row-major, y may be x
// Mapping     rows are divided among threads; a vector of positions passes through the ten rounds
//             of Philox at once (Highway), and its words are interleaved into the order of elements
// Memory      8 bytes an element and a quarter of a Philox block: bound by Philox
// Regime      rows of some tens of columns and more: a row draws whole vectors of positions
// Numerics    one rounding; the same elements on every backend and thread count
// Edge cases  rate = 0 copies; a row that starts within a block of four words skips those before it
// Source      Srivastava et al. 2014, section 10 (inverted); Philox: Salmon et al. 2011, whose
//             one-position form is graph/random.h
// Measured    not yet measured by itself
void CpuBackend::dropout(const DropoutOptions& options, ConstFloatView x, FloatView y) {
  const ThreadScope threads(num_threads_);
  check_dropout(Device::cpu, options, x, y);
  const graph::Random random(options.seed, graph::Stream::dropout, options.substream);
  // A word is below rate 2^32 if it is below its ceiling, which fits because rate <= 1 - 2^-24.
  const DropoutStream stream{
      random.key(), random.stream(),
      static_cast<std::uint32_t>(std::ceil(static_cast<double>(options.rate) * 0x1p32)),
      1.0F / (1.0F - options.rate)};
  const auto drop_row = &HWY_DYNAMIC_DISPATCH(drop);
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.rows; ++i)
    drop_row(stream, static_cast<std::uint64_t>(i * x.cols), x.cols, x.row(i), y.row(i));
}

}  // namespace penchant::kernels
#endif  // HWY_ONCE
