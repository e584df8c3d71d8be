// SPDX-License-Identifier: Apache-2.0
// Repeated steps as CUDA graphs: step_recorder.h on a stream.
#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/step_recorder.h"

namespace penchant::kernels::cuda {

namespace {

class GraphDriver {
 public:
  explicit GraphDriver(const SharedStream& stream) : stream_(stream) {}

  void begin() { check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal)); }
  bool end() {
    const cudaError_t status = cudaStreamEndCapture(stream_.get(), graph_.receive());
    if (status != cudaSuccess) forget_error();  // a recording that failed leaves its error behind
    stream_.give_back_retired();
    return status == cudaSuccess && graph_.get() != nullptr;
  }
  bool update() {
    cudaGraphExecUpdateResultInfo info{};
    if (cudaGraphExecUpdate(executable_.get(), graph_.get(), &info) == cudaSuccess) return true;
    forget_error();
    return false;
  }
  void make() {
    check(cudaStreamSynchronize(stream_.get()));  // the graph before this one may still run
    check(cudaGraphInstantiate(executable_.receive(), graph_.get(), 0));
  }
  void launch() { check(cudaGraphLaunch(executable_.get(), stream_.get())); }

 private:
  SharedStream stream_;
  Unique<cudaGraph_t, cudaGraphDestroy> graph_;
  Unique<cudaGraphExec_t, cudaGraphExecDestroy> executable_;
};

class GraphStep final : public RepeatedStep {
 public:
  explicit GraphStep(const SharedStream& stream) : driver_(stream) {}
  void run(const std::function<void()>& enqueue) override { recorder_.run(driver_, enqueue); }

 private:
  GraphDriver driver_;
  StepRecorder<GraphDriver> recorder_;
};

}  // namespace

std::unique_ptr<RepeatedStep> CudaBackend::repeated_step() {
  if (!options_.graphs) return std::make_unique<RepeatedStep>();
  return std::make_unique<GraphStep>(stream_);
}

}  // namespace penchant::kernels::cuda
