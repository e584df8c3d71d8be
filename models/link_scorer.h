// SPDX-License-Identifier: Apache-2.0
// What those had whom a user is linked to:
//   score(u, i) = sum_v l_uv d_v^-1/2 r_vi
// with l_uv the joined links (graph/user_links.h), r_vi the training matrix and d_v the sum of v's
// row, so that nobody counts more for having had much. The social term of trust-aware recommenders
// (Ma et al., "Learning to recommend with social trust ensemble", SIGIR 2009, equation 4, where
// friends' ratings are added to one's own) in closed form.
#pragma once

#include <vector>

#include "graph/csr.h"
#include "models/scorer.h"

namespace penchant::models {

class LinkScorer final : public Scorer {
 public:
  /// links [U x U], user_items [U x I]. Throws InputError if they do not fit.
  LinkScorer(graph::Csr links, graph::Csr user_items);
  /// Users without links have zeros.
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;
  /// Nothing is known of the links of people who are not in the data: zeros.
  void score_people(const People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override;
  /// The scores above that are not 0, [B x I]; columns ascend.
  graph::Csr rows_of(kernels::IdView users) const;

 private:
  graph::Csr links_, user_items_;
  std::vector<float> scale_;  ///< [U] d_v^-1/2
};

}  // namespace penchant::models
