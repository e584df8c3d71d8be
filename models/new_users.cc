// SPDX-License-Identifier: Apache-2.0
#include "models/new_users.h"

#include <algorithm>

#include "graph/csr.h"
#include "kernels/transfer.h"

namespace penchant::models {

using graph::Csr;
using graph::CsrView;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::Device;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Vector;

namespace {

/// Sum of the rows, each `row_scale` times, over the number of rows that are not empty. [1 x I]
Csr mean_history(const CsrView& histories, std::span<const float> row_scale) {
  std::vector<double> sums(static_cast<std::size_t>(histories.num_cols), 0.0);
  std::int64_t num_known = 0;
  for (std::int64_t user = 0; user < histories.num_rows; ++user) {
    const auto items = histories.row(user);
    const auto values = histories.row_values(user);
    const double scale =
        row_scale.empty() ? 1.0 : static_cast<double>(row_scale[static_cast<std::size_t>(user)]);
    num_known += items.empty() ? 0 : 1;
    for (std::size_t e = 0; e < items.size(); ++e)
      sums[static_cast<std::size_t>(items[e])] +=
          values.empty() ? scale : scale * static_cast<double>(values[e]);
  }
  Csr mean;
  mean.num_rows = 1;
  mean.num_cols = histories.num_cols;
  for (std::size_t item = 0; item < sums.size(); ++item) {
    if (sums[item] == 0.0) continue;
    mean.columns.push_back(static_cast<graph::NodeId>(item));
    mean.values.push_back(static_cast<float>(sums[item] / static_cast<double>(num_known)));
  }
  mean.offsets.push_back(static_cast<graph::EdgeOffset>(mean.columns.size()));
  return mean;
}

}  // namespace

void fill_new_users(const graph::UserItemGraph& user_item, UnitLength unit_length, Backend& backend,
                    FloatView users) {
  const CsrView histories = user_item.user_items.view();
  std::vector<float> is_known;
  std::vector<float> is_new;
  for (std::int64_t user = 0; user < users.rows; ++user) {
    is_known.push_back(histories.row_size(user) > 0 ? 1.0F : 0.0F);
    is_new.push_back(1.0F - is_known.back());
  }
  const auto num_known = std::count(is_known.begin(), is_known.end(), 1.0F);
  if (num_known == 0 || num_known == users.rows) return;
  // What an encoder made of a user without a row does not count.
  backend.scale_rows(users, kernels::to_device(is_known, backend).view(), users);
  FloatMatrix mean = backend.matrix<float>(1, users.cols);
  FloatMatrix share = backend.matrix<float>(users.rows, 1);
  backend.copy(ConstFloatView(is_known.data(), users.rows, 1, 1, Device::cpu), share.view());
  backend.gemm(kernels::Transpose::yes, kernels::Transpose::no,
               1.0F / static_cast<float>(num_known), share.view(), users, 0.0F, mean.view());
  if (unit_length == UnitLength::yes) {
    Vector<float> norm = backend.vector<float>(1);
    backend.normalize_rows(mean.view(), mean.view(), norm.view());
  }
  backend.copy(ConstFloatView(is_new.data(), users.rows, 1, 1, Device::cpu), share.view());
  backend.gemm(kernels::Transpose::no, kernels::Transpose::no, 1.0F, share.view(), mean.view(),
               1.0F, users);
  backend.sync();
}

void MeanScores::add_to_new_users(const CsrView& histories, std::span<const float> row_scale,
                                  kernels::IdView users, const Respond& respond, Backend& backend,
                                  FloatView scores) {
  std::vector<float> is_new;
  for (std::int64_t b = 0; b < users.size; ++b)
    is_new.push_back(histories.row_size(users[b]) == 0 ? 1.0F : 0.0F);
  if (std::count(is_new.begin(), is_new.end(), 1.0F) == 0 || histories.columns.empty()) return;
  if (mean_.rows() == 0) {
    mean_ = backend.matrix<float>(histories.num_cols, 1);
    respond(mean_history(histories, row_scale), mean_.view());
  }
  FloatMatrix chosen = backend.matrix<float>(users.size, 1);
  backend.copy(ConstFloatView(is_new.data(), users.size, 1, 1, Device::cpu), chosen.view());
  backend.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, mean_.view(), chosen.view(),
               1.0F, scores);
  backend.sync();
}

}  // namespace penchant::models
