// SPDX-License-Identifier: Apache-2.0
// Recorded steps of the CUDA backend on the stand-in: what may happen in one, and what happens when
// the recording comes to nothing.
#include <memory>

#include <gtest/gtest.h>

#include "kernels/cuda/sparse.h"
#include "tests/fake_cuda/stand_in_test.h"

namespace penchant::fake_cuda {
namespace {

class RecordedSteps : public StandIn {};

CudaOptions with_graphs() {
  CudaOptions options;
  options.graphs = true;
  return options;
}

TEST_F(RecordedSteps, AnOwnerMayDieInARecordedStep) {
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

TEST_F(RecordedSteps, ScratchMemoryMayDieInARecordedStep) {
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

TEST_F(RecordedSteps, ScratchMemoryThatGrowsIsNotLost) {
  const std::size_t before = world_.pool_used();
  {
    CudaBackend backend(with_graphs(), 0);
    const FloatMatrix x = matrix(backend, 5000, 4, 1.0F);
    Vector<float> sums = backend.vector<float>(4);
    const auto step = backend.repeated_step();
    float want = 0.0F;
    for (const std::int64_t rows : {600, 600, 1200, 1200, 5000, 5000, 600}) {
      step->run([&] { backend.add_column_sums(x.view().rows_of(0, rows), sums.view()); });
      want += static_cast<float>(rows);
      EXPECT_EQ(download(backend, {sums.view().data, 1, 4, 4, Device::cuda}),
                std::vector<float>(4, want));
    }
  }
  EXPECT_EQ(world_.pool_used(), before);
}

// Nothing of a recurrent layer's calls comes from the host.
TEST_F(RecordedSteps, RecurrentLayersAreRecorded) {
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

TEST_F(RecordedSteps, AStepWhoseGraphCannotBeMadeIsRunPlainly) {
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

TEST_F(RecordedSteps, WaitingInARecordedStepIsRefusedBeforeItSpoilsIt) {
  CudaBackend backend(with_graphs(), 0);
  const auto step = backend.repeated_step();
  int steps = 0;
  EXPECT_EQ(calls("cudaStreamSynchronize",
                  [&] {
                    for (int run = 0; run < 4; ++run)
                      step->run([&] {
                        ++steps;
                        backend.sync();
                      });
                  }),
            4);
  EXPECT_EQ(steps, 6) << "recorded in vain twice, run each time";
}

}  // namespace
}  // namespace penchant::fake_cuda
