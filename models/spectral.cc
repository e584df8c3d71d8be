// SPDX-License-Identifier: Apache-2.0
#include "models/spectral.h"

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Transpose;

namespace {

/// Rounds of the iteration and products in each; more change the validation metric by less than its
/// noise.
constexpr int kRounds = 8;
constexpr int kProducts = 4;
/// Substream of Stream::initialization; 0 and up are the parameters of a model.
constexpr std::uint64_t kRotationStream = std::uint64_t{1} << 40;

/// The inverse of the transposed Cholesky factor of gram [D x D]: gram = L L', result R = L'^-1,
/// upper triangular. Empty if gram is not positive definite to working precision.
std::vector<float> inverse_factor(const std::vector<float>& gram, std::int64_t width) {
  const auto at = [width](std::int64_t i, std::int64_t j) {
    return static_cast<std::size_t>(i * width + j);
  };
  std::vector<double> lower(gram.begin(), gram.end());
  for (std::int64_t j = 0; j < width; ++j) {
    for (std::int64_t k = 0; k < j; ++k) lower[at(j, j)] -= lower[at(j, k)] * lower[at(j, k)];
    if (!(lower[at(j, j)] > 1e-7 * static_cast<double>(gram[at(j, j)]))) return {};
    lower[at(j, j)] = std::sqrt(lower[at(j, j)]);
    for (std::int64_t i = j + 1; i < width; ++i) {
      for (std::int64_t k = 0; k < j; ++k) lower[at(i, j)] -= lower[at(i, k)] * lower[at(j, k)];
      lower[at(i, j)] /= lower[at(j, j)];
    }
  }
  std::vector<double> inverse(lower.size(), 0.0);  // L^-1 by columns
  for (std::int64_t j = 0; j < width; ++j) {
    for (std::int64_t i = j; i < width; ++i) {
      double sum = i == j ? 1.0 : 0.0;
      for (std::int64_t k = j; k < i; ++k) sum -= lower[at(i, k)] * inverse[at(k, j)];
      inverse[at(i, j)] = sum / lower[at(i, i)];
    }
  }
  std::vector<float> result(lower.size());
  for (std::int64_t i = 0; i < width; ++i) {
    for (std::int64_t j = 0; j < width; ++j)
      result[at(i, j)] = static_cast<float>(inverse[at(j, i)]);
  }
  return result;
}

/// y <- x R with orthonormal columns; false if x has not full column rank.
bool orthonormalize(ConstFloatView x, Backend& backend, FloatView y) {
  const std::int64_t width = x.cols;
  FloatMatrix small = backend.matrix<float>(width, width);
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, x, x, 0.0F, small.view());
  std::vector<float> host(static_cast<std::size_t>(width * width));
  const FloatView on_host(host.data(), width, width, width, kernels::Device::cpu);
  backend.copy(ConstFloatView(small.view()), on_host);
  host = inverse_factor(host, width);
  if (host.empty()) return false;
  backend.copy(ConstFloatView(host.data(), width, width, width, kernels::Device::cpu),
               small.view());
  backend.gemm(Transpose::no, Transpose::no, 1.0F, x, small.view(), 0.0F, y);
  return true;
}

FloatMatrix random_rotation(std::int64_t width, graph::Seed seed, Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, kRotationStream);
  std::vector<float> host(static_cast<std::size_t>(width * width));
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<float>(random.normal(i));
  FloatMatrix normal = backend.matrix<float>(width, width);
  backend.copy(ConstFloatView(host.data(), width, width, width, kernels::Device::cpu),
               normal.view());
  FloatMatrix rotation = backend.matrix<float>(width, width);
  if (!orthonormalize(normal.view(), backend, rotation.view())) return normal;
  return rotation;
}

}  // namespace

void initialize_spectral(const kernels::SparseMatrix& adjacency, float scale, graph::Seed seed,
                         Backend& backend, FloatView x) {
  if (x.rows < x.cols || adjacency.num_entries() == 0) return;
  FloatMatrix current = backend.matrix<float>(x.rows, x.cols);
  FloatMatrix next = backend.matrix<float>(x.rows, x.cols);
  backend.copy(ConstFloatView(x), current.view());
  for (int round = 0; round < kRounds; ++round) {
    for (int product = 0; product < kProducts; ++product) {
      backend.spmm(adjacency, current.view(), next.view(), {});
      backend.axpby(1.0F, next.view(), 1.0F, current.view());
    }
    if (!orthonormalize(current.view(), backend, next.view())) return;
    std::swap(current, next);
  }
  const FloatMatrix rotation = random_rotation(x.cols, seed, backend);
  const float length =
      scale *
      std::sqrt(static_cast<float>(x.rows));  // so that an element's root mean square is `scale`
  backend.gemm(Transpose::no, Transpose::no, length, current.view(), rotation.view(), 0.0F, x);
}

}  // namespace penchant::models
