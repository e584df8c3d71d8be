// SPDX-License-Identifier: Apache-2.0
// Chooses the backend. The one place that will know whether the CUDA module was built.
#include "kernels/backend.h"

#include <cstdlib>
#include <string>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/cpu/cpu_backend.h"

namespace penchant::kernels {

namespace {

[[noreturn]] void missing(const char* op) {
  throw DeviceError(fmt::format("{}: this backend does not have the operation", op));
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

std::string cuda_status() { return "this build has no CUDA module"; }

namespace {

DeviceChoice choice_from_environment(DeviceChoice choice) {
  const char* name = std::getenv("PENCHANT_DEVICE");
  if (choice != DeviceChoice::automatic || name == nullptr || *name == '\0') return choice;
  const std::string_view device(name);
  if (device == "cpu") return DeviceChoice::cpu;
  if (device == "cuda") return DeviceChoice::cuda;
  if (device == "auto") return DeviceChoice::automatic;
  throw InputError(fmt::format("PENCHANT_DEVICE is '{}', expected cpu, cuda or auto", device));
}

}  // namespace

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  if (choice_from_environment(options.device) == DeviceChoice::cuda) {
    throw DeviceError("device 'cuda' was asked for: " + cuda_status());
  }
  return std::make_unique<CpuBackend>(options.num_threads);
}

}  // namespace penchant::kernels
