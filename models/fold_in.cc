// SPDX-License-Identifier: Apache-2.0
#include "models/fold_in.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/row_softmax.h"
#include "kernels/transfer.h"

namespace penchant::models {

using graph::at;
using graph::Csr;
using graph::CsrView;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::Device;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Transpose;

namespace {

constexpr std::int64_t kPeopleAtOnce = 64;
constexpr int kSteps = 16;
constexpr double kFirstStep = 0.5;  ///< radians, about

double dot(const float* x, const float* y, std::int64_t size) {
  double sum = 0.0;
  for (std::int64_t j = 0; j < size; ++j)
    sum += static_cast<double>(x[j]) * static_cast<double>(y[j]);
  return sum;
}

/// At this length; zeros stay.
void set_length(float* x, std::int64_t size, double length) {
  const double norm = std::sqrt(dot(x, x, size));
  if (norm == 0.0) return;
  for (std::int64_t j = 0; j < size; ++j)
    x[j] = static_cast<float>(static_cast<double>(x[j]) * (length / norm));
}

/// Rows of `matrix` [from, from + count), their values divided by their sums.
Csr shares_of_one(const CsrView& matrix, std::int64_t from, std::int64_t count) {
  std::vector<NodeId> rows(at(count));
  std::iota(rows.begin(), rows.end(), static_cast<NodeId>(from));
  Csr shares = graph::select_rows(matrix, rows);
  shares.values.resize(shares.columns.size(), 1.0F);
  for (std::int64_t b = 0; b < count; ++b) {
    const auto first = shares.values.begin() + shares.offsets[at(b)];
    const auto last = shares.values.begin() + shares.offsets[at(b) + 1];
    const double sum = std::accumulate(first, last, 0.0);
    std::for_each(first, last, [&](float& value) {
      value = static_cast<float>(static_cast<double>(value) / sum);
    });
  }
  return shares;
}

/// Where the ascent of one person stands.
struct Ascent {
  double loss = std::numeric_limits<double>::infinity();
  double step = kFirstStep;
};

}  // namespace

FoldIn::FoldIn(ConstFloatView items, float temperature, float length)
    : items_(items), temperature_(temperature), length_(length) {
  for (const auto& [value, name] :
       {std::pair(temperature, "temperature"), std::pair(length, "length")}) {
    if (!(value > 0.0F && std::isfinite(value)))
      throw InputError(fmt::format("fold-in: {} is {}, expected a number above 0", name, value));
  }
}

FloatMatrix FoldIn::vectors(const CsrView& shares, const CsrView& excluded,
                            Backend& backend) const {
  const bool fits = shares.num_cols == items_.rows &&
                    (excluded.num_rows == 0 ||
                     (excluded.num_rows == shares.num_rows && excluded.num_cols == items_.rows));
  if (!fits) {
    throw InputError(fmt::format("fold-in: shares are {} x {}, what is excluded {} x {}, items {}",
                                 shares.num_rows, shares.num_cols, excluded.num_rows,
                                 excluded.num_cols, items_.rows));
  }
  FloatMatrix vectors = backend.matrix<float>(shares.num_rows, items_.cols);
  for (std::int64_t first = 0; first < shares.num_rows; first += kPeopleAtOnce) {
    const std::int64_t count = std::min(kPeopleAtOnce, shares.num_rows - first);
    const Csr block = shares_of_one(shares, first, count);
    const Csr without = excluded.num_rows == 0 ? Csr{} : shares_of_one(excluded, first, count);
    fold_block(block.view(), without.view(), backend, vectors.view().rows_of(first, count));
  }
  return vectors;
}

void FoldIn::fold_block(const CsrView& shares, const CsrView& excluded, Backend& backend,
                        FloatView to) const {
  const std::int64_t count = shares.num_rows;
  const std::int64_t num_items = items_.rows;
  const std::int64_t dim = items_.cols;
  const auto table = [&](std::int64_t cols) { return std::vector<float>(at(count * cols), 0.0F); };
  const auto view = [&](std::vector<float>& values, std::int64_t cols) {
    return FloatView(values.data(), count, cols, cols, Device::cpu);
  };
  FloatMatrix moved = backend.matrix<float>(count, dim);
  FloatMatrix scores = backend.matrix<float>(count, num_items);
  std::vector<float> pulls = table(dim), now = table(dim), best = table(dim), uphill = table(dim),
                     means = table(dim), shared;
  // Exponentials are made where the scores are, or in host memory.
  const bool on_host = backend.device() == Device::cpu;
  if (!on_host) shared = table(num_items);
  const FloatView exponentials = on_host ? scores.view() : view(shared, num_items);
  std::vector<float> maxima(at(count)), sums(at(count));
  std::vector<Ascent> ascents(at(count));
  backend.spmm(*backend.sparse(shares), items_, moved.view(), {});
  backend.copy(ConstFloatView(moved.view()), view(pulls, dim));
  backend.sync();
  now = pulls;
  for (std::int64_t b = 0; b < count; ++b) set_length(&now[at(b * dim)], dim, length_);
  best = now;

  for (int step = 0; step < kSteps; ++step) {
    backend.copy(ConstFloatView(view(now, dim)), moved.view());
    backend.gemm(Transpose::no, Transpose::yes, 1.0F / temperature_, moved.view(), items_, 0.0F,
                 scores.view());
    if (!on_host) backend.copy(ConstFloatView(scores.view()), exponentials);
    backend.sync();
    kernels::exponentiate_rows(exponentials, excluded, maxima, sums);
    if (!on_host) backend.copy(ConstFloatView(exponentials), scores.view());
    backend.gemm(Transpose::no, Transpose::no, 1.0F, scores.view(), items_, 0.0F, moved.view());
    backend.copy(ConstFloatView(moved.view()), view(means, dim));
    backend.sync();
    for (std::int64_t b = 0; b < count; ++b) {
      Ascent& ascent = ascents[at(b)];
      const auto all = static_cast<double>(sums[at(b)]);
      if (all == 0.0) continue;  // every item is left out: the mean of what they had stays
      const double loss =
          static_cast<double>(maxima[at(b)]) + std::log(all) -
          dot(&now[at(b * dim)], &pulls[at(b * dim)], dim) / static_cast<double>(temperature_);
      float* const here = &now[at(b * dim)];
      float* const kept = &best[at(b * dim)];
      float* const slope = &uphill[at(b * dim)];
      if (loss < ascent.loss) {
        ascent.loss = loss;
        std::copy_n(here, dim, kept);
        // Along the sphere.
        for (std::int64_t j = 0; j < dim; ++j)
          slope[j] = pulls[at(b * dim + j)] - static_cast<float>(means[at(b * dim + j)] / all);
        const double outward =
            dot(slope, kept, dim) / (static_cast<double>(length_) * static_cast<double>(length_));
        for (std::int64_t j = 0; j < dim; ++j)
          slope[j] -= static_cast<float>(outward * static_cast<double>(kept[j]));
        set_length(slope, dim, length_);
      } else {
        ascent.step /= 2.0;
      }
      if (shares.row_size(b) == 0) continue;
      for (std::int64_t j = 0; j < dim; ++j)
        here[j] = kept[j] + static_cast<float>(ascent.step * static_cast<double>(slope[j]));
      set_length(here, dim, length_);
    }
  }
  backend.copy(ConstFloatView(view(best, dim)), to);
  backend.sync();
}

}  // namespace penchant::models
