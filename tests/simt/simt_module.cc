// SPDX-License-Identifier: Apache-2.0
// The emulation as a CUDA module (kernels/cuda_module.h): with PENCHANT_CUDA_MODULE naming it, programs that ask for a GPU run on
// the CPU, far slower than either. For walks through what a machine with a GPU runs (tests/gpu_plan_test.py), and the program.
#include "kernels/cuda_module.h"

#include "graph/normalize.h"
#include "kernels/cuda_interface.h"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {
namespace {

constexpr const char* kDevice = "SIMT emulation in place of a GPU";

const kernels::CudaModule kModule = {
    [] { return std::string(kernels::kCudaAvailable); },
    [] { return std::vector<std::string>{kDevice}; },
    [](const kernels::CudaOptions&, int) -> std::unique_ptr<kernels::Backend> {
      return std::make_unique<SimtBackend>(Schedule::ascending);
    },
    [](std::int64_t rows, std::int64_t cols, std::span<const graph::Entry> entries,
       graph::Duplicates duplicates) {
      return graph::csr_from_entries(rows, cols, entries, duplicates);
    },
    [](const graph::CsrView& matrix) { return graph::transpose(matrix); },
    [](const graph::CsrView& matrix) {
      return graph::normalize_symmetric(matrix, graph::SelfLoops::no);
    }};

}  // namespace
}  // namespace penchant::simt

extern "C" {
__attribute__((visibility("default"))) const char* penchant_cuda_interface() {
  return penchant::kernels::kCudaInterface;
}
__attribute__((visibility("default"))) const penchant::kernels::CudaModule* penchant_cuda_module() {
  return &penchant::simt::kModule;
}
}
