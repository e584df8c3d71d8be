// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/model.h"

#include "tests/oracle/elementwise.h"
#include "tests/oracle/linear.h"
#include "tests/oracle/loss.h"

namespace penchant::oracle {

using kernels::Activation;
using models::LossKind;
using models::ModelKind;
using models::ModelOptions;

namespace {

Dense product(const Dense& a, const Dense& b) {
  return gemm(false, false, 1.0, a, b, 0.0, {}).value;
}
Dense plus(const Dense& a, double factor, const Dense& b) { return axpby(1.0, a, factor, b).value; }

std::string name(std::int64_t layer, const char* part) {
  return "layer" + std::to_string(layer) + "." + part;
}

Activation activation_of(const ModelOptions& options, std::int64_t layer) {
  return layer + 1 < options.num_layers ? options.activation : Activation::identity;
}

/// Z of one layer, before its activation.
Dense linear_part(const ModelOptions& options, std::int64_t layer, const Dense& adjacency,
                  const Parameters& parameters, const Dense& hidden) {
  const Dense sums =
      options.kind == ModelKind::gcn
          ? product(product(adjacency, hidden), parameters.at(name(layer, "weight")))
          : product(adjacency, scale_rows(hidden, parameters.at(name(layer, "alpha"))).value);
  return add_bias(sums, parameters.at(name(layer, "bias"))).value;
}

Dense propagated_mean(const ModelOptions& options, const Dense& adjacency, const Dense& x) {
  const double own = options.num_layers == 0 ? 1.0 : static_cast<double>(options.own_share);
  Dense power = x;
  Dense total = axpby(own, x, 0.0, {}).value;
  for (std::int64_t layer = 0; layer < options.num_layers; ++layer) {
    power = product(adjacency, power);
    total = plus(total, 1.0, power);
  }
  return axpby(1.0 / (own + static_cast<double>(options.num_layers)), total, 0.0, {}).value;
}

Dense gather(const Dense& final, const std::vector<graph::NodeId>& ids) {
  return gather_rows(final, Dense(1, static_cast<std::int64_t>(ids.size()),
                                  std::vector<double>(ids.begin(), ids.end())));
}

void scatter(const ModelOptions& options, const std::vector<graph::NodeId>& ids, const Dense& rows,
             const Dense& d_rows, Dense& d_final) {
  const Dense gradient = options.normalize ? normalize_rows_backward(rows, d_rows).value : d_rows;
  const Dense places(1, static_cast<std::int64_t>(ids.size()),
                     std::vector<double>(ids.begin(), ids.end()));
  d_final = scatter_add_rows(1.0, gradient, places, d_final).value;
}

}  // namespace

Dense forward(const ModelOptions& options, const Dense& adjacency, const Parameters& parameters) {
  Dense hidden = parameters.at("embeddings");
  if (options.kind == ModelKind::lightgcn) return propagated_mean(options, adjacency, hidden);
  for (std::int64_t layer = 0; layer < options.num_layers; ++layer) {
    hidden = activation(activation_of(options, layer),
                        linear_part(options, layer, adjacency, parameters, hidden));
  }
  return hidden;
}

double mean_loss(const ModelOptions& options, const Dense& final, const Batch& batch,
                 Dense* d_final) {
  const Dense rows[] = {gather(final, batch.users), gather(final, batch.positives),
                        gather(final, batch.negatives)};
  Dense unit[3];
  for (int role = 0; role < 3; ++role)
    unit[role] = options.normalize ? normalize_rows(rows[role]).y.value : rows[role];
  Dense hits(rows[0].rows, rows[2].rows);
  for (std::int64_t b = 0; b < hits.rows; ++b) {
    for (std::int64_t m = 0; m < hits.cols; ++m) {
      hits(b, m) = batch.positives[static_cast<std::size_t>(b)] ==
                           batch.negatives[static_cast<std::size_t>(m)]
                       ? 1.0
                       : 0.0;
    }
  }
  const LossResult loss =
      options.loss == LossKind::bpr
          ? bpr(unit[0], unit[1], unit[2])
          : sampled_softmax(unit[0], unit[1], unit[2], static_cast<double>(options.temperature),
                            hits, batch.positive_bias, batch.negative_bias);
  double total = 0.0;
  for (const double row : loss.losses.value.values) total += row;
  if (d_final != nullptr) {
    *d_final = Dense(final.rows, final.cols);
    scatter(options, batch.users, rows[0], loss.d_users.value, *d_final);
    scatter(options, batch.positives, rows[1], loss.d_positives.value, *d_final);
    scatter(options, batch.negatives, rows[2], loss.d_negatives.value, *d_final);
  }
  return total / static_cast<double>(batch.users.size());
}

Parameters gradients(const ModelOptions& options, const Dense& adjacency,
                     const Parameters& parameters, const Batch& batch) {
  Dense d_hidden;
  mean_loss(options, forward(options, adjacency, parameters), batch, &d_hidden);
  const Dense transposed_adjacency = transposed(adjacency);
  if (options.kind == ModelKind::lightgcn)
    return {{"embeddings", propagated_mean(options, transposed_adjacency, d_hidden)}};

  std::vector<Dense> inputs = {parameters.at("embeddings")};
  std::vector<Dense> linear;
  for (std::int64_t layer = 0; layer < options.num_layers; ++layer) {
    linear.push_back(linear_part(options, layer, adjacency, parameters, inputs.back()));
    inputs.push_back(activation(activation_of(options, layer), linear.back()));
  }
  Parameters result;
  for (std::int64_t layer = options.num_layers; layer-- > 0;) {
    const Dense& in = inputs[static_cast<std::size_t>(layer)];
    Dense d_linear = d_hidden;
    for (std::size_t k = 0; k < d_linear.values.size(); ++k) {
      d_linear.values[k] *=
          slope(activation_of(options, layer), linear[static_cast<std::size_t>(layer)].values[k]);
    }
    result[name(layer, "bias")] = add_column_sums(d_linear, Dense(1, d_linear.cols)).value;
    const Dense d_sums = product(transposed_adjacency, d_linear);
    if (options.kind == ModelKind::gcn) {
      const Dense& weight = parameters.at(name(layer, "weight"));
      result[name(layer, "weight")] = gemm(true, false, 1.0, in, d_sums, 0.0, {}).value;
      d_hidden = gemm(false, true, 1.0, d_sums, weight, 0.0, {}).value;
    } else {
      result[name(layer, "alpha")] = add_row_dots(d_sums, in, Dense(1, in.rows)).value;
      d_hidden = scale_rows(d_sums, parameters.at(name(layer, "alpha"))).value;
    }
  }
  result["embeddings"] = d_hidden;
  return result;
}

}  // namespace penchant::oracle
