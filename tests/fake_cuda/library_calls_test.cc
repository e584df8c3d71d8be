// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's calls of libraries on the stand-in: plans that fail half-way, contracts about
// alignment and order, statuses.
#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/sparse.h"
#include "kernels/cuda_module.h"
#include "tests/fake_cuda/stand_in_test.h"

extern "C" const char* penchant_cuda_interface();
extern "C" const penchant::kernels::CudaModule* penchant_cuda_module();

namespace penchant::fake_cuda {
namespace {

class LibraryCalls : public StandIn {};

constexpr auto kPlain = Transpose::no;
constexpr auto kTurned = Transpose::yes;

TEST_F(LibraryCalls, AProductWhosePlanFailedIsPlannedAgain) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix a = matrix(backend, 4, 4, 1.0F);
  FloatMatrix c = backend.matrix<float>(4, 4);
  const auto multiply = [&] {
    backend.gemm(kPlain, kPlain, 1.0F, a.view(), a.view(), 0.0F, c.view());
  };
  for (const char* function : {"cublasLtMatmulDescCreate", "cublasLtMatrixLayoutInit_internal",
                               "cublasLtMatmulAlgoGetHeuristic"}) {
    world_.fail(function, CUBLAS_STATUS_INTERNAL_ERROR);
    EXPECT_THAT(multiply, device_error("cuBLAS: CUBLAS_STATUS_OF_THE_STAND_IN")) << function;
  }
  multiply();
  EXPECT_EQ(download(backend, c.view()), std::vector<float>(16, 4.0F));
}

TEST_F(LibraryCalls, AProductThatNoAlgorithmDoesSaysSo) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix a = matrix(backend, 4, 4, 1.0F);
  FloatMatrix c = backend.matrix<float>(4, 4);
  world_.fail("cublasLtMatmulAlgoGetHeuristic", CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_THAT(([&] { backend.gemm(kPlain, kPlain, 1.0F, a.view(), a.view(), 0.0F, c.view()); }),
              device_error("no algorithm for a product of 4 x 4 with inner dimension 4"));
  // A layer goes without the epilogue.
  const Vector<float> bias = backend.vector<float>(4);
  FloatMatrix wide = matrix(backend, 5, 4, 1.0F);
  FloatMatrix y = backend.matrix<float>(5, 4);
  world_.fail("cublasLtMatmulAlgoGetHeuristic", CUBLAS_STATUS_NOT_SUPPORTED);
  backend.linear(wide.view(), a.view(), bias.view(), Activation::relu, y.view());
  EXPECT_EQ(download(backend, y.view()), std::vector<float>(20, 4.0F));
}

// Of recurrent layers every batch has rows of its own.
TEST_F(LibraryCalls, BatchesOfLikeSizeShareAPlan) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix weight = matrix(backend, 8, 12, 1.0F);
  const FloatMatrix x = matrix(backend, 400, 8, 1.0F);
  const FloatMatrix gradient = matrix(backend, 400, 12, 1.0F);
  FloatMatrix y = backend.matrix<float>(400, 12);
  FloatMatrix of_weight = backend.matrix<float>(8, 12);
  const auto step = [&](std::int64_t rows) {
    backend.gemm(kPlain, kPlain, 1.0F, x.view().rows_of(0, rows), weight.view(), 0.0F,
                 y.view().rows_of(0, rows));
    backend.gemm(kTurned, kPlain, 1.0F, x.view().rows_of(0, rows), gradient.view().rows_of(0, rows),
                 0.0F, of_weight.view());
    EXPECT_EQ(download(backend, y.view().rows_of(0, rows)),
              std::vector<float>(static_cast<std::size_t>(rows) * 12, 8.0F));
    EXPECT_EQ(download(backend, of_weight.view()),
              std::vector<float>(96, static_cast<float>(rows)));
  };
  const auto heuristics = [&](auto work) { return calls("cublasLtMatmulAlgoGetHeuristic", work); };
  EXPECT_EQ(heuristics([&] { step(257); }), 2);
  EXPECT_EQ(heuristics([&] {
              for (const std::int64_t rows : {300, 258, 320, 257, 319}) step(rows);
            }),
            0);
  EXPECT_EQ(heuristics([&] { step(321); }), 2) << "another family";
  EXPECT_EQ(heuristics([&] { step(63), step(62); }), 4) << "few rows have plans of their own";
  // One that the family's algorithm does not fit has a plan of its own.
  world_.fail("cublasLtMatmulAlgoCheck", CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(heuristics([&] { step(261); }), 1);
  EXPECT_EQ(calls("cublasLtMatmulAlgoCheck",
                  [&] {
                    step(261);
                    step(261);
                  }),
            1);
}

// What is contiguous in a matrix is never rounded: an algorithm may rely on its whole packs.
TEST_F(LibraryCalls, ContiguousExtentsHavePlansOfTheirOwn) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix a = matrix(backend, 100, 100, 1.0F);
  const FloatMatrix b = matrix(backend, 100, 100, 1.0F);
  FloatMatrix c = backend.matrix<float>(100, 100);
  const auto heuristics = [&](Transpose of_a, Transpose of_b, std::int64_t rows, std::int64_t cols,
                              std::int64_t inner) {
    return calls("cublasLtMatmulAlgoGetHeuristic", [&] {
      const auto part = [](FloatMatrix const& whole, std::int64_t m, std::int64_t n) {
        const ConstFloatView view = whole.view();
        return ConstFloatView(view.data, m, n, view.stride, view.device);
      };
      backend.gemm(of_a, of_b, 1.0F, of_a == kTurned ? part(a, inner, rows) : part(a, rows, inner),
                   of_b == kTurned ? part(b, cols, inner) : part(b, inner, cols), 0.0F,
                   FloatView(c.view().data, rows, cols, c.view().stride, Device::cuda));
    });
  };
  for (const Transpose of_a : {kPlain, kTurned}) {
    for (const Transpose of_b : {kPlain, kTurned}) {
      const std::string which =
          std::string(of_a == kTurned ? "a'" : "a") + (of_b == kTurned ? " b'" : " b");
      EXPECT_EQ(heuristics(of_a, of_b, 90, 80, 70), 1) << which;
      EXPECT_EQ(heuristics(of_a, of_b, 91, 80, 70), of_a == kTurned ? 1 : 0) << which << ", rows";
      EXPECT_EQ(heuristics(of_a, of_b, 90, 81, 70), 1) << which << ", columns";
      EXPECT_EQ(heuristics(of_a, of_b, 90, 80, 71), of_a == kTurned && of_b == kPlain ? 0 : 1)
          << which << ", inner";
    }
  }
}

TEST_F(LibraryCalls, ASparseProductWhosePreparationFailedIsPreparedAgain) {
  CudaOptions options;
  options.spmm = kernels::SpmmVariant::cusparse_alg3;
  CudaBackend backend(options, 0);
  const graph::Csr csr = triangle();
  const auto sparse = backend.sparse(csr.view());
  const FloatMatrix x = matrix(backend, 3, 4, 1.0F);
  FloatMatrix y = backend.matrix<float>(3, 4);
  const auto multiply = [&] { backend.spmm(*sparse, x.view(), y.view(), {}); };
  for (const char* function :
       {"cusparseCreateCsr", "cusparseSpMM_bufferSize", "cusparseSpMM_preprocess"}) {
    world_.fail(function, CUSPARSE_STATUS_INTERNAL_ERROR);
    EXPECT_THAT(multiply, device_error("cuSPARSE: ")) << function;
  }
  multiply();
  EXPECT_EQ(download(backend, y.view()), std::vector<float>(12, 2.0F));
}

TEST_F(LibraryCalls, CusparseIsAskedOnlyWhereRowsAreAligned) {
  CudaOptions options;
  options.spmm = kernels::SpmmVariant::cusparse_alg1;
  CudaBackend backend(options, 0);
  const graph::Csr csr = triangle();
  const auto sparse = backend.sparse(csr.view());
  FloatMatrix x = matrix(backend, 3, 24, 1.0F);
  FloatMatrix y = backend.matrix<float>(3, 24);
  const auto product = [&](std::int64_t first, std::int64_t cols) {
    backend.fill(y.view(), 7.0F);
    std::vector<float> row(24, 7.0F);
    std::fill_n(row.begin() + first, cols, 2.0F);
    return calls("cusparseSpMM", [&] {
      backend.spmm(*sparse, x.view().cols_of(first, cols), y.view().cols_of(first, cols), {});
      EXPECT_EQ(download(backend, y.view().rows_of(2, 1)), row) << "and no other column";
    });
  };
  EXPECT_EQ(product(0, 24), 1);
  EXPECT_EQ(product(0, 24), 1) << "as prepared before";
  EXPECT_EQ(product(4, 8), 1);
  EXPECT_EQ(product(1, 8), 0);
  EXPECT_EQ(product(0, 7), 0);
}

TEST_F(LibraryCalls, EveryAlgorithmOfCusparseMultiplies) {
  for (const auto variant :
       {kernels::SpmmVariant::cusparse_alg1, kernels::SpmmVariant::cusparse_alg2}) {
    CudaOptions options;
    options.spmm = variant;
    CudaBackend backend(options, 0);
    const graph::Csr csr = triangle();
    const auto sparse = backend.sparse(csr.view());
    const FloatMatrix x = matrix(backend, 3, 4, 1.0F);
    FloatMatrix y = backend.matrix<float>(3, 4);
    backend.spmm(*sparse, x.view(), y.view(), {});
    EXPECT_EQ(download(backend, y.view()), std::vector<float>(12, 2.0F));
  }
}

TEST_F(LibraryCalls, ALayersBiasMayLieAnywhere) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix x = matrix(backend, 4, 8, 1.0F);
  const FloatMatrix weight = matrix(backend, 8, 4, 1.0F);
  Vector<float> bias = backend.vector<float>(16);
  FloatMatrix y = backend.matrix<float>(4, 4);
  for (const std::int64_t first : {0, 1, 2, 3, 4}) {  // the aligned one plans for the others
    backend.linear(x.view(), weight.view(), VectorView<const float>(bias.view()).sub(first, 4),
                   Activation::relu, y.view());
    EXPECT_EQ(download(backend, y.view()), std::vector<float>(16, 8.0F)) << first;
  }
}

// Scores of equal items tie, in whichever column they stand: topk relies on it.
TEST_F(LibraryCalls, EqualColumnsHaveEqualScores) {
  CudaBackend backend(kOptions, 0);
  std::vector<float> numbers;
  for (int k = 0; k < 250; ++k) numbers.push_back(static_cast<float>(std::sin(k + 1.0)));
  FloatMatrix queries = backend.matrix<float>(1, 250);
  FloatMatrix items = backend.matrix<float>(6, 250);
  const ConstFloatView host(numbers.data(), 1, 250, 250, Device::cpu);
  backend.copy(host, queries.view());
  for (std::int64_t item = 0; item < 6; ++item) backend.copy(host, items.view().rows_of(item, 1));
  FloatMatrix scores = backend.matrix<float>(1, 6);
  backend.gemm(kPlain, kTurned, 1.0F, queries.view(), items.view(), 0.0F, scores.view());
  const std::vector<float> got = download(backend, scores.view());
  EXPECT_EQ(got, std::vector<float>(6, got[0]));
}

TEST_F(LibraryCalls, ErrorsThatAreIgnoredAreForgotten) {
  CudaBackend backend(kOptions, 0);
  FloatMatrix y = backend.matrix<float>(2, 2);
  FloatMatrix owner = backend.matrix<float>(2, 2);
  world_.fail("cudaFreeAsync", cudaErrorUnknown);
  owner = FloatMatrix();
  backend.fill(y.view(), 1.0F);  // is not blamed
  {
    world_.fail("cudaEventDestroy", cudaErrorUnknown);
    const auto event = kernels::cuda::make_event();
  }
  backend.fill(y.view(), 1.0F);
  world_.fail("cudaStreamIsCapturing", cudaErrorUnknown, 1);
  { const FloatMatrix other = backend.matrix<float>(2, 2); }
  backend.fill(y.view(), 1.0F);
  CudaOptions tables;
  tables.table_bytes = 1;
  CudaBackend on_host(tables, 0);
  world_.fail("cudaDeviceSynchronize", cudaErrorUnknown);
  on_host.matrix<float>(100, 64);
  backend.fill(y.view(), 1.0F);
}

TEST_F(LibraryCalls, SolversAndCudnnAreMadeOnce) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix a = matrix(backend, 3, 3, 1.0F);
  Vector<float> values = backend.vector<float>(3);
  FloatMatrix vectors = backend.matrix<float>(3, 3);
  EXPECT_EQ(calls("cusolverDnCreate",
                  [&] {
                    for (int k = 0; k < 3; ++k)
                      backend.symmetric_eigen(a.view(), values.view(), vectors.view());
                  }),
            1);
  EXPECT_EQ(calls("cudnnCreate",
                  [&] {
                    for (int k = 0; k < 3; ++k)
                      backend.recurrent_state({kernels::Cell::lstm, Activation::tanh, 2, 2});
                  }),
            1);
  world_.fail("cusolverDnXsyevd", CUSOLVER_STATUS_EXECUTION_FAILED);
  EXPECT_THAT([&] { backend.symmetric_eigen(a.view(), values.view(), vectors.view()); },
              device_error("CUSOLVER_STATUS_EXECUTION_FAILED"));
}

TEST_F(LibraryCalls, StatusesNameLibraryCallAndReason) {
  using kernels::cuda::check;
  EXPECT_THAT([] { check(cudaErrorStreamCaptureImplicit); },
              device_error("CUDA: cudaErrorStreamCaptureImplicit"));
  EXPECT_THROW(check(cudaErrorMemoryAllocation), std::bad_alloc);
  EXPECT_THAT([] { check(CUBLAS_STATUS_NOT_INITIALIZED); }, device_error("cuBLAS: "));
  EXPECT_THAT([] { check(CUSPARSE_STATUS_INVALID_VALUE); }, device_error("cuSPARSE: "));
  EXPECT_THAT([] { check(CUSOLVER_STATUS_NOT_INITIALIZED); },
              device_error("CUSOLVER_STATUS_NOT_INITIALIZED"));
  EXPECT_THAT([] { check(CUSOLVER_STATUS_ALLOC_FAILED); },
              device_error("CUSOLVER_STATUS_ALLOC_FAILED"));
  EXPECT_THAT([] { check(CUSOLVER_STATUS_INVALID_VALUE); },
              device_error("CUSOLVER_STATUS_INVALID_VALUE"));
  EXPECT_THAT([] { check(CUSOLVER_STATUS_ARCH_MISMATCH); },
              device_error("CUSOLVER_STATUS_ARCH_MISMATCH"));
  EXPECT_THAT([] { check(CUSOLVER_STATUS_INTERNAL_ERROR); },
              device_error("CUSOLVER_STATUS_INTERNAL_ERROR"));
  EXPECT_THAT([] { check(CUSOLVER_STATUS_ZERO_PIVOT); }, device_error("another status"));
  CudaBackend backend(kOptions, 0);
  world_.fail("cudnnCreateRNNDescriptor", CUDNN_STATUS_BAD_PARAM);
  EXPECT_THAT(
      [&] {
        backend.recurrent_state({kernels::Cell::lstm, Activation::tanh, 2, 2});
      },
      device_error("cuDNN: CUDNN_STATUS_BAD_PARAM"));
  cudnnTensorDescriptor_t tensor = nullptr;
  check(cudnnCreateTensorDescriptor(&tensor));
  EXPECT_THAT(
      [&] { check(cudnnSetTensorNdDescriptor(tensor, CUDNN_DATA_HALF, 3, nullptr, nullptr)); },
      device_error("CUDNN_STATUS_BAD_PARAM, tensors have 3 dimensions"));
  check(cudnnDestroyTensorDescriptor(tensor));
}

TEST_F(LibraryCalls, AMatrixOfAnotherBackendIsRefused) {
  class Other final : public kernels::SparseMatrix {
    std::int64_t rows() const override { return 3; }
    std::int64_t cols() const override { return 3; }
    std::int64_t num_entries() const override { return 0; }
  };
  CudaBackend backend(kOptions, 0);
  const FloatMatrix x = backend.matrix<float>(3, 4);
  FloatMatrix y = backend.matrix<float>(3, 4);
  const Other other;
  EXPECT_THROW(backend.spmm(other, x.view(), y.view(), {}), InputError);
  struct OtherState final : kernels::RecurrentState {};
  OtherState state;
  EXPECT_THROW(backend.recurrent_forward(state, {}, x.view(), {}, y.view()), InputError);
}

TEST_F(LibraryCalls, TheModuleSaysWhyThereIsNoGpu) {
  const kernels::CudaModule& module = *penchant_cuda_module();
  EXPECT_STRNE(penchant_cuda_interface(), "");
  EXPECT_EQ(module.status(), kernels::kCudaAvailable);
  EXPECT_EQ(module.devices(),
            std::vector<std::string>{"stand-in for a GPU, kernels by emulation, sm_90, 8.0 GiB"});
  world_.driver_version = 0;
  EXPECT_EQ(module.status(), "no NVIDIA driver is installed");
  world_.driver_version = 11040;
  world_.device_status = cudaErrorInsufficientDriver;
  EXPECT_THAT(module.status(), HasSubstr("it supports CUDA 11.4, this module needs "));
  EXPECT_TRUE(module.devices().empty());
  world_.device_status = cudaErrorNoDevice;
  EXPECT_EQ(module.status(), "the NVIDIA driver lists no GPU");
  world_.device_status = cudaErrorUnknown;
  EXPECT_THAT(module.status(), HasSubstr("cannot be used"));
  static_cast<void>(cudaGetLastError());
  world_.device_status = cudaSuccess;
  world_.code_status = cudaErrorNoKernelImageForDevice;
  EXPECT_EQ(
      module.status(),
      "the GPU is stand-in for a GPU, kernels by emulation, sm_90; this module has code for sm 90");
  world_.code_status = cudaErrorUnknown;
  EXPECT_THAT(module.status(), HasSubstr("cannot be used"));
  world_.code_status = cudaSuccess;
  world_.driver_version = CUDART_VERSION;
  EXPECT_THROW(module.make_backend({}, 1), InputError);
  EXPECT_THROW(module.make_backend({}, -1), InputError);
  EXPECT_EQ(module.make_backend({}, 0)->device(), Device::cuda);
}

}  // namespace
}  // namespace penchant::fake_cuda
