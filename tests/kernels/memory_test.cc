// SPDX-License-Identifier: Apache-2.0
// Allocation, copies, conversions and fill.
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/elementwise.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

class Allocation : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Allocation);

TEST_P(Allocation, MatricesAreZeroAndStartRowsOnCacheLines) {
  for (const std::int64_t cols : {1, 15, 16, 17, 100}) {
    FloatMatrix matrix = backend().matrix<float>(3, cols);
    const FloatView view = matrix.view();
    EXPECT_EQ(view.rows, 3);
    EXPECT_EQ(view.cols, cols);
    EXPECT_GE(view.stride, cols);
    EXPECT_EQ(view.device, backend().device());
    for (std::int64_t i = 0; i < 3; ++i)
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.row(i)) % 64, 0U);
    const Guarded<float> host(backend(), 3, cols);
    backend().copy(ConstFloatView(view), host.view());
    EXPECT_TRUE(agrees(host.dense(), Dense(3, cols), 0.0, origin(0)));
  }
  // Above the size from which the CPU asks for huge pages.
  Vector<float> large = backend().vector<float>(std::int64_t{3} << 20);
  Guarded<float> last(backend(), 1, 1);
  backend().copy(VectorView<const float>(large.view()).sub(large.size() - 1, 1), last.vector());
  EXPECT_EQ(last.dense()(0, 0), 0.0);
}

TEST_P(Allocation, NothingMayBeAllocated) {
  EXPECT_EQ(backend().matrix<float>(0, 5).view().rows, 0);
  EXPECT_EQ(backend().matrix<float>(5, 0).view().cols, 0);
  EXPECT_EQ(backend().vector<float>(0).size(), 0);
}

// Sizes come from options and manifests: a product that wraps around must not become a small one.
TEST_P(Allocation, WhatNoMemoryCouldHoldIsOutOfMemory) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t huge :
       {std::int64_t{1} << 40, std::int64_t{1} << 61, std::int64_t{1} << 62, kMax - 15, kMax}) {
    EXPECT_THROW(backend().matrix<float>(std::int64_t{1} << 24, huge), std::bad_alloc) << huge;
    EXPECT_THROW(backend().matrix<float>(huge, std::int64_t{1} << 24), std::bad_alloc) << huge;
    if (huge > std::int64_t{1} << 40) {
      EXPECT_THROW(backend().vector<float>(huge), std::bad_alloc) << huge;
    }
  }
  EXPECT_THROW(backend().matrix<float>(-1, -1), std::bad_alloc);
  EXPECT_THROW(backend().matrix<float>(4, -16), std::bad_alloc);
  EXPECT_THROW(backend().vector<float>(-1), std::bad_alloc);
}

TEST_P(Allocation, CopyKeepsBitsBetweenStrides) {
  for (const std::int64_t cols : {1, 7, 8, 9, 33}) {
    const Dense x = support::random_dense(5, cols, 111);
    const Guarded<float> from(backend(), x, Placement::misaligned);
    const Guarded<float> to(backend(), 5, cols, Placement::aligned);
    backend().copy(ConstFloatView(from.view()), to.view());
    EXPECT_TRUE(same_bits(to.dense(), x, origin(111)));
    EXPECT_TRUE(to.intact());
  }
  const Guarded<graph::NodeId> ids(backend(), Dense(1, 4, {3, -1, 0, 2147483647}));
  const Guarded<graph::NodeId> copied(backend(), 1, 4);
  backend().copy(IdView(ids.vector()), copied.vector());
  EXPECT_TRUE(same_bits(copied.dense(), ids.dense(), origin(0)));
  EXPECT_TRUE(copied.intact());
}

TEST_P(Allocation, FillWritesTheMatrixOnly) {
  for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
    const Guarded<float> y(backend(), 4, 9, placement);
    backend().fill(y.view(), -2.5F);
    EXPECT_TRUE(agrees(y.dense(), Dense(4, 9, -2.5), 0.0, origin(0)));
    EXPECT_TRUE(y.intact());
  }
}

/// To bf16 and back on the backend.
Dense through_bf16(Backend& backend, const Dense& values) {
  const Guarded<float> from(backend, values);
  const Guarded<float> to(backend, values.rows, values.cols);
  Matrix<Bf16> stored = backend.matrix<Bf16>(values.rows, values.cols);
  backend.convert(ConstFloatView(from.view()), stored.view());
  backend.convert(MatrixView<const Bf16>(stored.view()), to.view());
  EXPECT_TRUE(to.intact());
  return to.dense();
}

TEST_P(Allocation, Bf16RoundsToNearestEven) {
  for (const std::int64_t cols : {1, 7, 8, 9, 1000}) {
    const Dense x = support::random_dense(3, cols, 112);
    Dense want = x;
    for (double& value : want.values) value = oracle::round_to_bf16(value);
    EXPECT_TRUE(same_bits(through_bf16(backend(), x), want, origin(112)));
  }
  // 1 + k / 256: bf16 has multiples of 1/128 between 1 and 2; odd k are ties and go to the even
  // neighbour.
  const Dense ties(1, 4, {1 + 1.0 / 256, 1 + 3.0 / 256, -1 - 1.0 / 256, 1 + 1.0 / 256 + 0x1p-23});
  EXPECT_TRUE(agrees(through_bf16(backend(), ties),
                     Dense(1, 4, {1, 1 + 2.0 / 128, -1, 1 + 1.0 / 128}), 0.0, origin(0)));
}

TEST_P(Allocation, Bf16KeepsSpecialValues) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const Dense got = through_bf16(
      backend(),
      Dense(1, 6, {kInf, -kInf, 0.0, -0.0, std::numeric_limits<float>::max(), std::nan("")}));
  EXPECT_EQ(got(0, 0), kInf);
  EXPECT_EQ(got(0, 1), -kInf);
  EXPECT_EQ(got(0, 2), 0.0);
  EXPECT_TRUE(got(0, 3) == 0.0 && std::signbit(got(0, 3)));
  EXPECT_EQ(got(0, 4), kInf) << "rounds beyond the largest bf16";
  EXPECT_TRUE(std::isnan(got(0, 5)));
}

TEST_P(Allocation, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  const Guarded<float> three(backend(), Dense(1, 3, 1.0));
  const Guarded<float> four(backend(), Dense(1, 4, 1.0));
  const Guarded<graph::NodeId> ids(backend(), Dense(1, 3, 1.0));
  const Guarded<graph::NodeId> more_ids(backend(), Dense(1, 4, 1.0));
  Matrix<Bf16> stored = backend().matrix<Bf16>(3, 4);
  EXPECT_THROW(backend().copy(ConstFloatView(x.view()), turned.view()), InputError);
  EXPECT_THROW(backend().copy(VectorView<const float>(three.vector()), four.vector()), InputError);
  EXPECT_THROW(backend().copy(IdView(ids.vector()), more_ids.vector()), InputError);
  EXPECT_THROW(backend().convert(ConstFloatView(x.view()), stored.view()), InputError);
  EXPECT_THROW(backend().convert(MatrixView<const Bf16>(stored.view()), x.view()), InputError);
}

/// Somebody else's memory, who counts how often it was given back.
struct Lender {
  float values[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  int returned = 0;

  Memory lend() {
    return {values, [this](void* memory) noexcept { returned += memory == values ? 1 : 100; }};
  }
};

TEST(Owners, MemoryThatIsLentIsGivenBackOnce) {
  Lender lender;
  {
    FloatMatrix matrix(lender.lend(), 2, 3, 4, Device::cpu);
    EXPECT_EQ(matrix.view()(1, 2), 6.0F);
    EXPECT_EQ(matrix.view().data, lender.values) << "no copy";
    FloatMatrix moved = std::move(matrix);
    EXPECT_EQ(moved.view()(1, 0), 4.0F);
    EXPECT_EQ(lender.returned, 0);
    moved = FloatMatrix();
    EXPECT_EQ(lender.returned, 1) << "as soon as the owner has something else";
    const Vector<float> vector(lender.lend(), 8, Device::cpu);
    EXPECT_EQ(vector.view()[7], 7.0F);
  }
  EXPECT_EQ(lender.returned, 2);
  {
    const FloatMatrix empty({nullptr, [&](void*) { ++lender.returned; }}, 0, 3, 3, Device::cpu);
  }
  EXPECT_EQ(lender.returned, 3) << "what holds no elements has an owner too";
}

TEST(Owners, AMatrixCanBeLent) {
  Lender lender;
  Memory borrowed;
  {
    const FloatMatrix matrix(lender.lend(), 2, 4, 4, Device::cpu);
    borrowed = matrix.memory();
  }
  EXPECT_EQ(lender.returned, 0) << "the borrower still has it";
  EXPECT_EQ(static_cast<const float*>(borrowed.get())[5], 5.0F);
  borrowed.reset();
  EXPECT_EQ(lender.returned, 1);
}

TEST_P(Allocation, AreOwnedByTheMatrixAlone) {
  const Memory borrowed = backend().matrix<float>(4, 4).memory();
  EXPECT_EQ(borrowed.use_count(), 1) << "the matrix has gone";
  EXPECT_NE(borrowed.get(), nullptr);
}

static_assert(!std::is_copy_constructible_v<FloatMatrix>);
static_assert(!std::is_copy_assignable_v<Vector<float>>);

}  // namespace
}  // namespace penchant::kernels
