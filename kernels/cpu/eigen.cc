// SPDX-License-Identifier: Apache-2.0
// Dense symmetric eigenproblems by LAPACK's divide and conquer (dsyevd), single-threaded, in
// double: the Gram matrices that it is used for square the condition number of their tables.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/core.h>

#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"

// OpenBLAS carries LAPACK, but Debian ships no header of it. Anderson et al., "LAPACK users'
// guide", 3rd edition; 32-bit integers; the trailing lengths of the two character arguments are
// gfortran's.
extern "C" void dsyevd_(const char* job, const char* triangle, const int* n, double* a,
                        const int* stride, double* values, double* work, const int* work_size,
                        int* int_work, const int* int_work_size, int* info, std::size_t job_length,
                        std::size_t triangle_length);

namespace penchant::kernels {

void CpuBackend::symmetric_eigen(ConstFloatView a, VectorView<float> values, FloatView vectors) {
  const ThreadScope threads(num_threads_);
  const std::int64_t n = values.size;
  require_host("symmetric_eigen", "values", values);
  require_shape("symmetric_eigen", "a", a, n, n);
  require_shape("symmetric_eigen", "vectors", vectors, n, n);
  if (n == 0) return;
  std::vector<double> matrix(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      if (!std::isfinite(a(i, j)))
        throw InputError(
            fmt::format("symmetric_eigen: element ({}, {}) is {}, not finite", i, j, a(i, j)));
      matrix[static_cast<std::size_t>(i * n + j)] = static_cast<double>(a(i, j));
    }
  }
  // The row-major lower triangle is Fortran's upper one.
  const int size = graph::checked_cast<int>(n);
  std::vector<double> ascending(static_cast<std::size_t>(n));
  std::vector<double> work(1);
  std::vector<int> int_work(1);
  int info = 0;
  // In a parallel region OpenBLAS works with one thread; from serial code it would take all of
  // OpenMP's, and round differently with their number.
  const auto call = [&](int work_size, int int_work_size) {
#pragma omp parallel
#pragma omp single
    dsyevd_("V", "U", &size, matrix.data(), &size, ascending.data(), work.data(), &work_size,
            int_work.data(), &int_work_size, &info, 1, 1);
    if (info != 0) throw DeviceError(fmt::format("symmetric_eigen: dsyevd returned {}", info));
  };
  call(-1, -1);  // asks for the sizes
  const int work_size = static_cast<int>(work[0]);
  const int int_work_size = int_work[0];
  work.resize(static_cast<std::size_t>(work_size));
  int_work.resize(static_cast<std::size_t>(int_work_size));
  call(work_size, int_work_size);
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t from = n - 1 - j;
    values[j] = static_cast<float>(ascending[static_cast<std::size_t>(from)]);
    for (std::int64_t i = 0; i < n; ++i)
      vectors(i, j) = static_cast<float>(matrix[static_cast<std::size_t>(from * n + i)]);
  }
}

}  // namespace penchant::kernels
