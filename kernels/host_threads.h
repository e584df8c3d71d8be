// SPDX-License-Identifier: Apache-2.0
// Threads of this machine's own cores. OpenMP's number belongs to the calling thread, OpenBLAS' to
// the process: a library that sets them puts them back, a program may set them for good.
#pragma once

namespace penchant::kernels {

/// The number asked for, or that of all cores for 0. Throws InputError if it is negative or absurd.
int host_threads(int num_threads);

/// OpenMP's threads for one scope, and OpenBLAS kept to one: our own tiles run in parallel, so that
/// results do not depend on the number.
class ThreadScope {
 public:
  explicit ThreadScope(int num_threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int openmp_, openblas_;  ///< before
};

/// For programs, whose graphs are built, logs read and parts of rankings counted on these cores
/// beside any backend: the same without an end. Returns host_threads(num_threads).
int set_host_threads(int num_threads);

}  // namespace penchant::kernels
