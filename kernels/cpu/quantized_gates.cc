// SPDX-License-Identifier: Apache-2.0
// Gates of a quantised recurrent layer. Their results become 8-bit integers or are read by a network
// that was made of such, so that exp is a polynomial of degree 5 here: half the time of Highway's.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/quantized_gates.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include "kernels/cpu/quantized_products.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// 1 / (1 + 2^(-x log2(e))), within 4e-6: 2^n of the whole part by the exponent's bits, the rest in
/// [-1/2, 1/2] by the first terms of its series.
template <class Tag, class Value>
HWY_INLINE Value quick_sigmoid(Tag tag, Value x, float log2_e_times = 1.4426950408889634F) {
  const hn::RebindToSigned<Tag> whole_tag;
  // 2^126 and 2^-126: beyond them the result is 0 or 1 all the same.
  const auto power = hn::Clamp(hn::Mul(x, hn::Set(tag, -log2_e_times)), hn::Set(tag, -126.0F),
                               hn::Set(tag, 126.0F));
  const auto whole = hn::Round(power);
  const auto rest = hn::Sub(power, whole);
  auto series = hn::Set(tag, 1.3333558146428443e-3F);  // ln(2)^5 / 5!
  series = hn::MulAdd(series, rest, hn::Set(tag, 9.618129107628477e-3F));
  series = hn::MulAdd(series, rest, hn::Set(tag, 5.550410866482158e-2F));
  series = hn::MulAdd(series, rest, hn::Set(tag, 2.402265069591007e-1F));
  series = hn::MulAdd(series, rest, hn::Set(tag, 6.931471805599453e-1F));
  series = hn::MulAdd(series, rest, hn::Set(tag, 1.0F));
  const auto bits =
      hn::Add(hn::BitCast(whole_tag, series), hn::ShiftLeft<23>(hn::ConvertTo(whole_tag, whole)));
  const auto below = hn::Add(hn::BitCast(tag, bits), hn::Set(tag, 1.0F));
  // One step of Newton from the 11 bits and more that every machine gives.
  const auto guess = hn::ApproximateReciprocal(below);
  return hn::Mul(guess, hn::NegMulAdd(below, guess, hn::Set(tag, 2.0F)));
}

/// 2 sigmoid(2 x) - 1.
template <class Tag, class Value>
HWY_INLINE Value quick_tanh(Tag tag, Value x) {
  const auto half = quick_sigmoid(tag, x, 2.0F * 1.4426950408889634F);
  return hn::MulSub(hn::Set(tag, 2.0F), half, hn::Set(tag, 1.0F));
}

void lstm_block(const float* HWY_RESTRICT z, std::int64_t rows, bool first_step,
                float* HWY_RESTRICT cells, std::int64_t cell_stride, float* HWY_RESTRICT h,
                std::int64_t h_stride) {
  const hn::CappedTag<float, kGateColumns> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t r = 0; r < rows; ++r, z += kBlockColumns, cells += cell_stride, h += h_stride) {
    for (std::int64_t j = 0; j < kGateColumns; j += lanes) {
      const auto i = quick_sigmoid(tag, hn::LoadU(tag, z + j));
      const auto g = quick_tanh(tag, hn::LoadU(tag, z + 2 * kGateColumns + j));
      const auto o = quick_sigmoid(tag, hn::LoadU(tag, z + 3 * kGateColumns + j));
      auto cell = hn::Mul(i, g);
      if (!first_step) {
        const auto f = quick_sigmoid(tag, hn::LoadU(tag, z + kGateColumns + j));
        cell = hn::MulAdd(f, hn::LoadU(tag, cells + j), cell);
      }
      hn::StoreU(cell, tag, cells + j);
      hn::StoreU(hn::Mul(o, quick_tanh(tag, cell)), tag, h + j);
    }
  }
}

void rnn_block(Activation activation, const float* HWY_RESTRICT z, std::int64_t rows,
               float* HWY_RESTRICT h, std::int64_t h_stride) {
  const hn::CappedTag<float, kGateColumns> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t r = 0; r < rows; ++r, z += kBlockColumns, h += h_stride) {
    for (std::int64_t j = 0; j < kBlockColumns; j += lanes) {
      const auto sum = hn::LoadU(tag, z + j);
      if (activation == Activation::tanh)
        hn::StoreU(quick_tanh(tag, sum), tag, h + j);
      else if (activation == Activation::relu)
        hn::StoreU(hn::Max(hn::Zero(tag), sum), tag, h + j);
      else
        hn::StoreU(quick_sigmoid(tag, sum), tag, h + j);
    }
  }
}

void bytes_block(const float* HWY_RESTRICT values, std::int64_t count, const ByteScale& scale,
                 std::uint8_t* HWY_RESTRICT bytes) {
  const hn::CappedTag<float, kGateColumns> tag;
  const hn::Rebind<std::uint8_t, decltype(tag)> byte_tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto inverse = hn::Set(tag, scale.inverse);
  const auto zero = hn::Set(tag, scale.zero);
  std::int64_t j = 0;
  for (; j + lanes <= count; j += lanes) {
    const auto scaled = hn::MulAdd(hn::LoadU(tag, values + j), inverse, zero);
    // Demoting cuts off at 0 and 255; NearestInt of what is beyond 32 bits need not.
    const auto within = hn::Clamp(scaled, hn::Set(tag, 0.0F), hn::Set(tag, 255.0F));
    hn::StoreU(hn::DemoteTo(byte_tag, hn::NearestInt(within)), byte_tag, bytes + j);
  }
  for (; j < count; ++j) {
    const hn::CappedTag<float, 1> one;
    const hn::Rebind<std::uint8_t, decltype(one)> one_byte;
    const auto scaled =
        hn::MulAdd(hn::Set(one, values[j]), hn::Set(one, scale.inverse), hn::Set(one, scale.zero));
    const auto within = hn::Clamp(scaled, hn::Set(one, 0.0F), hn::Set(one, 255.0F));
    hn::StoreU(hn::DemoteTo(one_byte, hn::NearestInt(within)), one_byte, bytes + j);
  }
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace penchant::kernels {

HWY_EXPORT(lstm_block);
HWY_EXPORT(rnn_block);
HWY_EXPORT(bytes_block);

BlockGates lstm_block_gates() { return &HWY_DYNAMIC_DISPATCH(lstm_block); }
BlockActivation rnn_block_activation() { return &HWY_DYNAMIC_DISPATCH(rnn_block); }
BytesOf bytes_of() { return &HWY_DYNAMIC_DISPATCH(bytes_block); }

}  // namespace penchant::kernels
#endif  // HWY_ONCE
