// SPDX-License-Identifier: Apache-2.0
// What an operation does in a backend that does not have it. Apart from backend.cc, so that the
// CUDA module links it without the CPU's kernels.
#include <string>

#include "graph/error.h"
#include "kernels/backend.h"

namespace penchant::kernels {

namespace {

[[noreturn]] void missing(const char* op) {
  throw DeviceError(std::string(op) + ": this backend does not have the operation");
}

}  // namespace

std::unique_ptr<RecurrentState> Backend::recurrent_state(const RecurrentOptions&) {
  missing("recurrent_state");
}
void Backend::recurrent_forward(RecurrentState&, const PackedSequences&, ConstFloatView,
                                const RecurrentWeights&, FloatView) {
  missing("recurrent_forward");
}
void Backend::recurrent_backward(RecurrentState&, const PackedSequences&, ConstFloatView,
                                 const RecurrentWeights&, ConstFloatView, ConstFloatView, FloatView,
                                 const RecurrentGradients&) {
  missing("recurrent_backward");
}
void Backend::convolution_forward(const Segments&, std::int64_t, ConstFloatView, ConstFloatView,
                                  VectorView<const float>, FloatView) {
  missing("convolution_forward");
}
void Backend::convolution_backward(const Segments&, std::int64_t, ConstFloatView, ConstFloatView,
                                   ConstFloatView, FloatView, FloatView, VectorView<float>) {
  missing("convolution_backward");
}
void Backend::segment_max(const Segments&, ConstFloatView, FloatView, MatrixView<graph::NodeId>) {
  missing("segment_max");
}
void Backend::segment_max_backward(MatrixView<const graph::NodeId>, ConstFloatView, FloatView) {
  missing("segment_max_backward");
}
void Backend::running_sum(TimeOrder, const Segments&, float, ConstFloatView, FloatView) {
  missing("running_sum");
}
void Backend::dropout(const DropoutOptions&, ConstFloatView, FloatView) { missing("dropout"); }
void Backend::layer_norm(ConstFloatView, VectorView<const float>, VectorView<const float>,
                         FloatView, VectorView<float>, FloatView) {
  missing("layer_norm");
}
void Backend::layer_norm_backward(ConstFloatView, VectorView<const float>, VectorView<const float>,
                                  ConstFloatView, FloatView, VectorView<float>, VectorView<float>) {
  missing("layer_norm_backward");
}
void Backend::multiply(float, ConstFloatView, ConstFloatView, float, FloatView) {
  missing("multiply");
}
void Backend::binary_cross_entropy(VectorView<const float>, VectorView<const float>,
                                   VectorView<float>, VectorView<float>) {
  missing("binary_cross_entropy");
}
void Backend::squared_error(VectorView<const float>, VectorView<const float>, VectorView<float>,
                            VectorView<float>) {
  missing("squared_error");
}

}  // namespace penchant::kernels
