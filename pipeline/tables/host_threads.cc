// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/host_threads.h"

#include <arrow/util/thread_pool.h>

#include "kernels/host_threads.h"
#include "pipeline/tables/arrow_status.h"

namespace penchant::pipeline {

void use_host_threads(int num_threads) {
  const int threads = kernels::set_host_threads(num_threads);
  check(arrow::SetCpuThreadPoolCapacity(threads), "run.threads");
}

}  // namespace penchant::pipeline
