// SPDX-License-Identifier: Apache-2.0
#include "kernels/host_threads.h"

#include <algorithm>

#include <cblas.h>
#include <fmt/core.h>
#include <omp.h>

#include "graph/error.h"

namespace penchant::kernels {

namespace {

constexpr int kMostThreads = 1024;

/// OpenBLAS' OpenMP flavour also sets OpenMP's count: the order of the two calls matters.
void set_threads(int openmp, int openblas) {
  if (openblas_get_num_threads() != openblas) openblas_set_num_threads(openblas);
  if (omp_get_max_threads() != openmp) omp_set_num_threads(openmp);
}

}  // namespace

int host_threads(int num_threads) {
  // Each thread takes a stack and scratch memory; OpenMP ends the process where it gets none.
  const int most = std::max(kMostThreads, omp_get_num_procs());
  if (num_threads < 0 || num_threads > most) {
    throw InputError(
        fmt::format("number of threads is {}, expected 0 (all cores) to {}", num_threads, most));
  }
  return num_threads > 0 ? num_threads : omp_get_num_procs();
}

ThreadScope::ThreadScope(int num_threads)
    : openmp_(omp_get_max_threads()), openblas_(openblas_get_num_threads()) {
  set_threads(num_threads, 1);
}

ThreadScope::~ThreadScope() { set_threads(openmp_, openblas_); }

int set_host_threads(int num_threads) {
  const int threads = host_threads(num_threads);
  set_threads(threads, 1);
  return threads;
}

}  // namespace penchant::kernels
