// SPDX-License-Identifier: Apache-2.0
// Finds and loads the CUDA module: PENCHANT_CUDA_MODULE (a file) if it is set, else
// libpenchant_cuda.so beside the program or in ../lib/penchant, in Python beside the package's
// extension module. Without PENCHANT_CUDA_MODULE the driver is looked for first: the module's
// libraries (cuBLAS, cuSPARSE, cuDNN) are a gigabyte that a machine without a GPU need not map.
#pragma once

#include <string>

#include "kernels/cuda_module.h"

namespace penchant::kernels {

struct LoadedCudaModule {
  const CudaModule* module = nullptr;  ///< null: `problem` says why
  std::string problem;
  /// module->status(), or the problem.
  std::string status() const { return module == nullptr ? problem : module->status(); }
};

/// A module once loaded stays loaded: backends and the memory that they own outlive this call.
LoadedCudaModule load_cuda_module();

}  // namespace penchant::kernels
