// SPDX-License-Identifier: Apache-2.0
// What libpenchant_cuda.so gives to the program that loads it: two C functions, of which the second
// is called only if the first returns this build's kCudaInterface.
//   const char* penchant_cuda_interface();
//   const penchant::kernels::CudaModule* penchant_cuda_module();
// Both sides are C++ of one compiler and one standard library; kCudaInterface is a hash of the
// headers whose layouts they share (kernels/CMakeLists.txt), so that a module of another build is
// refused before anything of it is used.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "kernels/backend.h"

namespace penchant::kernels {

inline constexpr const char* kCudaInterfaceSymbol = "penchant_cuda_interface";
inline constexpr const char* kCudaModuleSymbol = "penchant_cuda_module";
/// The status of a usable GPU.
inline constexpr const char* kCudaAvailable = "available";

struct CudaModule {
  /// kCudaAvailable, or why no GPU can be used: no driver, too old a driver, no device, an
  /// architecture that the module was not compiled for.
  std::string (*status)();
  /// See cuda_devices().
  std::vector<std::string> (*devices)();
  std::unique_ptr<Backend> (*make_backend)(const CudaOptions& options, int device_index);
  /// graph::csr_from_entries, graph::transpose and graph::normalize_symmetric on the device: same
  /// arrays, host memory in and out.
  graph::Csr (*csr_from_entries)(std::int64_t num_rows, std::int64_t num_cols,
                                 std::span<const graph::Entry> entries,
                                 graph::Duplicates duplicates);
  graph::Csr (*transpose)(const graph::CsrView& matrix);
  graph::Csr (*normalize_symmetric)(const graph::CsrView& matrix);
};

}  // namespace penchant::kernels
