// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/item_map.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include <knncolle/knncolle.hpp>
#include <umappp/umappp.hpp>

#include "graph/ids.h"
#include "kernels/transfer.h"

namespace penchant::pipeline {

namespace {

constexpr std::int64_t kNumCoordinates = 2;

using graph::at;

struct PrincipalAxes {
  std::vector<double> mean;  ///< [D]
  std::vector<double> axes;  ///< [D x 2]
  double variance_share = 0;
};

/// Eigenvectors of the covariance of these rows.
PrincipalAxes principal_axes(kernels::ConstFloatView rows, std::span<const std::int64_t> chosen,
                             kernels::Backend& backend) {
  const std::int64_t dim = rows.cols;
  PrincipalAxes result;
  result.mean.assign(at(dim), 0.0);
  for (const std::int64_t row : chosen) {
    for (std::int64_t k = 0; k < dim; ++k) result.mean[at(k)] += rows(row, k);
  }
  for (double& value : result.mean) value /= static_cast<double>(chosen.size());
  std::vector<double> covariance(at(dim * dim));
  for (const std::int64_t row : chosen) {
    for (std::int64_t j = 0; j < dim; ++j) {
      const double deviation = rows(row, j) - result.mean[at(j)];
      for (std::int64_t k = 0; k <= j; ++k)
        covariance[at(j * dim + k)] += deviation * (rows(row, k) - result.mean[at(k)]);
    }
  }
  std::vector<float> narrow(covariance.begin(), covariance.end());
  kernels::FloatMatrix matrix = backend.matrix<float>(dim, dim);
  kernels::FloatMatrix vectors = backend.matrix<float>(dim, dim);
  kernels::Vector<float> values = backend.vector<float>(dim);
  backend.copy(kernels::ConstFloatView(narrow.data(), dim, dim, dim, kernels::Device::cpu),
               matrix.view());
  backend.symmetric_eigen(matrix.view(), values.view(), vectors.view());
  kernels::Download<float> download_vectors;
  kernels::Download<float> download_values;
  const kernels::ConstFloatView axes =
      download_vectors(kernels::ConstFloatView(vectors.view()), backend);
  const kernels::VectorView<const float> strengths =
      download_values(kernels::VectorView<const float>(values.view()), backend);
  double total = 0;
  for (std::int64_t k = 0; k < dim; ++k) total += std::max(0.0F, strengths[k]);
  result.axes.assign(at(kNumCoordinates * dim), 0.0);
  for (std::int64_t axis = 0; axis < std::min(kNumCoordinates, dim); ++axis) {
    result.variance_share += total > 0 ? strengths[axis] / total : 0.0;
    for (std::int64_t k = 0; k < dim; ++k)
      result.axes[at(kNumCoordinates * k + axis)] = axes(k, axis);
  }
  return result;
}

/// [n x 2] from the start [n x 2].
std::vector<double> umap(kernels::ConstFloatView items, std::span<const std::int64_t> shown,
                         const std::vector<double>& start) {
  constexpr double kLargestStart = 10;  // as umap-learn scales its spectral start
  const auto count = static_cast<std::int64_t>(shown.size());
  std::vector<float> directions(at(count * items.cols));
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t item = shown[at(row)];
    double squares = 0;
    for (std::int64_t k = 0; k < items.cols; ++k)
      squares += double{items(item, k)} * items(item, k);
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0.0;
    for (std::int64_t k = 0; k < items.cols; ++k)
      directions[at(row * items.cols + k)] = static_cast<float>(scale * items(item, k));
  }
  double largest = 0;
  for (const double value : start) largest = std::max(largest, std::abs(value));
  std::vector<float> places(start.size());
  for (std::size_t i = 0; i < start.size(); ++i)
    places[i] = static_cast<float>(largest > 0 ? start[i] * kLargestStart / largest : 0.0);

  umappp::Options options;
  options.initialize_method = umappp::NONE;
  options.num_neighbors = kUmapNeighbours;
  options.num_threads = omp_get_max_threads();
  const knncolle::BruteforceBuilder<graph::NodeId, float, float> neighbours(
      std::make_shared<const knncolle::EuclideanDistance<float, float>>());
  auto state = umappp::initialize<graph::NodeId, float>(
      at(items.cols), static_cast<graph::NodeId>(count), directions.data(), neighbours,
      at(kNumCoordinates), places.data(), options);
  state.run(places.data());
  return {places.begin(), places.end()};
}

}  // namespace

ItemMap map_items(kernels::ConstFloatView items, std::span<const std::int64_t> shown,
                  std::span<const std::int64_t> sampled, kernels::Backend& backend) {
  ItemMap map;
  if (shown.empty() || sampled.empty() || items.cols == 0) return map;
  const PrincipalAxes axes = principal_axes(items, sampled, backend);
  map.variance_share = axes.variance_share;
  for (const std::int64_t item : shown) {
    for (std::int64_t axis = 0; axis < kNumCoordinates; ++axis) {
      double sum = 0;
      for (std::int64_t k = 0; k < items.cols; ++k)
        sum += (items(item, k) - axes.mean[at(k)]) * axes.axes[at(kNumCoordinates * k + axis)];
      map.components.push_back(sum);
    }
  }
  if (static_cast<std::int64_t>(shown.size()) > kUmapNeighbours)
    map.umap = umap(items, shown, map.components);
  return map;
}

}  // namespace penchant::pipeline
