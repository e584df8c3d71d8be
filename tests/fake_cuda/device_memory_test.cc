// SPDX-License-Identifier: Apache-2.0
// Memory of the CUDA backend on the stand-in: copies through pinned slots, exhausted memory, owners
// that outlive their backend.
#include <memory>
#include <new>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/graph_build.h"
#include "kernels/cuda/sparse.h"
#include "tests/fake_cuda/stand_in_test.h"

namespace penchant::fake_cuda {
namespace {

class DeviceMemory : public StandIn {};

TEST_F(DeviceMemory, ConstructionPinsNothingAndSmallUploadsShareAPlace) {
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
TEST_F(DeviceMemory, TheRingMayBeGoneRound) {
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

TEST_F(DeviceMemory, ColumnsAreCopiedByAKernel) {
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

TEST_F(DeviceMemory, HostMatricesAreCopiedAtOnce) {
  CudaBackend backend(kOptions, 0);
  const std::vector<float> from = {1.0F, 2.0F, 3.0F, 4.0F};
  std::vector<float> to(2);
  backend.copy(ConstFloatView(from.data(), 2, 1, 2, Device::cpu),
               FloatView(to.data(), 2, 1, 1, Device::cpu));
  EXPECT_EQ(to, (std::vector<float>{1.0F, 3.0F}));
}

TEST_F(DeviceMemory, WhatTheDeviceCannotHoldIsSaid) {
  world_.device_bytes = std::size_t{100} << 20;
  CudaBackend backend(kOptions, 0);
  EXPECT_THAT(backend.description(),
              testing::AllOf(HasSubstr("sm_90"), HasSubstr("132 multiprocessors")));
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
TEST_F(DeviceMemory, ThePoolsUnusedMemoryIsGivenToOthers) {
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

TEST_F(DeviceMemory, OwnersMayOutliveTheirBackend) {
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

// Blocks of a streamed matrix bring their table rows on a stream of their own.
TEST_F(DeviceMemory, StreamedTablesWaitForWhatWritesThem) {
  CudaOptions options;
  options.sparse_bytes = 600;
  options.table_bytes = 1;
  options.table_streaming = kernels::TableStreaming::on;
  graph::Csr ring;
  ring.num_rows = ring.num_cols = 40;
  for (graph::NodeId row = 0; row < 40; ++row) {
    ring.columns.push_back((row + 1) % 40);
    ring.offsets.push_back(row + 1);
  }
  for (const Order order : {Order::lazy, Order::eager}) {
    world_.order = order;
    CudaBackend backend(options, 0);
    const auto sparse = backend.sparse(ring.view());
    FloatMatrix x = backend.matrix<float>(40, 8);
    FloatMatrix y = backend.matrix<float>(40, 8);
    for (const float value : {1.0F, 2.0F, 3.0F}) {
      backend.fill(x.view(), value);
      backend.spmm(*sparse, x.view(), y.view(), {});
      EXPECT_EQ(download(backend, y.view()), std::vector<float>(320, value));
    }
  }
  world_.order = Order::lazy;
}

// Two tiles of scores take turns: one is merged on a stream of its own while the next is multiplied.
TEST_F(DeviceMemory, MergesOfRankingWaitForTheirTiles) {
  CudaOptions options;
  options.ranking_tiles = {.queries = 3, .items = 5};
  for (const Order order : {Order::lazy, Order::eager}) {
    world_.order = order;
    CudaBackend backend(options, 0);
    FloatMatrix queries = matrix(backend, 7, 1, 1.0F);
    FloatMatrix items = backend.matrix<float>(23, 1);
    for (std::int64_t i = 0; i < 23; ++i)
      backend.fill(items.view().rows_of(i, 1), static_cast<float>(i * 7 % 23));
    kernels::Matrix<graph::NodeId> ids = backend.matrix<graph::NodeId>(7, 4);
    FloatMatrix scores = backend.matrix<float>(7, 4);
    for (const float sign : {1.0F, -1.0F, 1.0F}) {
      backend.fill(queries.view(), sign);
      backend.topk(queries.view(), items.view(), {}, ids.view(), scores.view());
      std::vector<float> want;
      for (int q = 0; q < 7; ++q) {
        for (int place = 0; place < 4; ++place)
          want.push_back(sign > 0 ? static_cast<float>(22 - place) : -static_cast<float>(place));
      }
      EXPECT_EQ(download(backend, scores.view()), want);
    }
  }
  world_.order = Order::lazy;
}

TEST_F(DeviceMemory, MemoryIsGivenBackBehindTheWorkThatUsesIt) {
  CudaBackend backend(kOptions, 0);
  FloatMatrix sum = backend.matrix<float>(3, 3);
  for (int k = 0; k < 3; ++k) {
    const FloatMatrix gone = matrix(backend, 3, 3, 1.0F);
    backend.axpby(1.0F, gone.view(), 1.0F, sum.view());
  }
  EXPECT_EQ(download(backend, sum.view()), std::vector<float>(9, 3.0F));
}

}  // namespace
}  // namespace penchant::fake_cuda
