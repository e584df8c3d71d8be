// SPDX-License-Identifier: Apache-2.0
// The host side of the CUDA backend on the stand-in: what libraries' failures, exhausted memory and
// recordings make of it, and how often it calls what is dear.
#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/graph_build.h"
#include "kernels/cuda/sparse.h"
#include "kernels/cuda_module.h"
#include "tests/fake_cuda/world.h"

extern "C" const char* penchant_cuda_interface();
extern "C" const penchant::kernels::CudaModule* penchant_cuda_module();

namespace penchant::fake_cuda {
namespace {

using kernels::Activation, kernels::Backend, kernels::ConstFloatView, kernels::CudaOptions;
using kernels::Device, kernels::FloatMatrix, kernels::FloatView, kernels::Transpose;
using kernels::Vector, kernels::VectorView, kernels::cuda::CudaBackend;
using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr auto kPlain = Transpose::no;
constexpr auto kTurned = Transpose::yes;

class StandIn : public testing::Test {
 protected:
  ~StandIn() override {
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "an error was left behind";
    const std::size_t pinned_bytes = world_.pinned_bytes;
    world_.device_bytes = pinned_bytes;
  }

  static FloatMatrix matrix(Backend& backend, std::int64_t rows, std::int64_t cols, float value) {
    FloatMatrix made = backend.matrix<float>(rows, cols);
    backend.fill(made.view(), value);
    return made;
  }
  static std::vector<float> download(Backend& backend, ConstFloatView view) {
    std::vector<float> values(static_cast<std::size_t>(view.rows * view.cols));
    backend.copy(view, FloatView(values.data(), view.rows, view.cols, view.cols, Device::cpu));
    return values;
  }
  /// Calls of a function while `work` runs.
  template <typename Work>
  std::int64_t calls(const std::string& function, Work work) {
    const std::int64_t before = world_.calls(function);
    work();
    return world_.calls(function) - before;
  }
  static auto device_error(const std::string& text) {
    return ThrowsMessage<DeviceError>(HasSubstr(text));
  }

  World& world_ = World::get();
};

const CudaOptions kOptions;

// --- plans and preparations that fail half-way

TEST_F(StandIn, AProductWhosePlanFailedIsPlannedAgain) {
  CudaBackend backend(kOptions, 0);
  const FloatMatrix a = matrix(backend, 4, 4, 1.0F);
  FloatMatrix c = backend.matrix<float>(4, 4);
  const auto multiply = [&] {
    backend.gemm(kPlain, kPlain, 1.0F, a.view(), a.view(), 0.0F, c.view());
  };
  for (const char* function : {"cublasLtMatmulDescCreate", "cublasLtMatrixLayoutCreate",
                               "cublasLtMatmulAlgoGetHeuristic"}) {
    world_.fail(function, CUBLAS_STATUS_INTERNAL_ERROR);
    EXPECT_THAT(multiply, device_error("cuBLAS: CUBLAS_STATUS_OF_THE_STAND_IN")) << function;
  }
  multiply();
  EXPECT_EQ(download(backend, c.view()), std::vector<float>(16, 4.0F));
}

TEST_F(StandIn, AProductThatNoAlgorithmDoesSaysSo) {
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

graph::Csr triangle() { return {3, 3, {0, 1, 2, 3}, {1, 2, 0}, {2.0F, 2.0F, 2.0F}}; }

TEST_F(StandIn, ASparseProductWhosePreparationFailedIsPreparedAgain) {
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

TEST_F(StandIn, CusparseIsAskedOnlyWhereRowsAreAligned) {
  CudaOptions options;
  options.spmm = kernels::SpmmVariant::cusparse_alg1;
  CudaBackend backend(options, 0);
  const graph::Csr csr = triangle();
  const auto sparse = backend.sparse(csr.view());
  FloatMatrix x = matrix(backend, 3, 24, 1.0F);
  FloatMatrix y = backend.matrix<float>(3, 24);
  const auto product = [&](std::int64_t first, std::int64_t cols) {
    return calls("cusparseSpMM", [&] {
      backend.spmm(*sparse, x.view().cols_of(first, cols), y.view().cols_of(first, cols), {});
      EXPECT_EQ(download(backend, y.view().cols_of(first, cols)),
                std::vector<float>(static_cast<std::size_t>(3 * cols), 2.0F));
    });
  };
  EXPECT_EQ(product(0, 24), 1);
  EXPECT_EQ(product(4, 8), 1);
  EXPECT_EQ(product(1, 8), 0);
  EXPECT_EQ(product(0, 7), 0);
}

TEST_F(StandIn, ALayersBiasMayLieAnywhere) {
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
TEST_F(StandIn, EqualColumnsHaveEqualScores) {
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

// --- memory

TEST_F(StandIn, ConstructionPinsNothingAndSmallUploadsShareAPlace) {
  std::unique_ptr<CudaBackend> backend;
  EXPECT_EQ(calls("cudaMallocHost", [&] { backend = std::make_unique<CudaBackend>(kOptions, 0); }),
            0);
  Vector<float> to = backend->vector<float>(25);
  std::vector<std::vector<float>> sources;
  EXPECT_EQ(calls("cudaEventSynchronize",
                  [&] {
                    EXPECT_EQ(calls("cudaMallocHost",
                                    [&] {
                                      for (int k = 0; k < 1000; ++k) {
                                        const std::vector<float> from(25, static_cast<float>(k));
                                        backend->copy(
                                            VectorView<const float>(from.data(), 25, Device::cpu),
                                            to.view());
                                      }
                                    }),
                              1);
                  }),
            0)
      << "1000 places of 128 bytes lie in one slot";
  EXPECT_EQ(download(*backend, {to.view().data, 1, 25, 25, Device::cuda}),
            std::vector<float>(25, 999.0F));
}

// More than the ring of 16 MiB at once, both ways, and in places of all sizes.
TEST_F(StandIn, TheRingMayBeGoneRound) {
  CudaBackend backend(kOptions, 0);
  const std::int64_t rows = 9;
  const std::int64_t cols = (std::int64_t{5} << 20) / 8;  // 22.5 MiB in all
  std::vector<float> numbers(static_cast<std::size_t>(rows * cols));
  for (std::size_t k = 0; k < numbers.size(); ++k) numbers[k] = static_cast<float>(k % 8191);
  FloatMatrix on_device = backend.matrix<float>(rows, cols);
  const ConstFloatView host(numbers.data(), rows, cols, cols, Device::cpu);
  for (int round = 0; round < 3; ++round) {
    backend.copy(host, on_device.view());
    EXPECT_TRUE(download(backend, on_device.view()) == numbers) << round;
    for (const std::int64_t width : {1, 1000, 77777, 262144}) {
      backend.copy(host.cols_of(round, width), on_device.view().cols_of(round, width));
      const std::vector<float> part = download(backend, on_device.view().cols_of(round, width));
      EXPECT_EQ(part.front(), numbers[static_cast<std::size_t>(round)]);
      EXPECT_EQ(part.back(),
                numbers[static_cast<std::size_t>((rows - 1) * cols + round + width - 1)]);
    }
  }
}

TEST_F(StandIn, ColumnsAreCopiedByAKernel) {
  CudaBackend backend(kOptions, 0);
  FloatMatrix from = matrix(backend, 50, 3, 2.0F);
  FloatMatrix to = matrix(backend, 50, 3, 1.0F);
  EXPECT_EQ(calls("cudaMemcpy2DAsync",
                  [&] {
                    backend.copy(ConstFloatView(from.view()).cols_of(1, 1),
                                 to.view().cols_of(2, 1));
                  }),
            0);
  const std::vector<float> got = download(backend, to.view().rows_of(49, 1));
  EXPECT_EQ(got, (std::vector<float>{1.0F, 1.0F, 2.0F}));
  FloatMatrix whole = backend.matrix<float>(50, 16);
  FloatMatrix same = backend.matrix<float>(50, 16);
  EXPECT_EQ(
      calls("cudaMemcpyAsync", [&] { backend.copy(ConstFloatView(whole.view()), same.view()); }), 1)
      << "what has no gaps goes in one piece";
}

TEST_F(StandIn, WhatTheDeviceCannotHoldIsSaid) {
  world_.device_bytes = std::size_t{100} << 20;
  CudaBackend backend(kOptions, 0);
  EXPECT_THAT(backend.description(), AllOf(HasSubstr("sm_90"), HasSubstr("132 multiprocessors")));
  const FloatMatrix small = matrix(backend, 10, 10, 1.0F);
  EXPECT_THAT(backend.description(), Not(HasSubstr("host memory")));
  const FloatMatrix large = matrix(backend, 1 << 19, 64, 3.0F);  // 128 MiB
  EXPECT_THAT(backend.description(), HasSubstr("0.1 GiB found no place on it"));
  EXPECT_EQ(download(backend, large.view().rows_of((1 << 19) - 1, 1)),
            std::vector<float>(64, 3.0F));
  world_.pinned_bytes = 1000;
  EXPECT_THROW(backend.matrix<float>(1 << 19, 64), std::bad_alloc);
  world_.pinned_bytes = std::size_t{8} << 30;
  CudaOptions tables;
  tables.table_bytes = 1;
  CudaBackend wanted(tables, 0);
  const FloatMatrix on_host = matrix(wanted, 100, 64, 3.0F);
  EXPECT_THAT(wanted.description(), Not(HasSubstr("host memory"))) << "as it was asked to";
}

// Thrust and libraries allocate beside the pool, which keeps what is given back.
TEST_F(StandIn, ThePoolsUnusedMemoryIsGivenToOthers) {
  CudaBackend backend(kOptions, 0);
  const auto kept = [&] { return world_.pool_reserved() - world_.pool_used(); };
  const auto fill_pool = [&] {
    backend.matrix<float>(1 << 18, 64);
    backend.sync();
    EXPECT_GE(kept(), std::size_t{64} << 20);
  };
  fill_pool();
  const std::vector<graph::Entry> entries = {{0, 1, 1.0F}, {1, 0, 1.0F}};
  const graph::Csr csr =
      kernels::cuda::csr_from_entries_on_device(2, 2, entries, graph::Duplicates::sum);
  EXPECT_EQ(kept(), 0U);
  EXPECT_EQ(csr.columns, (std::vector<graph::NodeId>{1, 0}));
  fill_pool();
  EXPECT_EQ(kernels::cuda::transpose_on_device(csr.view()).columns, csr.columns);
  EXPECT_EQ(kept(), 0U);
  fill_pool();
  EXPECT_EQ(kernels::cuda::normalize_symmetric_on_device(csr.view()).values,
            (std::vector<float>{1.0F, 1.0F}));
  EXPECT_EQ(kept(), 0U);
  fill_pool();
  const auto state =
      backend.recurrent_state({kernels::Cell::lstm, Activation::tanh, 2, 2});  // the first cuDNN
  EXPECT_LT(kept(), std::size_t{1} << 20);
}

TEST_F(StandIn, OwnersMayOutliveTheirBackend) {
  FloatMatrix owner;
  std::unique_ptr<kernels::SparseMatrix> sparse;
  std::unique_ptr<kernels::RecurrentState> state;
  const std::size_t before = world_.pool_used();
  {
    CudaBackend backend(kOptions, 0);
    owner = matrix(backend, 10, 10, 1.0F);
    const graph::Csr csr = triangle();
    sparse = backend.sparse(csr.view());
    state = backend.recurrent_state({kernels::Cell::lstm, Activation::tanh, 2, 2});
  }
  owner = FloatMatrix();
  sparse.reset();
  state.reset();
  EXPECT_EQ(world_.pool_used(), before);
}

TEST_F(StandIn, MemoryIsGivenBackBehindTheWorkThatUsesIt) {
  CudaBackend backend(kOptions, 0);
  FloatMatrix sum = backend.matrix<float>(3, 3);
  for (int k = 0; k < 3; ++k) {
    const FloatMatrix gone = matrix(backend, 3, 3, 1.0F);
    backend.axpby(1.0F, gone.view(), 1.0F, sum.view());
  }
  EXPECT_EQ(download(backend, sum.view()), std::vector<float>(9, 3.0F));
}

// --- recorded steps

CudaOptions with_graphs() {
  CudaOptions options;
  options.graphs = true;
  return options;
}

TEST_F(StandIn, AnOwnerMayDieInARecordedStep) {
  CudaBackend backend(with_graphs(), 0);
  const std::size_t before = world_.pool_used();
  FloatMatrix sum = backend.matrix<float>(2, 2);
  std::vector<FloatMatrix> owners;
  for (int k = 0; k < 6; ++k) owners.push_back(matrix(backend, 2, 2, 1.0F));
  const auto step = backend.repeated_step();
  std::int64_t launches = 0;
  for (int run = 0; run < 6; ++run) {
    launches += calls("cudaGraphLaunch", [&] {
      step->run([&] {
        backend.axpby(1.0F, owners[0].view(), 1.0F, sum.view());
        if (owners.size() > 1) owners.pop_back();
      });
    });
  }
  EXPECT_EQ(download(backend, sum.view()), std::vector<float>(4, 6.0F));
  EXPECT_EQ(launches, 4) << "the recordings are whole";
  backend.sync();
  EXPECT_LE(world_.pool_used(), before + 2 * 2 * 64) << "sum and one owner, nothing leaked";
}

TEST_F(StandIn, ScratchMemoryMayDieInARecordedStep) {
  CudaBackend backend(with_graphs(), 0);
  FloatMatrix sum = backend.matrix<float>(2, 2);
  const FloatMatrix one = matrix(backend, 2, 2, 1.0F);
  const graph::Csr csr = triangle();
  std::vector<std::unique_ptr<kernels::SparseMatrix>> matrices;
  for (int k = 0; k < 6; ++k) matrices.push_back(backend.sparse(csr.view()));
  const auto step = backend.repeated_step();
  EXPECT_EQ(calls("cudaGraphLaunch",
                  [&] {
                    for (int run = 0; run < 6; ++run)
                      step->run([&] {
                        backend.axpby(1.0F, one.view(), 1.0F, sum.view());
                        if (!matrices.empty()) matrices.pop_back();
                      });
                  }),
            4);
  EXPECT_EQ(download(backend, sum.view()), std::vector<float>(4, 6.0F));
}

// Nothing of a recurrent layer's calls comes from the host.
TEST_F(StandIn, RecurrentLayersAreRecorded) {
  CudaBackend backend(with_graphs(), 0);
  const std::vector<std::int64_t> offsets = {0, 2, 3};
  const FloatMatrix x = matrix(backend, 3, 2, 0.5F);
  const FloatMatrix input = matrix(backend, 2, 12, 0.5F);
  const FloatMatrix hidden = matrix(backend, 3, 12, 0.5F);
  const Vector<float> bias = backend.vector<float>(12);
  FloatMatrix h = backend.matrix<float>(3, 3);
  const auto state = backend.recurrent_state({kernels::Cell::lstm, Activation::tanh, 2, 3});
  const auto step = backend.repeated_step();
  const auto forward = [&] {
    backend.recurrent_forward(*state, {offsets}, x.view(),
                              {input.view(), hidden.view(), bias.view()}, h.view());
  };
  step->run(forward);
  const std::vector<float> plain = download(backend, h.view());
  EXPECT_EQ(calls("cudaGraphLaunch",
                  [&] {
                    for (int run = 0; run < 4; ++run) step->run(forward);
                  }),
            3);
  EXPECT_EQ(download(backend, h.view()), plain);
}

TEST_F(StandIn, AStepWhoseGraphCannotBeMadeIsRunPlainly) {
  CudaBackend backend(with_graphs(), 0);
  const FloatMatrix one = matrix(backend, 2, 2, 1.0F);
  FloatMatrix sum = backend.matrix<float>(2, 2);
  const auto step = backend.repeated_step();
  world_.fail("cudaGraphInstantiate", cudaErrorUnknown);
  world_.fail("cudaGraphExecUpdate", cudaErrorGraphExecUpdateFailure, 1);
  for (int run = 1; run <= 8; ++run) {
    step->run([&] {
      if (run == 6) world_.spoil_recordings();  // as a library that does what it must not
      backend.axpby(1.0F, one.view(), 1.0F, sum.view());
    });
    EXPECT_EQ(download(backend, sum.view())[0], static_cast<float>(run));
  }
}

TEST_F(StandIn, WaitingInARecordedStepIsRefusedBeforeItSpoilsIt) {
  CudaBackend backend(with_graphs(), 0);
  const auto step = backend.repeated_step();
  int calls = 0;
  for (int run = 0; run < 4; ++run) {
    step->run([&] {
      ++calls;
      backend.sync();
    });
  }
  EXPECT_EQ(calls, 6) << "recorded in vain twice, run each time";
}

// --- statuses

TEST_F(StandIn, ErrorsThatAreIgnoredAreForgotten) {
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

TEST_F(StandIn, SolversAndCudnnAreMadeOnce) {
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

TEST_F(StandIn, StatusesNameLibraryCallAndReason) {
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

TEST_F(StandIn, AMatrixOfAnotherBackendIsRefused) {
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

// --- the module

TEST_F(StandIn, TheModuleSaysWhyThereIsNoGpu) {
  const kernels::CudaModule& module = *penchant_cuda_module();
  EXPECT_STRNE(penchant_cuda_interface(), "");
  EXPECT_EQ(module.status(), kernels::kCudaAvailable);
  EXPECT_EQ(module.devices(), std::vector<std::string>{"stand-in for a GPU, sm_90, 8.0 GiB"});
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
  EXPECT_EQ(module.status(),
            "the GPU is stand-in for a GPU, sm_90; this module has code for sm 90");
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
