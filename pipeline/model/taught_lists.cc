// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/taught_lists.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/error.h"
#include "kernels/transfer.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

void rank_shares(std::span<const float> scores, float temperature, std::span<float> shares) {
  const std::size_t length = scores.size();
  PENCHANT_ASSERT(shares.size() == length);
  const double power = -1.0 / static_cast<double>(temperature);
  double sum = 0.0;
  for (std::size_t first = 0, last = 0; first < length; first = last) {
    double equal = 0.0;
    for (; last < length && scores[last] == scores[first]; ++last)
      equal += std::pow(static_cast<double>(last + 1), power);
    std::fill(shares.begin() + static_cast<std::ptrdiff_t>(first),
              shares.begin() + static_cast<std::ptrdiff_t>(last),
              static_cast<float>(equal / static_cast<double>(last - first)));
    sum += equal;
  }
  for (float& share : shares) share = static_cast<float>(static_cast<double>(share) / sum);
}

void list_shares(std::span<const float> scores, float temperature, std::span<float> shares) {
  const std::size_t length = scores.size();
  PENCHANT_ASSERT(shares.size() == length);
  double mean = 0.0;
  for (const float score : scores) mean += static_cast<double>(score);
  mean /= static_cast<double>(std::max<std::size_t>(1, length));
  double variance = 0.0;
  for (const float score : scores) variance += std::pow(static_cast<double>(score) - mean, 2);
  const double unit = static_cast<double>(temperature) *
                      std::sqrt(variance / static_cast<double>(std::max<std::size_t>(1, length)));
  double sum = 0.0;
  for (std::size_t k = 0; k < length; ++k) {
    const double behind = static_cast<double>(scores[0]) - static_cast<double>(scores[k]);
    shares[k] = unit > 0.0 ? static_cast<float>(std::exp(-behind / unit)) : 1.0F;
    sum += static_cast<double>(shares[k]);
  }
  for (float& share : shares) share = static_cast<float>(static_cast<double>(share) / sum);
}

graph::Csr shares_of_lists(ConstFloatView scores, const graph::CsrView& excluded, float temperature,
                           Backend& backend) {
  const std::int64_t size = std::min(kListSize, scores.rows);
  kernels::Matrix<NodeId> top = backend.matrix<NodeId>(scores.cols, size);
  FloatMatrix top_scores = backend.matrix<float>(scores.cols, size);
  backend.topk_scores(scores, excluded, top.view(), top_scores.view());
  kernels::Download<NodeId> download_ids;
  kernels::Download<float> download_scores;
  const auto ids = download_ids(kernels::MatrixView<const NodeId>(top.view()), backend);
  const auto values = download_scores(ConstFloatView(top_scores.view()), backend);
  std::vector<graph::Entry> entries;
  std::vector<float> shares(at(size));
  for (std::int64_t b = 0; b < scores.cols; ++b) {
    const std::int64_t length =
        std::find(ids.row(b), ids.row(b) + size, graph::kNoNode) - ids.row(b);
    const std::span<float> list(shares.data(), at(length));
    rank_shares({values.row(b), at(length)}, temperature, list);
    for (std::int64_t k = 0; k < length; ++k)
      entries.push_back({static_cast<NodeId>(b), ids(b, k), list[at(k)]});
  }
  return graph::csr_from_entries(scores.cols, scores.rows, entries);
}

}  // namespace penchant::pipeline
