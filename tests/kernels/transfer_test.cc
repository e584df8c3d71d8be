// SPDX-License-Identifier: Apache-2.0
#include "kernels/transfer.h"

#include <gtest/gtest.h>

#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using support::Placement;

class Transfer : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Transfer);

TEST_P(Transfer, UploadsReachTheBackendAndReuseTheirMemory) {
  Upload<NodeId> upload;
  const std::vector<NodeId> ids = {4, 0, 3, 3};
  const IdView there = upload(ids, backend());
  EXPECT_EQ(there.device, backend().device());
  ASSERT_EQ(there.size, 4);
  const Guarded<NodeId> copied(backend(), 1, 4);
  backend().copy(there, copied.vector());
  EXPECT_TRUE(same_bits(copied.dense(), Dense(1, 4, {4, 0, 3, 3}), origin(0)));
  EXPECT_EQ(there.data == ids.data(), on_cpu()) << "on the CPU nothing is copied";
  const NodeId* before = there.data;
  const std::vector<NodeId> fewer = {1, 2};
  const IdView again = upload(fewer, backend());
  EXPECT_EQ(again.size, 2);
  EXPECT_EQ(again.data, on_cpu() ? fewer.data() : before);
  EXPECT_EQ(upload(std::vector<NodeId>{}, backend()).size, 0);
}

TEST_P(Transfer, DownloadsReachTheHost) {
  for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
    const Dense values = support::random_dense(5, 7, 3);
    const Guarded<float> x(backend(), values, placement);
    Download<float> download;
    const ConstFloatView here = download(ConstFloatView(x.view()), backend());
    EXPECT_EQ(here.device, Device::cpu);
    ASSERT_EQ(here.rows, 5);
    ASSERT_EQ(here.cols, 7);
    for (std::int64_t i = 0; i < 5; ++i) {
      for (std::int64_t j = 0; j < 7; ++j) EXPECT_EQ(static_cast<double>(here(i, j)), values(i, j));
    }
  }
  FloatMatrix none = backend().matrix<float>(0, 3);
  Download<float> download;
  EXPECT_EQ(download(ConstFloatView(none.view()), backend()).rows, 0);
}

}  // namespace
}  // namespace penchant::kernels
