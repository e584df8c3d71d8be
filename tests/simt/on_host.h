// SPDX-License-Identifier: Apache-2.0
// The emulation's device memory under the name of host memory, for what runs on the host.
#pragma once

#include "kernels/matrix.h"

namespace penchant::simt {

template <typename View>
View on_host(View view) {
  view.device = kernels::Device::cpu;
  return view;
}

}  // namespace penchant::simt
