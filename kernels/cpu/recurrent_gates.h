// SPDX-License-Identifier: Apache-2.0
// The gates of recurrent layers, some rows of one time step at a time (kernels/backend.h, Cell):
// what is left of a step beside its products. Each function gives the code for this machine.
#pragma once

#include "kernels/backend.h"

namespace penchant::kernels {

/// `gates` holds the products on entry and the activated gates on return. c_before.data null: the
/// first step.
using LstmGates = void (*)(VectorView<const float> bias, ConstFloatView c_before, FloatView gates,
                           FloatView c, FloatView h);
LstmGates lstm_gates();

/// `gates` holds the activated gates on entry and d_z on return; the first `carried` rows of
/// carry_h and carry_c hold what the step behind sends back.
using LstmGatesBackward = void (*)(ConstFloatView c_before, ConstFloatView c, ConstFloatView d_h,
                                   std::int64_t carried, ConstFloatView carry_h, FloatView gates,
                                   FloatView carry_c, float* bias_sums);
LstmGatesBackward lstm_gates_backward();

using RnnGates = void (*)(Activation act, VectorView<const float> bias, ConstFloatView z,
                          FloatView h);
RnnGates rnn_gates();

using RnnGatesBackward = void (*)(Activation act, ConstFloatView h, ConstFloatView d_h,
                                  std::int64_t carried, ConstFloatView carry_h, FloatView d_z,
                                  float* bias_sums);
RnnGatesBackward rnn_gates_backward();

}  // namespace penchant::kernels
