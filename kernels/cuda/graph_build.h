// SPDX-License-Identifier: Apache-2.0
// Graphs built on the device; see CudaModule.
#pragma once

#include <cstdint>
#include <span>

#include "graph/csr.h"

namespace penchant::kernels::cuda {

graph::Csr csr_from_entries_on_device(std::int64_t num_rows, std::int64_t num_cols,
                                      std::span<const graph::Entry> entries,
                                      graph::Duplicates duplicates);
graph::Csr transpose_on_device(const graph::CsrView& matrix);
graph::Csr normalize_symmetric_on_device(const graph::CsrView& matrix);

}  // namespace penchant::kernels::cuda
