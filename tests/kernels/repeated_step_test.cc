// SPDX-License-Identifier: Apache-2.0
// A step that is run again and again, its numbers and sometimes its shapes changing: on a GPU a
// recorded graph must do what plain calls do, bit by bit.
#include <cmath>

#include <gtest/gtest.h>

#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;

class RepeatedSteps : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(RepeatedSteps);

/// A regression by a dense layer with dropout and Adam.
class Problem {
 public:
  explicit Problem(Backend& backend)
      : backend_(backend),
        x_(backend, support::random_dense(40, 12, 1)),
        weight_(backend, support::random_dense(12, 8, 2)),
        bias_(backend, support::random_dense(1, 8, 3)),
        first_(backend, Dense(12, 8)),
        second_(backend, Dense(12, 8)),
        y_(backend, 40, 8),
        gradient_(backend, 12, 8) {}
  /// The first `rows` examples; `time` counts from 1.
  void step(std::int64_t time, std::int64_t rows) {
    const FloatView y = y_.view().rows_of(0, rows);
    const ConstFloatView x = ConstFloatView(x_.view()).rows_of(0, rows);
    backend_.linear(x, weight_.view(), bias_.vector(), Activation::tanh, y);
    backend_.dropout({0.25F, graph::Seed{4}, static_cast<std::uint64_t>(time)}, y, y);
    backend_.gemm(Transpose::yes, Transpose::no, 1.0F, x, y, 0.0F, gradient_.view());
    AdamOptions adam;
    adam.step = time;
    adam.learning_rate = 0.1F / static_cast<float>(time);
    backend_.adam_step(adam, gradient_.view(), weight_.view(), first_.view(), second_.view());
  }
  Dense weight() const { return weight_.dense(); }

 private:
  Backend& backend_;
  Guarded<float> x_, weight_, bias_, first_, second_, y_, gradient_;
};

TEST_P(RepeatedSteps, DoWhatPlainCallsDo) {
  Problem plain(backend());
  Problem repeated(backend());
  const auto step = backend().repeated_step();
  for (std::int64_t time = 1; time <= 12; ++time) {
    const std::int64_t rows = time % 5 == 0 ? 33 : 40;  // as the last batch of an epoch
    plain.step(time, rows);
    int calls = 0;
    step->run([&] {
      repeated.step(time, rows);
      ++calls;
    });
    EXPECT_TRUE(calls == 1 || calls == 2);
    EXPECT_TRUE(same_bits(repeated.weight(), plain.weight(), origin(1))) << "step " << time;
  }
}

// Memory that grows cannot be recorded: the step is run all the same, once.
TEST_P(RepeatedSteps, MayNeedMoreMemoryThanBefore) {
  const auto step = backend().repeated_step();
  const Guarded<float> one(backend(), Dense(1, 1, 1.0));
  const Guarded<float> sum(backend(), Dense(1, 1));
  for (int run = 1; run <= 9; ++run) {
    FloatMatrix grown;
    step->run([&] {
      if (run > 4 && grown.rows() == 0) grown = backend().matrix<float>(run, 1);
      backend().axpby(1.0F, one.view(), 1.0F, sum.view());
    });
    EXPECT_EQ(sum.dense()(0, 0), run);
  }
}

}  // namespace
}  // namespace penchant::kernels
