// SPDX-License-Identifier: Apache-2.0
// Threads of this machine's own cores, whatever the device: graphs are built, logs are read and
// parts of rankings are counted by them beside a GPU too.
#pragma once

namespace penchant::kernels {

/// Sets the threads of OpenMP for the calling thread, and keeps OpenBLAS to one: our own tiles run
/// in parallel. 0: all cores. Returns the number. Throws InputError if it is negative.
int set_host_threads(int num_threads);

}  // namespace penchant::kernels
