// SPDX-License-Identifier: Apache-2.0
// Closed-form recommenders: a filter over the normalised item graph, applied to users' rows.
//
// With R [U x I] the training matrix, R~ = D_U^-1/2 R D_I^-1/2, P = R~' R~ (eigenvalues in [0, 1],
// near 1 what changes smoothly over the graph) and V [I x r] the leading eigenvectors of P, a user
// with row x of R scores
//   s = D_I^b ( p(P) + V diag(w) V' ) D_I^-b x          p a polynomial, b the power of item degrees
//   linear   p(t) = t                                   w = 0
//   gfcf     p(t) = t                                   w = alpha   Shen et al., CIKM 2021
//   chebycf  p = Chebyshev interpolant of a plateau     w = alpha   Kim et al., SIGIR 2025
//   bspm     p(t) = t S(t)                              w = alpha S Choi et al., SIGIR 2023,
//   BSPM-EM
//   ridge    of R / |R| instead of R~, b = 0: p(t) = 0  w = t / (t + lambda / |R|^2)
// ridge regresses users' rows on each other in the leading singular directions: with all of them it is
// EASE without its constraint on the diagonal (Steck, WWW 2019, equation 4), with lambda = 0 PureSVD
// (Cremonesi, Koren and Turrin, RecSys 2010).
// S is what Runge-Kutta steps of dx/dt = -P x do to a signal (sharpening). The papers of gfcf and
// bspm leave out D_I^b around p and have b = 1/2 around the low pass; here one power serves both.
// P is never formed: it acts as two sparse products on tiles of users.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "graph/enum_names.h"
#include "graph/csr.h"
#include "graph/random.h"
#include "kernels/backend.h"
#include "models/new_users.h"
#include "models/scorer.h"
#include "models/spectral.h"

namespace penchant::models {

enum class FilterKind { linear, gfcf, chebycf, bspm, ridge };
constexpr auto enum_words(FilterKind) {
  return std::to_array<EnumWord<FilterKind>>({{FilterKind::linear, "linear"}, {FilterKind::gfcf, "gfcf"},
                    {FilterKind::chebycf, "chebycf"}, {FilterKind::bspm, "bspm"},
                    {FilterKind::ridge, "ridge"}});
}

/// Defaults are ChebyCF's for Gowalla; sharpening and its steps are BSPM's.
struct FilterOptions {
  FilterKind kind = FilterKind::chebycf;
  float power = 0.4F;                 ///< b; not of ridge
  std::int64_t rank = 512;            ///< r; of linear only the width of `vectors`
  float low_pass = 0.2F;              ///< alpha; not of linear and ridge
  std::int64_t order = 8;             ///< chebycf: degree of the polynomial
  float flatness = 1.5F;              ///< chebycf: the plateau's phi
  float sharpening = 2.5F;            ///< bspm: time that sharpening runs for
  std::int64_t sharpening_steps = 1;  ///< bspm: Runge-Kutta steps in that time
  float ridge = 100.0F;               ///< ridge: lambda, in squared values of R
};

/// Throws InputError that names the key filter.* and what it may be.
void check_filter_options(const FilterOptions& options);

/// Coefficients c_0..c_K of p(t) = sum_k c_k T_k(1 - 2 t).
std::vector<double> chebyshev_coefficients(const FilterOptions& options);

/// What R is divided by before its singular vectors are taken.
enum class FilterScaling {
  degrees,   ///< the roots of its sums of rows and columns
  spectral,  ///< a bound of its largest singular value
};
FilterScaling scaling_of(FilterKind kind);

/// The scaled training matrix and its leading singular vectors: what filters of the same scaling
/// share.
class FilterGraph {
 public:
  /// `user_items` [U x I], non-negative values or none (ones). At most `rank` singular vectors.
  FilterGraph(const graph::CsrView& user_items, std::int64_t rank, graph::Seed seed,
              kernels::Backend& backend, FilterScaling scaling = FilterScaling::degrees);
  /// With singular vectors computed before.
  FilterGraph(const graph::CsrView& user_items, SingularVectors singular, kernels::Backend& backend,
              FilterScaling scaling = FilterScaling::degrees);

  std::int64_t num_users() const { return rows_.num_rows; }
  std::int64_t num_items() const { return rows_.num_cols; }
  const graph::Csr& rows() const { return rows_; }  ///< R
  const std::vector<double>& item_degrees() const {
    return item_degrees_;
  }                                                                     ///< [I] column sums of R
  const kernels::SparseMatrix& normalized() const { return *sparse_; }  ///< R~ [U x I]
  const kernels::SparseMatrix& transposed() const { return *sparse_transposed_; }  ///< [I x U]
  const SingularVectors& singular() const { return singular_; }                    ///< V, t
  FilterScaling scaling() const { return scaling_; }
  double largest() const { return largest_; }  ///< |R|, of FilterScaling::spectral

 private:
  FilterScaling scaling_;
  double largest_ = 1.0;
  graph::Csr rows_, normalized_, transposed_;
  std::vector<double> item_degrees_;
  std::unique_ptr<kernels::SparseMatrix> sparse_, sparse_transposed_;
  SingularVectors singular_;
};

class GraphFilter final : public Scorer {
 public:
  /// Uses the first options.rank singular vectors of `graph`, or all if it has fewer. Throws
  /// InputError if the scaling of `graph` is not the kind's.
  GraphFilter(std::shared_ptr<const FilterGraph> graph, const FilterOptions& options,
              kernels::Backend& backend);

  /// Users without a row have the mean of all others' scores.
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;
  void score_people(const People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override {
    respond(people.rows, backend, scores);
  }

  /// Scores for any rows: histories [B x I], scores [I x B].
  void respond(const graph::CsrView& histories, kernels::Backend& backend,
               kernels::FloatView scores);

  /// Vectors of length D = min(dimension, r): <user, item> is the score of the filter without what
  /// lies outside the leading D singular vectors. Both sides carry the root of the filter's
  /// response, so that items compare with items as well.
  void vectors(std::int64_t dimension, kernels::Backend& backend, kernels::FloatMatrix& users,
               kernels::FloatMatrix& items) const;
  /// The same of anybody: histories [B x I], vectors [B x D].
  kernels::FloatMatrix vectors_of(const graph::CsrView& histories, std::int64_t dimension,
                                  kernels::Backend& backend) const;

 private:
  std::int64_t rank() const { return static_cast<std::int64_t>(weights_.size()); }
  graph::Csr signals(const graph::CsrView& histories) const;
  void apply_polynomial(const graph::CsrView& signals, kernels::Backend& backend,
                        kernels::FloatView scores);
  void add_low_pass(const graph::CsrView& signals, kernels::Backend& backend,
                    kernels::FloatView scores) const;

  std::shared_ptr<const FilterGraph> graph_;
  std::vector<float> quotient_;      ///< of q, p(t) = p(0) + t q(t), in T_k(1 - 2 t); empty: p = 0
  float at_zero_;                    ///< p(0)
  std::vector<float> responses_;     ///< [r] p(t_j) + w_j
  std::vector<float> weights_;       ///< [r] w_j, or empty: no low pass
  std::vector<float> item_scale_;    ///< [I] degree^b
  std::vector<float> item_unscale_;  ///< [I] degree^-b, 0 without users
  kernels::FloatMatrix items_, previous_, current_, sum_;  ///< tables of a block of users
  kernels::Vector<float> device_scale_;                    ///< item_scale_ on the backend's device
  MeanScores mean_scores_;
};

}  // namespace penchant::models
