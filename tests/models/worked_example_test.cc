// SPDX-License-Identifier: Apache-2.0
// Numbers that were worked out on paper, on a path of three items:
//
//        (0)-----(1)-----(2)        A = [0 1 0]
//                                       [1 0 1]
//                                       [0 1 0]
#include <gtest/gtest.h>

#include "models/gcn.h"
#include "models/lightgcn.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using kernels::Activation;
using support::Dense;
using support::Guarded;

class WorkedExample : public support::BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    adjacency_ = backend().sparse(path_.view());
  }
  const kernels::SparseMatrix& adjacency() const { return *adjacency_; }

 private:
  graph::Csr path_{3, 3, {0, 1, 3, 4}, {1, 0, 2, 1}, {}};
  std::unique_ptr<kernels::SparseMatrix> adjacency_;
};
PENCHANT_INSTANTIATE_BACKENDS(WorkedExample);

// h'_i = sigma(sum_j alpha_j A_ij h_j + b) with h = (1, 1, 1), alpha = (1, 2, 3), b = -1:
//
//   alpha h      1       2       3
//               (0)-----(1)-----(2)
//   sum + b   2 - 1   1+3 - 1  2 - 1
//   z           1       3       1
//   h'        sigma(1) sigma(3) sigma(1)     sigma(1) = 0.7310585786, sigma(3) = 0.9525741268
TEST_P(WorkedExample, NodeWeightedForward) {
  NodeWeightedLayer layer{Parameter("alpha", 1, 3, backend()), Parameter("bias", 1, 1, backend()),
                          Activation::sigmoid};
  upload(backend(), Dense(1, 3, {1, 2, 3}), layer.alpha.value.view());
  upload(backend(), Dense(1, 1, -1.0), layer.bias.value.view());
  const Guarded<float> h(backend(), Dense(3, 1, 1.0));
  NodeWeightedLayer::Cache cache = layer.make_cache(3, backend());
  layer.forward(backend(), adjacency(), h.view(), cache);
  EXPECT_TRUE(agrees(download(backend(), cache.output.view()),
                     Dense(3, 1, {0.7310585786, 0.9525741268, 0.7310585786}), 1e-7, origin(0)));
}

// Backward of the same with dh' = (1, 1, 1): dz = sigma'(z) = sigma (1 - sigma), sigma'(1) =
// 0.1966119332, sigma'(3) = 0.0451766597
//
//   dz        0.1966  0.0452  0.1966      db = sum dz = 0.4384005261
//               (0)-----(1)-----(2)
//   A dz      0.0452  0.3932  0.0452      d_alpha_j = (A dz)_j h_j, dh_j = alpha_j (A dz)_j
TEST_P(WorkedExample, NodeWeightedBackward) {
  NodeWeightedLayer layer{Parameter("alpha", 1, 3, backend()), Parameter("bias", 1, 1, backend()),
                          Activation::sigmoid};
  upload(backend(), Dense(1, 3, {1, 2, 3}), layer.alpha.value.view());
  upload(backend(), Dense(1, 1, -1.0), layer.bias.value.view());
  const Guarded<float> h(backend(), Dense(3, 1, 1.0));
  const Guarded<float> d_out(backend(), Dense(3, 1, 1.0));
  const Guarded<float> d_h(backend(), 3, 1);
  NodeWeightedLayer::Cache cache = layer.make_cache(3, backend());
  layer.forward(backend(), adjacency(), h.view(), cache);
  layer.backward(backend(), adjacency(), h.view(), d_out.view(), cache, d_h.view());
  EXPECT_TRUE(agrees(download(backend(), layer.bias.gradient.view()), Dense(1, 1, 0.4384005261),
                     1e-7, origin(0)));
  EXPECT_TRUE(agrees(download(backend(), layer.alpha.gradient.view()),
                     Dense(1, 3, {0.0451766597, 0.3932238665, 0.0451766597}), 1e-7, origin(0)));
  EXPECT_TRUE(agrees(d_h.dense(), Dense(3, 1, {0.0451766597, 0.7864477330, 0.1355299790}), 1e-7,
                     origin(0)));
  EXPECT_TRUE(d_h.intact());
}

// GCN with D = 2, ReLU, W = [1 -1; 0 2], b = (0, 1), H = [1 0; 0 1; 2 1]:
//   A H = [0 1; 3 1; 0 1],  A H W = [0 2; 3 -1; 0 2],  + b = [0 3; 3 0; 0 3],  ReLU leaves it.
TEST_P(WorkedExample, GcnForward) {
  GcnLayer layer{Parameter("weight", 2, 2, backend()), Parameter("bias", 1, 2, backend()),
                 Activation::relu};
  upload(backend(), Dense(2, 2, {1, -1, 0, 2}), layer.weight.value.view());
  upload(backend(), Dense(1, 2, {0, 1}), layer.bias.value.view());
  const Guarded<float> h(backend(), Dense(3, 2, {1, 0, 0, 1, 2, 1}));
  GcnLayer::Cache cache = layer.make_cache(3, backend());
  layer.forward(backend(), adjacency(), h.view(), cache);
  EXPECT_TRUE(agrees(download(backend(), cache.output.view()), Dense(3, 2, {0, 3, 3, 0, 0, 3}), 0.0,
                     origin(0)));
}

// E = (1, 2, 3): A E = (2, 4, 2), A A E = (4, 4, 4). Mean of all three with w = 1: (7, 10, 9) / 3;
// of the last two with w = 0: (3, 4, 3).
TEST_P(WorkedExample, LightGcnForward) {
  for (const float own_share : {1.0F, 0.0F}) {
    LightGcn model(2, own_share, 1, adjacency(), backend());
    model.visit_parameters([&](Parameter& p) {
      upload(backend(), Dense(3, 1, {1, 2, 3}), p.value.view());
    });
    const Dense want =
        own_share == 0.0F ? Dense(3, 1, {3, 4, 3}) : Dense(3, 1, {7.0 / 3, 10.0 / 3, 3});
    EXPECT_TRUE(agrees(download(backend(), model.forward(backend())), want, 1e-6, origin(0)))
        << "own_share " << own_share;
  }
}

}  // namespace
}  // namespace penchant::models
