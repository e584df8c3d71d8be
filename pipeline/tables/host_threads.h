// SPDX-License-Identifier: Apache-2.0
// run.threads for all that runs on this machine's cores, in verbs without a backend as well.
#pragma once

namespace penchant::pipeline {

/// OpenMP, OpenBLAS and the pool that Arrow decodes Parquet with. 0: all cores. Throws InputError
/// if it is negative.
void use_host_threads(int num_threads);

}  // namespace penchant::pipeline
