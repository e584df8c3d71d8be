// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/code_fit.h"

#include <algorithm>
#include <utility>

#include "graph/ids.h"
#include "pipeline/compress/query_fit.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using kernels::ConstFloatView;
using kernels::FloatView;
using kernels::Transpose;

namespace {

constexpr int kSweeps = 2;
constexpr int kGradientSteps = 10;

std::int64_t length_of(const NodeId* list, std::int64_t most) {
  return std::find(list, list + most, graph::kNoNode) - list;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

void add_times(double factor, const std::vector<float>& from, std::vector<float>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += static_cast<float>(factor * from[i]);
}

/// Adds the rows [I x D'] to the centroids that the items have chosen.
std::vector<float> by_centroid(ConstFloatView rows, const ProductCodes& codes) {
  std::vector<float> sums(codes.codebooks.size());
  const std::int64_t sub = codes.sub_width();
  const std::int64_t subs = codes.shape.sub_quantizers;
#pragma omp parallel for schedule(static)
  for (std::int64_t m = 0; m < subs; ++m) {
    for (std::int64_t i = 0; i < codes.rows; ++i) {
      float* to =
          sums.data() + (m * codes.shape.centroids() + codes.chosen[at(i * subs + m)]) * sub;
      const float* from = rows.row(i) + m * sub;
      for (std::int64_t j = 0; j < sub; ++j) to[j] += from[j];
    }
  }
  return sums;
}

}  // namespace

CodeFit::CodeFit(ConstFloatView items, const FittedUsers& users, kernels::Backend& backend)
    : items_(items), users_(users), backend_(backend), first_place_(at(items.rows) + 1) {
  for (const NodeId item : users.lists) {
    if (item != graph::kNoNode) ++first_place_[at(item) + 1];
  }
  for (std::size_t i = 1; i < first_place_.size(); ++i) first_place_[i] += first_place_[i - 1];
  places_.resize(at(first_place_.back()));
  std::vector<std::int64_t> next = first_place_;
  for (std::int64_t user = 0; user < users.vectors.rows; ++user) {
    const NodeId* list = users.list(user);
    const std::int64_t length = length_of(list, users.list_length);
    for (std::int64_t k = 0; k < length; ++k) {
      places_[at(next[at(list[k])]++)] = {static_cast<NodeId>(user),
                                          users.scores[at(user * users.list_length + k)],
                                          1.0F / static_cast<float>(length)};
    }
  }
}

void CodeFit::fit(ConstFloatView queries, ProductCodes& codes) {
  set_moments(queries);
  choose(queries, codes);
  move_centroids(queries, codes);
}

void CodeFit::set_moments(ConstFloatView queries) {
  const auto share = static_cast<float>(
      kOthersWeight / static_cast<double>(std::max<std::int64_t>(items_.rows, 1)));
  gram_ = backend_.matrix<float>(queries.cols, queries.cols);
  backend_.gemm(Transpose::yes, Transpose::no, share, queries, queries, 0.0F, gram_.view());
  kernels::FloatMatrix cross = backend_.matrix<float>(queries.cols, items_.cols);
  backend_.gemm(Transpose::yes, Transpose::no, share, queries, users_.vectors, 0.0F, cross.view());
  targets_ = backend_.matrix<float>(items_.rows, queries.cols);
  backend_.gemm(Transpose::no, Transpose::yes, 1.0F, items_, cross.view(), 0.0F, targets_.view());
}

void CodeFit::choose(ConstFloatView queries, ProductCodes& codes) const {
  const std::int64_t width = codes.width;
#pragma omp parallel
  {
    std::vector<float> left(at(width * width)), right(at(width));
#pragma omp for schedule(dynamic, 64)
    for (std::int64_t item = 0; item < codes.rows; ++item)
      choose_one(queries, item, codes, left, right);
  }
}

void CodeFit::choose_one(ConstFloatView queries, std::int64_t item, ProductCodes& codes,
                         std::vector<float>& left, std::vector<float>& right) const {
  const std::int64_t width = codes.width;
  const std::int64_t sub = codes.sub_width();
  const ConstFloatView gram = gram_.view();
  for (std::int64_t i = 0; i < width; ++i) std::copy_n(gram.row(i), width, left.data() + i * width);
  std::copy_n(targets_.view().row(item), width, right.data());
  for (std::int64_t p = first_place_[at(item)]; p < first_place_[at(item) + 1]; ++p) {
    const Place& place = places_[at(p)];
    const float* q = queries.row(place.user);
    for (std::int64_t i = 0; i < width; ++i) {
      const float weighted = place.weight * q[i];
      float* row = left.data() + i * width;
      for (std::int64_t j = 0; j < width; ++j) row[j] += weighted * q[j];
      right[at(i)] += weighted * place.score;
    }
  }
  std::uint8_t* chosen = codes.chosen.data() + item * codes.shape.sub_quantizers;
  std::vector<float> x(at(width)), pull(at(sub));
  for (std::int64_t m = 0; m < codes.shape.sub_quantizers; ++m)
    std::copy_n(codes.centroid(m, chosen[m]), sub, x.data() + m * sub);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (std::int64_t m = 0; m < codes.shape.sub_quantizers; ++m) {
      // What b leaves for this sub-vector once the others are taken off.
      std::fill_n(x.data() + m * sub, sub, 0.0F);
      for (std::int64_t i = 0; i < sub; ++i) {
        const float* row = left.data() + (m * sub + i) * width;
        float taken = 0.0F;
        for (std::int64_t j = 0; j < width; ++j) taken += row[j] * x[at(j)];
        pull[at(i)] = right[at(m * sub + i)] - taken;
      }
      std::int64_t best = 0;
      float least = 0.0F;
      for (std::int64_t choice = 0; choice < codes.shape.centroids(); ++choice) {
        const float* c = codes.centroid(m, choice);
        float cost = 0.0F;
        for (std::int64_t i = 0; i < sub; ++i) {
          const float* row = left.data() + (m * sub + i) * width + m * sub;
          float sum = -2.0F * pull[at(i)];
          for (std::int64_t j = 0; j < sub; ++j) sum += row[j] * c[j];
          cost += c[i] * sum;
        }
        if (choice == 0 || cost < least) {
          least = cost;
          best = choice;
        }
      }
      chosen[m] = static_cast<std::uint8_t>(best);
      std::copy_n(codes.centroid(m, best), sub, x.data() + m * sub);
    }
  }
}

std::vector<float> CodeFit::products(ConstFloatView queries, const ProductCodes& codes,
                                     const std::vector<float>& of) const {
  ProductCodes moved{codes.shape, codes.rows, codes.width, of, codes.chosen};
  kernels::FloatMatrix x = backend_.matrix<float>(codes.rows, codes.width);
  kernels::FloatMatrix result = backend_.matrix<float>(codes.rows, codes.width);
  moved.decode(x.view());
  backend_.gemm(Transpose::no, Transpose::no, 1.0F, x.view(), gram_.view(), 0.0F, result.view());
#pragma omp parallel for schedule(dynamic, 64)
  for (std::int64_t item = 0; item < codes.rows; ++item) {
    const float* own = x.view().row(item);
    float* to = result.view().row(item);
    for (std::int64_t p = first_place_[at(item)]; p < first_place_[at(item) + 1]; ++p) {
      const Place& place = places_[at(p)];
      const float* q = queries.row(place.user);
      float score = 0.0F;
      for (std::int64_t j = 0; j < codes.width; ++j) score += q[j] * own[j];
      for (std::int64_t j = 0; j < codes.width; ++j) to[j] += place.weight * score * q[j];
    }
  }
  return by_centroid(result.view(), codes);
}

std::vector<float> CodeFit::right_side(ConstFloatView queries, const ProductCodes& codes) const {
  kernels::FloatMatrix result = backend_.matrix<float>(codes.rows, codes.width);
  backend_.copy(ConstFloatView(targets_.view()), result.view());
#pragma omp parallel for schedule(dynamic, 64)
  for (std::int64_t item = 0; item < codes.rows; ++item) {
    float* to = result.view().row(item);
    for (std::int64_t p = first_place_[at(item)]; p < first_place_[at(item) + 1]; ++p) {
      const Place& place = places_[at(p)];
      const float* q = queries.row(place.user);
      for (std::int64_t j = 0; j < codes.width; ++j) to[j] += place.weight * place.score * q[j];
    }
  }
  return by_centroid(result.view(), codes);
}

// Conjugate gradients (Hestenes and Stiefel 1952) from the codebooks that are there.
void CodeFit::move_centroids(ConstFloatView queries, ProductCodes& codes) const {
  std::vector<float> residual = right_side(queries, codes);
  add_times(-1.0, products(queries, codes, codes.codebooks), residual);
  std::vector<float> direction = residual;
  double size = dot(residual, residual);
  const double first_size = size;
  for (int step = 0; step < kGradientSteps && size > 1e-10 * first_size; ++step) {
    const std::vector<float> image = products(queries, codes, direction);
    const double curvature = dot(direction, image);
    if (curvature <= 0.0) return;
    const double length = size / curvature;
    add_times(length, direction, codes.codebooks);
    add_times(-length, image, residual);
    const double next = dot(residual, residual);
    for (std::size_t i = 0; i < direction.size(); ++i)
      direction[i] = residual[i] + static_cast<float>(next / size * direction[i]);
    size = next;
  }
}

}  // namespace penchant::pipeline
