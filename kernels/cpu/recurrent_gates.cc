// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/recurrent_gates.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "kernels/cpu/recurrent_gates.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class Tag, class Value>
HWY_INLINE Value sigmoid(Tag tag, Value x) {
  // Highway's Exp is defined up to 104; beyond 88 the result is below the smallest normal number.
  const auto decay = hn::Exp(tag, hn::Min(hn::Set(tag, 88.0F), hn::Neg(x)));
  const auto one = hn::Set(tag, 1.0F);
  return hn::Div(one, hn::Add(one, decay));
}

/// Forward of the LSTM at columns j .. j + lanes of one row; the pointers are to column j of the
/// first block, blocks are `width` apart.
template <class Tag>
HWY_INLINE void lstm_lanes(Tag tag, std::int64_t width, const float* HWY_RESTRICT bias,
                           const float* HWY_RESTRICT c_before, float* HWY_RESTRICT gates,
                           float* HWY_RESTRICT c, float* HWY_RESTRICT h) {
  const auto z_i = hn::Add(hn::LoadU(tag, gates), hn::LoadU(tag, bias));
  const auto z_f = hn::Add(hn::LoadU(tag, gates + width), hn::LoadU(tag, bias + width));
  const auto z_g = hn::Add(hn::LoadU(tag, gates + 2 * width), hn::LoadU(tag, bias + 2 * width));
  const auto z_o = hn::Add(hn::LoadU(tag, gates + 3 * width), hn::LoadU(tag, bias + 3 * width));
  const auto i = sigmoid(tag, z_i);
  const auto f = sigmoid(tag, z_f);
  const auto g = hn::Tanh(tag, z_g);
  const auto o = sigmoid(tag, z_o);
  auto cell = hn::Mul(i, g);
  if (c_before != nullptr) cell = hn::MulAdd(f, hn::LoadU(tag, c_before), cell);
  hn::StoreU(i, tag, gates);
  hn::StoreU(f, tag, gates + width);
  hn::StoreU(g, tag, gates + 2 * width);
  hn::StoreU(o, tag, gates + 3 * width);
  hn::StoreU(cell, tag, c);
  hn::StoreU(hn::Mul(o, hn::Tanh(tag, cell)), tag, h);
}

void lstm_rows(VectorView<const float> bias, ConstFloatView c_before, FloatView gates, FloatView c,
               FloatView h) {
  const hn::ScalableTag<float> tag;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const std::int64_t width = h.cols;
  for (std::int64_t r = 0; r < h.rows; ++r) {
    const float* before = c_before.data == nullptr ? nullptr : c_before.data + r * c_before.stride;
    float* z = gates.data + r * gates.stride;
    float* cell = c.data + r * c.stride;
    float* out = h.data + r * h.stride;
    std::int64_t j = 0;
    for (; j + lanes <= width; j += lanes)
      lstm_lanes(tag, width, bias.data + j, before == nullptr ? nullptr : before + j, z + j,
                 cell + j, out + j);
    for (; j < width; ++j)
      lstm_lanes(one, width, bias.data + j, before == nullptr ? nullptr : before + j, z + j,
                 cell + j, out + j);
  }
}

/// Backward of the LSTM at some columns of one row. carry_h, carry_c null: no later step.
template <class Tag>
HWY_INLINE void lstm_backward_lanes(Tag tag, std::int64_t width, const float* HWY_RESTRICT c_before,
                                    const float* HWY_RESTRICT c, const float* HWY_RESTRICT d_h,
                                    const float* HWY_RESTRICT carry_h, bool carried,
                                    float* HWY_RESTRICT gates, float* HWY_RESTRICT carry_c,
                                    float* HWY_RESTRICT bias_sums) {
  const auto one = hn::Set(tag, 1.0F);
  const auto i = hn::LoadU(tag, gates);
  const auto f = hn::LoadU(tag, gates + width);
  const auto g = hn::LoadU(tag, gates + 2 * width);
  const auto o = hn::LoadU(tag, gates + 3 * width);
  const auto squashed = hn::Tanh(tag, hn::LoadU(tag, c));
  auto from_h = hn::LoadU(tag, d_h);
  if (carried) from_h = hn::Add(from_h, hn::LoadU(tag, carry_h));
  auto d_c = hn::Mul(hn::Mul(from_h, o), hn::NegMulAdd(squashed, squashed, one));
  if (carried) d_c = hn::Add(d_c, hn::LoadU(tag, carry_c));
  const auto d_i = hn::Mul(hn::Mul(d_c, g), hn::Mul(i, hn::Sub(one, i)));
  auto d_f = hn::Zero(tag);
  if (c_before != nullptr)
    d_f = hn::Mul(hn::Mul(d_c, hn::LoadU(tag, c_before)), hn::Mul(f, hn::Sub(one, f)));
  const auto d_g = hn::Mul(hn::Mul(d_c, i), hn::NegMulAdd(g, g, one));
  const auto d_o = hn::Mul(hn::Mul(from_h, squashed), hn::Mul(o, hn::Sub(one, o)));
  hn::StoreU(hn::Mul(d_c, f), tag, carry_c);
  hn::StoreU(d_i, tag, gates);
  hn::StoreU(d_f, tag, gates + width);
  hn::StoreU(d_g, tag, gates + 2 * width);
  hn::StoreU(d_o, tag, gates + 3 * width);
  hn::StoreU(hn::Add(hn::LoadU(tag, bias_sums), d_i), tag, bias_sums);
  hn::StoreU(hn::Add(hn::LoadU(tag, bias_sums + width), d_f), tag, bias_sums + width);
  hn::StoreU(hn::Add(hn::LoadU(tag, bias_sums + 2 * width), d_g), tag, bias_sums + 2 * width);
  hn::StoreU(hn::Add(hn::LoadU(tag, bias_sums + 3 * width), d_o), tag, bias_sums + 3 * width);
}

void lstm_backward_rows(ConstFloatView c_before, ConstFloatView c, ConstFloatView d_h,
                        std::int64_t carried, ConstFloatView carry_h, FloatView gates,
                        FloatView carry_c, float* HWY_RESTRICT bias_sums) {
  const hn::ScalableTag<float> tag;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const std::int64_t width = d_h.cols;
  for (std::int64_t r = 0; r < d_h.rows; ++r) {
    const float* before = c_before.data == nullptr ? nullptr : c_before.data + r * c_before.stride;
    const float* cell = c.data + r * c.stride;
    const float* gradient = d_h.data + r * d_h.stride;
    const float* behind = carry_h.data + r * carry_h.stride;
    float* z = gates.data + r * gates.stride;
    float* carry = carry_c.data + r * carry_c.stride;
    std::int64_t j = 0;
    for (; j + lanes <= width; j += lanes)
      lstm_backward_lanes(tag, width, before == nullptr ? nullptr : before + j, cell + j,
                          gradient + j, behind + j, r < carried, z + j, carry + j, bias_sums + j);
    for (; j < width; ++j)
      lstm_backward_lanes(one, width, before == nullptr ? nullptr : before + j, cell + j,
                          gradient + j, behind + j, r < carried, z + j, carry + j, bias_sums + j);
  }
}

template <class Tag>
HWY_INLINE void rnn_lanes(Tag tag, Activation act, const float* HWY_RESTRICT bias,
                          const float* HWY_RESTRICT z, float* HWY_RESTRICT h) {
  const auto sum = hn::Add(hn::LoadU(tag, z), hn::LoadU(tag, bias));
  if (act == Activation::tanh)
    hn::StoreU(hn::Tanh(tag, sum), tag, h);
  else if (act == Activation::relu)
    hn::StoreU(hn::Max(hn::Zero(tag), sum), tag, h);
  else
    hn::StoreU(sigmoid(tag, sum), tag, h);
}

void rnn_rows(Activation act, VectorView<const float> bias, ConstFloatView z, FloatView h) {
  const hn::ScalableTag<float> tag;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t r = 0; r < h.rows; ++r) {
    const float* from = z.data + r * z.stride;
    float* to = h.data + r * h.stride;
    std::int64_t j = 0;
    for (; j + lanes <= h.cols; j += lanes) rnn_lanes(tag, act, bias.data + j, from + j, to + j);
    for (; j < h.cols; ++j) rnn_lanes(one, act, bias.data + j, from + j, to + j);
  }
}

template <class Tag>
HWY_INLINE void rnn_backward_lanes(Tag tag, Activation act, const float* HWY_RESTRICT h,
                                   const float* HWY_RESTRICT d_h, const float* HWY_RESTRICT carry_h,
                                   bool carried, float* HWY_RESTRICT d_z,
                                   float* HWY_RESTRICT bias_sums) {
  const auto one = hn::Set(tag, 1.0F);
  const auto out = hn::LoadU(tag, h);
  auto gradient = hn::LoadU(tag, d_h);
  if (carried) gradient = hn::Add(gradient, hn::LoadU(tag, carry_h));
  if (act == Activation::tanh)
    gradient = hn::Mul(gradient, hn::NegMulAdd(out, out, one));
  else if (act == Activation::relu)
    gradient = hn::IfThenElseZero(hn::Gt(out, hn::Zero(tag)), gradient);
  else
    gradient = hn::Mul(gradient, hn::Mul(out, hn::Sub(one, out)));
  hn::StoreU(gradient, tag, d_z);
  hn::StoreU(hn::Add(hn::LoadU(tag, bias_sums), gradient), tag, bias_sums);
}

void rnn_backward_rows(Activation act, ConstFloatView h, ConstFloatView d_h, std::int64_t carried,
                       ConstFloatView carry_h, FloatView d_z, float* HWY_RESTRICT bias_sums) {
  const hn::ScalableTag<float> tag;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t r = 0; r < h.rows; ++r) {
    const float* out = h.data + r * h.stride;
    const float* gradient = d_h.data + r * d_h.stride;
    const float* behind = carry_h.data + r * carry_h.stride;
    float* to = d_z.data + r * d_z.stride;
    std::int64_t j = 0;
    for (; j + lanes <= h.cols; j += lanes)
      rnn_backward_lanes(tag, act, out + j, gradient + j, behind + j, r < carried, to + j,
                         bias_sums + j);
    for (; j < h.cols; ++j)
      rnn_backward_lanes(one, act, out + j, gradient + j, behind + j, r < carried, to + j,
                         bias_sums + j);
  }
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace penchant::kernels {

HWY_EXPORT(lstm_rows);
HWY_EXPORT(lstm_backward_rows);
HWY_EXPORT(rnn_rows);
HWY_EXPORT(rnn_backward_rows);

LstmGates lstm_gates() { return &HWY_DYNAMIC_DISPATCH(lstm_rows); }
LstmGatesBackward lstm_gates_backward() { return &HWY_DYNAMIC_DISPATCH(lstm_backward_rows); }
RnnGates rnn_gates() { return &HWY_DYNAMIC_DISPATCH(rnn_rows); }
RnnGatesBackward rnn_gates_backward() { return &HWY_DYNAMIC_DISPATCH(rnn_backward_rows); }

}  // namespace penchant::kernels
#endif  // HWY_ONCE
