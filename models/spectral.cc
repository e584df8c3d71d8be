// SPDX-License-Identifier: Apache-2.0
#include "models/spectral.h"

#include "kernels/transfer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::SparseMatrix;
using kernels::Transpose;
using kernels::Vector;
using kernels::VectorView;

namespace {

/// Rounds of the iteration and products in each; more change the validation metric by less than its
/// noise.
constexpr int kRounds = 8;
constexpr int kProducts = 4;
/// Substream of Stream::initialization; 0 and up are the parameters of a model.
constexpr std::uint64_t kRotationStream = std::uint64_t{1} << 40;
constexpr std::uint64_t kSingularStream = kRotationStream + 1;
/// A squared singular value below this share of the largest is rounding of the float32 Gram matrix.
constexpr float kGramTolerance = 1e-6F;
/// Rounds of Chebyshev iteration, and how much one may amplify the largest singular value over the
/// smallest: the Gram matrix squares it, and must still see the smallest.
constexpr int kChebyshevRounds = 3;
constexpr double kLargestGain = 700.0;
constexpr int kLargestDegree = 8;

/// y [N x D] <- x times a D x D matrix: orthonormal columns, those along the largest singular
/// values of x first; columns behind the rank of x are zero. Returns that rank. With the Gram
/// matrix x'x = W E W': y = x W E^-1/2.
std::int64_t orthonormalize(ConstFloatView x, Backend& backend, FloatView y) {
  const std::int64_t width = x.cols;
  FloatMatrix gram = backend.matrix<float>(width, width);
  FloatMatrix map = backend.matrix<float>(width, width);
  Vector<float> squared = backend.vector<float>(width);
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, x, x, 0.0F, gram.view());
  backend.symmetric_eigen(gram.view(), squared.view(), map.view());
  std::vector<float> scale = kernels::to_host(squared.view(), backend);
  const float smallest = kGramTolerance * scale.front();
  std::int64_t rank = 0;
  for (float& value : scale) {
    rank += value > smallest ? 1 : 0;
    value = value > smallest ? 1.0F / std::sqrt(value) : 0.0F;
  }
  scale_columns(map.view(), scale, backend);
  backend.gemm(Transpose::no, Transpose::no, 1.0F, x, map.view(), 0.0F, y);
  return rank;
}

FloatMatrix random_rotation(std::int64_t width, graph::Seed seed, Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, kRotationStream);
  std::vector<float> host(static_cast<std::size_t>(width * width));
  for (std::size_t i = 0; i < host.size(); ++i) host[i] = static_cast<float>(random.normal(i));
  FloatMatrix normal = backend.matrix<float>(width, width);
  backend.copy(ConstFloatView(host.data(), width, width, width, kernels::Device::cpu),
               normal.view());
  FloatMatrix rotation = backend.matrix<float>(width, width);
  if (orthonormalize(normal.view(), backend, rotation.view()) < width) return normal;
  return rotation;
}

/// Independent numbers, uniform in (-1, 1): four a Philox call, where normal ones cost a call each.
FloatMatrix random_uniform(std::int64_t rows, std::int64_t cols, graph::Seed seed,
                           Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, kSingularStream);
  std::vector<float> host(static_cast<std::size_t>((rows * cols + 3) / 4 * 4));
  for (std::size_t i = 0; i < host.size(); i += 4) {
    const auto words = random.words(i / 4);
    for (std::size_t k = 0; k < 4; ++k)
      host[i + k] = static_cast<float>(static_cast<std::int32_t>(words[k])) * 0x1p-31F;
  }
  FloatMatrix uniform = backend.matrix<float>(rows, cols);
  backend.copy(ConstFloatView(host.data(), rows, cols, cols, kernels::Device::cpu), uniform.view());
  return uniform;
}

/// Products by P = matrix' matrix.
class NormalProducts {
 public:
  NormalProducts(const SparseMatrix& matrix, const SparseMatrix& transposed, std::int64_t width,
                 Backend& backend)
      : matrix_(matrix),
        transposed_(transposed),
        backend_(backend),
        hidden_(backend.matrix<float>(matrix.rows(), width)) {}

  /// y <- alpha P x + beta y + delta x.
  void apply(float alpha, ConstFloatView x, float beta, float delta, FloatView y) {
    backend_.spmm(matrix_, x, hidden_.view(), {});
    kernels::SpmmOptions options;
    options.alpha = alpha;
    options.beta = beta;
    if (delta != 0.0F) options.addend = x;
    options.delta = delta;
    backend_.spmm(transposed_, hidden_.view(), y, options);
  }
  /// [D x D] x' P x.
  FloatMatrix quadratic_form(ConstFloatView x) {
    FloatMatrix form = backend_.matrix<float>(x.cols, x.cols);
    backend_.spmm(matrix_, x, hidden_.view(), {});
    backend_.gemm(Transpose::yes, Transpose::no, 1.0F, hidden_.view(), hidden_.view(), 0.0F,
                  form.view());
    return form;
  }

 private:
  const SparseMatrix& matrix_;
  const SparseMatrix& transposed_;
  Backend& backend_;
  FloatMatrix hidden_;
};

/// The smallest Rayleigh quotient of a block with this quadratic form: its diagonal.
float smallest_quotient(ConstFloatView form, Backend& backend) {
  std::vector<float> host(static_cast<std::size_t>(form.rows * form.cols));
  const FloatView on_host(host.data(), form.rows, form.cols, form.cols, kernels::Device::cpu);
  backend.copy(form, on_host);
  float smallest = on_host(0, 0);
  for (std::int64_t j = 1; j < form.cols; ++j) smallest = std::min(smallest, on_host(j, j));
  return smallest;
}

/// The largest degree m of a Chebyshev polynomial on [0, cut] with T_m(2 / cut - 1) within the
/// gain.
int chebyshev_degree(double cut) {
  const double growth = std::acosh(2.0 / cut - 1.0);  // T_m(cosh a) = cosh(m a)
  int degree = 1;
  while (degree < kLargestDegree && std::cosh((degree + 1) * growth) <= kLargestGain) ++degree;
  return degree;
}

/// x <- T_m(2 P / cut - I) x; `next` is overwritten.
void amplify(NormalProducts& products, float cut, int degree, FloatMatrix& x, FloatMatrix& next) {
  products.apply(2.0F / cut, x.view(), 0.0F, -1.0F, next.view());
  std::swap(x, next);
  for (int k = 1; k < degree; ++k) {
    products.apply(4.0F / cut, x.view(), -1.0F, -2.0F, next.view());
    std::swap(x, next);
  }
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
    if (orthonormalize(current.view(), backend, next.view()) < x.cols) return;
    std::swap(current, next);
  }
  const FloatMatrix rotation = random_rotation(x.cols, seed, backend);
  const float length =
      scale *
      std::sqrt(static_cast<float>(x.rows));  // so that an element's root mean square is `scale`
  backend.gemm(Transpose::no, Transpose::no, length, current.view(), rotation.view(), 0.0F, x);
}

void scale_columns(FloatView x, const std::vector<float>& scale, Backend& backend) {
  std::vector<float> host(static_cast<std::size_t>(x.rows * x.cols));
  const FloatView on_host(host.data(), x.rows, x.cols, x.cols, kernels::Device::cpu);
  backend.copy(ConstFloatView(x), on_host);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) on_host(i, j) *= scale[static_cast<std::size_t>(j)];
  }
  backend.copy(ConstFloatView(on_host), x);
}

Factors leading_factors(ConstFloatView x, ConstFloatView y, std::int64_t width, Backend& backend) {
  const std::int64_t columns = x.cols;
  if (columns == 0) return {backend.matrix<float>(x.rows, 0), backend.matrix<float>(y.rows, 0)};
  const auto square = [&] { return backend.matrix<float>(columns, columns); };
  // c = a diag(scale) b', of square ones; scale is of a's columns, which it changes.
  const auto product = [&](FloatView a, const std::vector<float>& scale, Transpose transpose_b,
                           ConstFloatView b) {
    FloatMatrix c = square();
    scale_columns(a, scale, backend);
    backend.gemm(Transpose::no, transpose_b, 1.0F, a, b, 0.0F, c.view());
    return c;
  };
  FloatMatrix gram = square();
  FloatMatrix axes = square();
  Vector<float> values = backend.vector<float>(columns);
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, x, x, 0.0F, gram.view());
  backend.symmetric_eigen(gram.view(), values.view(), axes.view());
  std::vector<float> roots = kernels::to_host(values.view(), backend);
  std::vector<float> inverses;
  const float smallest = kGramTolerance * roots.front();
  for (float& root : roots) {
    root = root > smallest ? std::sqrt(root) : 0.0F;
    inverses.push_back(root > 0.0F ? 1.0F / root : 0.0F);
  }
  FloatMatrix scaled = square();
  backend.copy(axes.view(), scaled.view());
  const FloatMatrix root = product(scaled.view(), roots, Transpose::yes, axes.view());
  backend.copy(axes.view(), scaled.view());
  const FloatMatrix inverse = product(scaled.view(), inverses, Transpose::yes, axes.view());

  FloatMatrix seen = backend.matrix<float>(y.rows, columns);  // y (x'x)^1/2
  backend.gemm(Transpose::no, Transpose::no, 1.0F, y, root.view(), 0.0F, seen.view());
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, seen.view(), seen.view(), 0.0F, gram.view());
  backend.symmetric_eigen(gram.view(), values.view(), axes.view());
  const std::vector<float> squared = kernels::to_host(values.view(), backend);
  std::int64_t kept = 0;
  std::vector<float> up;
  std::vector<float> down;
  while (kept < std::min(width, columns) &&
         squared[static_cast<std::size_t>(kept)] > kGramTolerance * squared.front()) {
    up.push_back(std::pow(squared[static_cast<std::size_t>(kept)], 0.25F));
    down.push_back(1.0F / up.back());
    ++kept;
  }
  Factors factors{backend.matrix<float>(x.rows, kept), backend.matrix<float>(y.rows, kept)};
  if (kept == 0) return factors;
  FloatMatrix map = backend.matrix<float>(columns, kept);
  backend.gemm(Transpose::no, Transpose::no, 1.0F, inverse.view(), axes.view().cols_of(0, kept),
               0.0F, map.view());
  scale_columns(map.view(), up, backend);
  backend.gemm(Transpose::no, Transpose::no, 1.0F, x, map.view(), 0.0F, factors.left.view());
  backend.copy(ConstFloatView(axes.view().cols_of(0, kept)), map.view());
  scale_columns(map.view(), down, backend);
  backend.gemm(Transpose::no, Transpose::no, 1.0F, seen.view(), map.view(), 0.0F,
               factors.right.view());
  return factors;
}

SingularVectors leading_singular_vectors(const SparseMatrix& matrix, const SparseMatrix& transposed,
                                         std::int64_t rank, graph::Seed seed, Backend& backend) {
  const std::int64_t limit = std::min(matrix.rows(), matrix.cols());
  const std::int64_t wanted = std::min(rank, limit);
  SingularVectors result;
  result.vectors = backend.matrix<float>(matrix.cols(), 0);
  if (wanted <= 0 || matrix.num_entries() == 0) return result;
  const std::int64_t width = std::min(limit, wanted + std::max<std::int64_t>(8, wanted / 8));
  NormalProducts products(matrix, transposed, width, backend);
  FloatMatrix x = random_uniform(matrix.cols(), width, seed, backend);
  FloatMatrix next = backend.matrix<float>(matrix.cols(), width);
  products.apply(1.0F, x.view(), 0.0F, 0.0F, next.view());
  std::int64_t found = orthonormalize(next.view(), backend, x.view());
  for (int round = 0; round < kChebyshevRounds; ++round) {
    if (found < width) break;  // x spans what there is
    const float cut = smallest_quotient(products.quadratic_form(x.view()).view(), backend);
    amplify(products, cut, chebyshev_degree(cut), x, next);
    found = orthonormalize(x.view(), backend, next.view());
    std::swap(x, next);
  }
  orthonormalize(x.view(), backend, next.view());  // once more: the first left rounding behind

  FloatMatrix rotation = backend.matrix<float>(width, width);
  Vector<float> squared = backend.vector<float>(width);
  backend.symmetric_eigen(products.quadratic_form(next.view()).view(), squared.view(),
                          rotation.view());
  result.squared = kernels::to_host(squared.view(), backend);
  const float smallest = kGramTolerance * result.squared.front();
  std::int64_t kept = 0;
  while (kept < wanted && result.squared[static_cast<std::size_t>(kept)] > smallest) ++kept;
  result.squared.resize(static_cast<std::size_t>(kept));
  result.vectors = backend.matrix<float>(matrix.cols(), kept);
  backend.gemm(Transpose::no, Transpose::no, 1.0F, next.view(), rotation.view().cols_of(0, kept),
               0.0F, result.vectors.view());
  return result;
}

}  // namespace penchant::models
