// SPDX-License-Identifier: Apache-2.0
// The judge is judged first: each planted error must be rejected.
#include "tests/support/compare.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::support {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
const Origin kOrigin{"cpu", 42};

Dense wanted() { return {2, 3, {1.0, -2.0, 3.0, 0.5, 0.25, -8.0}}; }

/// wanted() with one element replaced.
Dense with(double value) {
  Dense result = wanted();
  result(1, 0) = value;
  return result;
}

TEST(Compare, AcceptsWhatLiesWithinTheTolerance) {
  EXPECT_TRUE(agrees(wanted(), wanted(), 0.0, kOrigin));
  EXPECT_TRUE(agrees(with(0.5 + 0x1p-20), wanted(), 0x1p-20, kOrigin));
  EXPECT_FALSE(agrees(with(0.5 + 0x1p-20), wanted(), 0x1p-21, kOrigin));
}

TEST(Compare, RejectsNanInEveryPlace) {
  for (std::size_t place = 0; place < wanted().values.size(); ++place) {
    Dense got = wanted();
    got.values[place] = kNan;
    EXPECT_FALSE(agrees(got, wanted(), 1e30, kOrigin));
    EXPECT_FALSE(agrees(wanted(), got, 1e30, kOrigin));
    EXPECT_FALSE(agrees(got, got, 1e30, kOrigin));
  }
}

TEST(Compare, RejectsAFlippedSign) {
  for (std::size_t place = 0; place < wanted().values.size(); ++place) {
    Dense got = wanted();
    got.values[place] = -got.values[place];
    EXPECT_FALSE(agrees(got, wanted(), 1e-6, kOrigin));
  }
}

TEST(Compare, RejectsTenTimesTheTolerance) {
  Sum want(2, 3);
  want.value = wanted();
  want.magnitude = Dense(2, 3, 10.0);
  const double tolerance = 4 * kEps * 10.0;
  EXPECT_TRUE(agrees(with(0.5 + 0.9 * tolerance), want, 4, kOrigin));
  EXPECT_FALSE(agrees(with(0.5 + 10 * tolerance), want, 4, kOrigin));
  EXPECT_FALSE(agrees(with(0.5 - 10 * tolerance), want, 4, kOrigin));
  EXPECT_FALSE(agrees(with(0.5 + 10 * tolerance), want, std::vector<double>{400, 4}, kOrigin))
      << "c belongs to its row";
}

TEST(Compare, InfinityAgreesOnlyWithItself) {
  EXPECT_TRUE(agrees(with(kInf), with(kInf), 1.0, kOrigin));
  EXPECT_FALSE(agrees(with(kInf), with(-kInf), 1.0, kOrigin));
  EXPECT_FALSE(agrees(with(kInf), wanted(), 1e300, kOrigin));
  EXPECT_FALSE(agrees(wanted(), with(kInf), 1e300, kOrigin));
}

TEST(Compare, RejectsAToleranceThatIsNotFinite) {
  EXPECT_FALSE(agrees(wanted(), wanted(), kInf, kOrigin));
  EXPECT_FALSE(agrees(wanted(), wanted(), kNan, kOrigin));
}

TEST(Compare, RejectsAnotherShapeAndNothingAtAll) {
  EXPECT_FALSE(agrees(Dense(3, 2, wanted().values), wanted(), 1.0, kOrigin));
  EXPECT_FALSE(agrees(Dense(0, 3), Dense(0, 3), 1.0, kOrigin));
  EXPECT_FALSE(agrees(Dense(), Dense(), 1.0, kOrigin));
  EXPECT_FALSE(agrees(wanted(), wanted(), Dense(3, 2, 1.0), kOrigin));
  EXPECT_FALSE(same_bits(Dense(), Dense(), kOrigin));
}

TEST(Compare, SameBitsSeesTheLastOne) {
  EXPECT_TRUE(same_bits(wanted(), wanted(), kOrigin));
  EXPECT_FALSE(same_bits(with(std::nextafter(0.5, 1.0)), wanted(), kOrigin));
  EXPECT_FALSE(same_bits(with(0.0), with(-0.0), kOrigin));
}

TEST(Compare, PrintsFiveOffendersSeedAndBackend) {
  const testing::AssertionResult verdict = agrees(Dense(2, 3, 7.5), wanted(), 0.1, kOrigin);
  EXPECT_THAT(verdict.message(), HasSubstr("backend cpu, seed 42"));
  EXPECT_THAT(verdict.message(),
              HasSubstr("(1, 1): got 7.5, want 0.25, differ by 7.25, tolerance 0.1"));
  EXPECT_THAT(verdict.message(), Not(HasSubstr("(1, 2)")));
  EXPECT_THAT(verdict.message(), HasSubstr("6 of 6 elements differ"));
}

class Guarding : public BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Guarding);

TEST_P(Guarding, OutputsArePoisonedAndInputsHoldTheirValues) {
  for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
    Guarded<float> output(backend(), 2, 3, placement);
    EXPECT_FALSE(agrees(output.dense(), wanted(), 1e30, origin(0)));
    Guarded<float> input(backend(), wanted(), placement);
    EXPECT_TRUE(agrees(input.dense(), wanted(), 0.0, origin(0)));
    EXPECT_TRUE(input.intact());
    const auto address = reinterpret_cast<std::uintptr_t>(input.view().data);
    EXPECT_EQ(address % 64 == 0, placement == Placement::aligned);
  }
}

TEST_P(Guarding, WritesBesideTheMatrixAreNoticed) {
  for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
    const Guarded<float> probe(backend(), 2, 3, placement);
    const std::int64_t stride = probe.view().stride;
    for (const std::int64_t place : {std::int64_t{-1}, std::int64_t{3}, stride - 1, stride + 3}) {
      Guarded<float> output(backend(), 2, 3, placement);
      const kernels::FloatView view = output.view();
      backend().fill({view.data + place, 1, 1, 1, view.device}, kNan);
      EXPECT_FALSE(output.intact()) << "offset " << place;
    }
  }
}

}  // namespace
}  // namespace penchant::support
