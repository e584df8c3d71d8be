// SPDX-License-Identifier: Apache-2.0
// Two coordinates an item, for a report's map: once by the first two principal components of all
// item vectors, once by UMAP of the vectors' directions, so that items are close where their
// cosine is high. UMAP is the library umappp (headers, from the Python package assorthead).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"

namespace penchant::pipeline {

struct ItemMap {
  std::vector<double> components;  ///< [n x 2] first two principal components
  double variance_share = 0;       ///< of both, of the variance of all items
  std::vector<double> umap;        ///< [n x 2]; empty where n <= kUmapNeighbours
};

constexpr std::int64_t kUmapNeighbours = 15;

/// Coordinates of the rows `shown` (n) of `items` [I x D], in host memory. Principal axes (Pearson
/// 1901) are those of the rows `sampled`. UMAP (McInnes, Healy and Melville 2018) starts from the
/// principal components (Kobak and Linderman 2021); its seed is fixed, so the same vectors give the
/// same map, at any number of threads.
ItemMap map_items(kernels::ConstFloatView items, std::span<const std::int64_t> shown,
                  std::span<const std::int64_t> sampled, kernels::Backend& backend);

}  // namespace penchant::pipeline
