// SPDX-License-Identifier: Apache-2.0
// The layers of sequence models against PyTorch in float64. The numbers and the program that made
// them: tests/golden.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/oracle/recurrent.h"
#include "tests/oracle/sequence.h"
#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using nlohmann::json;
using support::Dense;
using support::Guarded;

using Lengths = std::vector<std::int64_t>;

Dense dense(const json& rows) {
  Dense result(static_cast<std::int64_t>(rows.size()),
               static_cast<std::int64_t>(rows.at(0).size()));
  for (std::int64_t i = 0; i < result.rows; ++i) {
    for (std::int64_t j = 0; j < result.cols; ++j)
      result(i, j) = rows.at(static_cast<std::size_t>(i)).at(static_cast<std::size_t>(j));
  }
  return result;
}

Dense like(const json& rows) {
  const Dense shape = dense(rows);
  return {shape.rows, shape.cols};
}

class SequenceGolden : public support::BackendTest {
 protected:
  SequenceGolden() : BackendTest(1) {}
  json cases(const char* name) {
    const char* root = std::getenv("PENCHANT_SOURCE_DIR");
    const std::string path = std::string(root == nullptr ? PENCHANT_TEST_SOURCE_DIR : root) +
                             "/tests/golden/sequences.json";
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    const json all = json::parse(file);
    EXPECT_FALSE(all.at(name).empty());
    return all.at(name);
  }
  /// Within 4e-6 of the largest number of the matrix: sums of some tens of terms.
  void expect_agreement(const Guarded<float>& got, const json& c, const char* name) {
    const Dense want = dense(c.at(name));
    double largest = 0.0;
    for (const double value : want.values) largest = std::max(largest, std::abs(value));
    EXPECT_TRUE(agrees(got.dense(), want, 4e-6 * largest, origin(0))) << name;
  }
};
PENCHANT_INSTANTIATE_BACKENDS(SequenceGolden);

TEST_P(SequenceGolden, RecurrentLayersAgreeWithPyTorch) {
  for (const json& c : cases("recurrent")) {
    SCOPED_TRACE(c.at("cell").get<std::string>() + ", " + c.at("activation").get<std::string>());
    const Guarded<float> x(backend(), dense(c.at("x")));
    const Guarded<float> w_x(backend(), dense(c.at("input")));
    const Guarded<float> w_h(backend(), dense(c.at("hidden")));
    const Guarded<float> bias(backend(), dense(c.at("bias")));
    const Guarded<float> d_h(backend(), dense(c.at("d_h")));
    const Guarded<float> h(backend(), like(c.at("h")));
    const Guarded<float> d_x(backend(), like(c.at("x")));
    const Guarded<float> d_input(backend(), like(c.at("input")));
    const Guarded<float> d_hidden(backend(), like(c.at("hidden")));
    const Guarded<float> d_bias(backend(), like(c.at("bias")));
    const RecurrentOptions options{
        c.at("cell") == "lstm" ? Cell::lstm : Cell::rnn,
        c.at("activation") == "relu" ? Activation::relu : Activation::tanh, x.view().cols,
        h.view().cols};
    const Lengths offsets = oracle::step_offsets(c.at("lengths").get<Lengths>());
    const RecurrentWeights weights{w_x.view(), w_h.view(), bias.vector()};
    const auto state = backend().recurrent_state(options);
    backend().recurrent_forward(*state, {offsets}, x.view(), weights, h.view());
    backend().recurrent_backward(*state, {offsets}, x.view(), weights, h.view(), d_h.view(),
                                 d_x.view(), {d_input.view(), d_hidden.view(), d_bias.vector()});
    expect_agreement(h, c, "h");
    expect_agreement(d_x, c, "d_x");
    expect_agreement(d_input, c, "d_input");
    expect_agreement(d_hidden, c, "d_hidden");
    expect_agreement(d_bias, c, "d_bias");
  }
}

TEST_P(SequenceGolden, ConvolutionsAgreeWithPyTorch) {
  for (const json& c : cases("convolution")) {
    const Guarded<float> x(backend(), dense(c.at("x")));
    const Guarded<float> weight(backend(), dense(c.at("weight")));
    const Guarded<float> bias(backend(), dense(c.at("bias")));
    const Guarded<float> d_y(backend(), dense(c.at("d_y")));
    const Guarded<float> y(backend(), like(c.at("y")));
    const Guarded<float> d_x(backend(), like(c.at("x")));
    const Guarded<float> d_weight(backend(), like(c.at("weight")));
    const Guarded<float> d_bias(backend(), like(c.at("bias")));
    const Lengths offsets = oracle::offsets_of(c.at("lengths").get<Lengths>());
    const std::int64_t width = c.at("width");
    backend().convolution_forward({offsets}, width, x.view(), weight.view(), bias.vector(),
                                  y.view());
    backend().convolution_backward({offsets}, width, x.view(), weight.view(), d_y.view(),
                                   d_x.view(), d_weight.view(), d_bias.vector());
    expect_agreement(y, c, "y");
    expect_agreement(d_x, c, "d_x");
    expect_agreement(d_weight, c, "d_weight");
    expect_agreement(d_bias, c, "d_bias");
  }
}

TEST_P(SequenceGolden, LayerNormAgreesWithPyTorch) {
  for (const json& c : cases("layer_norm")) {
    const Guarded<float> x(backend(), dense(c.at("x")));
    const Guarded<float> gain(backend(), dense(c.at("gain")));
    const Guarded<float> bias(backend(), dense(c.at("bias")));
    const Guarded<float> d_y(backend(), dense(c.at("d_y")));
    const Guarded<float> unit(backend(), like(c.at("x")));
    const Guarded<float> inverse(backend(), 1, x.view().rows);
    const Guarded<float> y(backend(), like(c.at("x")));
    const Guarded<float> d_x(backend(), like(c.at("x")));
    const Guarded<float> d_gain(backend(), like(c.at("gain")));
    const Guarded<float> d_bias(backend(), like(c.at("bias")));
    backend().layer_norm(x.view(), gain.vector(), bias.vector(), unit.view(), inverse.vector(),
                         y.view());
    backend().layer_norm_backward(unit.view(), inverse.vector(), gain.vector(), d_y.view(),
                                  d_x.view(), d_gain.vector(), d_bias.vector());
    expect_agreement(y, c, "y");
    expect_agreement(d_x, c, "d_x");
    expect_agreement(d_gain, c, "d_gain");
    expect_agreement(d_bias, c, "d_bias");
  }
}

}  // namespace
}  // namespace penchant::kernels
