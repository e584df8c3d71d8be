// SPDX-License-Identifier: Apache-2.0
// Checks of the ops with more operands than one or two. Every backend calls them with the device
// that its operands lie on, so that all refuse the same.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "kernels/check.h"

namespace penchant::kernels {

/// A set of all rows has no words.
inline void require_row_set(Device device, const char* op, const char* name, RowSet rows,
                            std::int64_t num_rows) {
  if (rows.data != nullptr) require_size(device, op, name, rows, row_set_words(num_rows));
}

template <typename T>
void check_product(Device device, const SparseMatrix& a, MatrixView<const T> x, FloatView y,
                   const SpmmOptions& options) {
  require_shape(device, "spmm", "x", x, a.cols(), y.cols);
  require_shape(device, "spmm", "y", y, a.rows(), y.cols);
  if (options.row_scale.data != nullptr)
    require_size(device, "spmm", "row_scale", options.row_scale, a.rows());
  if (options.layer_sum.data != nullptr)
    require_shape(device, "spmm", "layer_sum", options.layer_sum, a.rows(), y.cols);
  if (options.addend.data != nullptr)
    require_shape(device, "spmm", "addend", options.addend, a.rows(), y.cols);
  if (options.bias.data != nullptr) require_size(device, "spmm", "bias", options.bias, y.cols);
  require_row_set(device, "spmm", "wanted", options.wanted, a.rows());
  require_row_set(device, "spmm", "nonzero", options.nonzero, a.cols());
  require_row_set(device, "spmm", "nonzero_addend", options.nonzero_addend, a.rows());
}

inline void check_mark_rows(Device device, std::span<const IdView> lists, std::int64_t num_rows,
                            VectorView<std::uint32_t> rows) {
  require_size(device, "mark_rows", "rows", rows, row_set_words(num_rows));
  for (const IdView& ids : lists) {
    if (ids.size > 0) require_device(device, "mark_rows", "ids", ids);
  }
}

inline void check_fill_rows(Device device, RowSet rows, FloatView y) {
  require_device(device, "fill_rows", "y", y);
  require_row_set(device, "fill_rows", "rows", rows, y.rows);
}

inline void check_bpr(Device device, ConstFloatView users, ConstFloatView positives,
                      ConstFloatView negatives, VectorView<float> losses, FloatView d_users,
                      FloatView d_positives, FloatView d_negatives) {
  require_device(device, "bpr", "users", users);
  require_shape(device, "bpr", "positives", positives, users.rows, users.cols);
  require_shape(device, "bpr", "negatives", negatives, users.rows, users.cols);
  require_shape(device, "bpr", "d_users", d_users, users.rows, users.cols);
  require_shape(device, "bpr", "d_positives", d_positives, users.rows, users.cols);
  require_shape(device, "bpr", "d_negatives", d_negatives, users.rows, users.cols);
  require_size(device, "bpr", "losses", losses, users.rows);
}

inline void check_sampled_softmax(Device device, ConstFloatView users, ConstFloatView positives,
                                  ConstFloatView negatives, const SampledSoftmaxOptions& options,
                                  VectorView<float> losses, FloatView d_users,
                                  FloatView d_positives, FloatView d_negatives) {
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  const std::int64_t count = negatives.rows;
  const char* op = "sampled_softmax";
  require_device(device, op, "users", users);
  require_shape(device, op, "positives", positives, batch, width);
  require_shape(device, op, "negatives", negatives, count, width);
  require_shape(device, op, "d_users", d_users, batch, width);
  require_shape(device, op, "d_positives", d_positives, batch, width);
  require_shape(device, op, "d_negatives", d_negatives, count, width);
  require_size(device, op, "losses", losses, batch);
  if (options.positive_ids.size > 0 || options.negative_ids.size > 0) {
    require_size(device, op, "positive_ids", options.positive_ids, batch);
    require_size(device, op, "negative_ids", options.negative_ids, count);
  }
  if (options.positive_bias.size > 0)
    require_size(device, op, "positive_bias", options.positive_bias, batch);
  if (options.negative_bias.size > 0)
    require_size(device, op, "negative_bias", options.negative_bias, count);
  if (!(options.temperature > 0.0F))
    refuse(op, "temperature is " + std::to_string(options.temperature) + ", expected more than 0");
}

/// Of binary_cross_entropy and squared_error; `x` and `against` are their names for the inputs.
inline void check_pointwise(Device device, const char* op, const char* x_name,
                            VectorView<const float> x, const char* against_name,
                            VectorView<const float> against, VectorView<float> losses,
                            VectorView<float> d_x) {
  require_device(device, op, x_name, x);
  require_size(device, op, against_name, against, x.size);
  require_size(device, op, "losses", losses, x.size);
  require_size(device, op, std::string("d_") + x_name, d_x, x.size);
}

/// Returns the number of sequences.
inline std::int64_t check_convolution_forward(Device device, const Segments& segments,
                                              std::int64_t width, ConstFloatView x,
                                              ConstFloatView weight, VectorView<const float> bias,
                                              FloatView y) {
  const char* op = "convolution_forward";
  require_device(device, op, "x", x);
  const std::int64_t batch = require_segments(op, segments, x.rows);
  if (width < 1) refuse(op, "width is " + std::to_string(width) + ", expected at least 1");
  require_shape(device, op, "weight", weight, width * x.cols, weight.cols);
  require_size(device, op, "bias", bias, weight.cols);
  require_shape(device, op, "y", y, x.rows, weight.cols);
  return batch;
}

/// Returns the number of sequences.
inline std::int64_t check_convolution_backward(Device device, const Segments& segments,
                                               std::int64_t width, ConstFloatView x,
                                               ConstFloatView weight, ConstFloatView d_y,
                                               FloatView d_x, FloatView d_weight,
                                               VectorView<float> d_bias) {
  const char* op = "convolution_backward";
  require_device(device, op, "x", x);
  const std::int64_t batch = require_segments(op, segments, x.rows);
  if (width < 1) refuse(op, "width is " + std::to_string(width) + ", expected at least 1");
  require_shape(device, op, "weight", weight, width * x.cols, weight.cols);
  require_shape(device, op, "d_y", d_y, x.rows, weight.cols);
  require_shape(device, op, "d_x", d_x, x.rows, x.cols);
  require_shape(device, op, "d_weight", d_weight, weight.rows, weight.cols);
  require_size(device, op, "d_bias", d_bias, weight.cols);
  return batch;
}

inline void check_layer_norm(Device device, ConstFloatView x, VectorView<const float> gain,
                             VectorView<const float> bias, FloatView unit,
                             VectorView<float> inverse_deviations, FloatView y) {
  require_device(device, "layer_norm", "x", x);
  require_size(device, "layer_norm", "gain", gain, x.cols);
  require_size(device, "layer_norm", "bias", bias, x.cols);
  require_shape(device, "layer_norm", "unit", unit, x.rows, x.cols);
  require_size(device, "layer_norm", "inverse_deviations", inverse_deviations, x.rows);
  require_shape(device, "layer_norm", "y", y, x.rows, x.cols);
}

inline void check_layer_norm_backward(Device device, ConstFloatView unit,
                                      VectorView<const float> inverse_deviations,
                                      VectorView<const float> gain, ConstFloatView d_y,
                                      FloatView d_x, VectorView<float> d_gain,
                                      VectorView<float> d_bias) {
  const char* op = "layer_norm_backward";
  require_device(device, op, "unit", unit);
  require_size(device, op, "inverse_deviations", inverse_deviations, unit.rows);
  require_size(device, op, "gain", gain, unit.cols);
  require_shape(device, op, "d_y", d_y, unit.rows, unit.cols);
  require_shape(device, op, "d_x", d_x, unit.rows, unit.cols);
  require_size(device, op, "d_gain", d_gain, unit.cols);
  require_size(device, op, "d_bias", d_bias, unit.cols);
}

inline void check_dropout(Device device, const DropoutOptions& options, ConstFloatView x,
                          FloatView y) {
  require_device(device, "dropout", "x", x);
  require_shape(device, "dropout", "y", y, x.rows, x.cols);
  if (!(options.rate >= 0.0F && options.rate < 1.0F))
    refuse("dropout", "rate is " + std::to_string(options.rate) + ", expected 0 to below 1");
}

inline void check_adam_step(Device device, const AdamOptions& options, ConstFloatView gradient,
                            FloatView parameter, FloatView first_moment, FloatView second_moment) {
  require_device(device, "adam_step", "parameter", parameter);
  require_shape(device, "adam_step", "gradient", gradient, parameter.rows, parameter.cols);
  require_shape(device, "adam_step", "first_moment", first_moment, parameter.rows, parameter.cols);
  require_shape(device, "adam_step", "second_moment", second_moment, parameter.rows,
                parameter.cols);
  if (options.step < 1) refuse("adam_step", "step counts from 1");
}

}  // namespace penchant::kernels
