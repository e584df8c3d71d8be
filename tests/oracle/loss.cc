// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/loss.h"

#include <algorithm>
#include <cmath>

namespace penchant::oracle {

namespace {

struct Score {
  double value = 0.0;
  double magnitude = 0.0;
};

Score inner_product(const Dense& a, std::int64_t i, const Dense& b, std::int64_t k, double factor,
                    double bias) {
  Score score{bias, std::abs(bias)};
  for (std::int64_t j = 0; j < a.cols; ++j) {
    score.value += factor * a(i, j) * b(k, j);
    score.magnitude += std::abs(factor * a(i, j) * b(k, j));
  }
  return score;
}

void add(Sum& sum, std::int64_t i, std::int64_t j, double value, double magnitude) {
  sum.value(i, j) += value;
  sum.magnitude(i, j) += magnitude;
}

}  // namespace

LossResult bpr(const Dense& users, const Dense& positives, const Dense& negatives) {
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  LossResult result{Sum(1, batch), Sum(batch, width), Sum(batch, width), Sum(batch, width)};
  const double share = 1.0 / static_cast<double>(batch);
  for (std::int64_t b = 0; b < batch; ++b) {
    Score x;
    for (std::int64_t j = 0; j < width; ++j) {
      x.value += users(b, j) * (positives(b, j) - negatives(b, j));
      x.magnitude +=
          std::abs(users(b, j)) * (std::abs(positives(b, j)) + std::abs(negatives(b, j)));
    }
    const double wrong = 1.0 / (1.0 + std::exp(x.value));  // sigmoid(-x)
    const double loss =
        x.value > 0.0 ? std::log1p(std::exp(-x.value)) : std::log1p(std::exp(x.value)) - x.value;
    add(result.losses, 0, b, loss, loss + wrong * x.magnitude);
    const double g = -share * wrong;
    const double g_magnitude = share * wrong * (1.0 + (1.0 - wrong) * x.magnitude);
    for (std::int64_t j = 0; j < width; ++j) {
      const double spread = std::abs(positives(b, j)) + std::abs(negatives(b, j));
      add(result.d_users, b, j, g * (positives(b, j) - negatives(b, j)), g_magnitude * spread);
      add(result.d_positives, b, j, g * users(b, j), g_magnitude * std::abs(users(b, j)));
      add(result.d_negatives, b, j, -g * users(b, j), g_magnitude * std::abs(users(b, j)));
    }
  }
  return result;
}

LossResult sampled_softmax(const Dense& users, const Dense& positives, const Dense& negatives,
                           double temperature, const Dense& left_out, const Dense& positive_bias,
                           const Dense& negative_bias) {
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  const std::int64_t count = negatives.rows;
  LossResult result{Sum(1, batch), Sum(batch, width), Sum(batch, width), Sum(count, width)};
  const double share = 1.0 / (temperature * static_cast<double>(batch));
  for (std::int64_t b = 0; b < batch; ++b) {
    const double own_bias = positive_bias.values.empty() ? 0.0 : positive_bias(0, b);
    const Score own = inner_product(users, b, positives, b, 1.0 / temperature, own_bias);
    std::vector<Score> others;
    std::vector<std::int64_t> places;
    double maximum = own.value;
    for (std::int64_t m = 0; m < count; ++m) {
      if (!left_out.values.empty() && left_out(b, m) != 0.0) continue;
      const double bias = negative_bias.values.empty() ? 0.0 : negative_bias(0, m);
      others.push_back(inner_product(users, b, negatives, m, 1.0 / temperature, bias));
      places.push_back(m);
      maximum = std::max(maximum, others.back().value);
    }
    double total = std::exp(own.value - maximum);
    for (const Score& score : others) total += std::exp(score.value - maximum);

    const double own_probability = std::exp(own.value - maximum) / total;
    double mean_magnitude = own_probability * own.magnitude;
    double wrong = 0.0;  // 1 - own_probability
    for (const Score& score : others) {
      const double probability = std::exp(score.value - maximum) / total;
      mean_magnitude += probability * score.magnitude;
      wrong += probability;
    }
    add(result.losses, 0, b, std::log(total) + maximum - own.value,
        1.0 + std::abs(maximum) + std::abs(own.value) + own.magnitude + mean_magnitude);

    double wrong_magnitude = 0.0;
    for (std::size_t k = 0; k < others.size(); ++k) {
      const double probability = std::exp(others[k].value - maximum) / total;
      const double magnitude = probability * (1.0 + others[k].magnitude + mean_magnitude +
                                              std::abs(others[k].value - maximum));
      wrong_magnitude += magnitude;
      for (std::int64_t j = 0; j < width; ++j) {
        const double item = negatives(places[k], j);
        add(result.d_users, b, j, share * probability * item, share * magnitude * std::abs(item));
        add(result.d_negatives, places[k], j, share * probability * users(b, j),
            share * magnitude * std::abs(users(b, j)));
      }
    }
    for (std::int64_t j = 0; j < width; ++j) {
      add(result.d_users, b, j, -share * wrong * positives(b, j),
          share * wrong_magnitude * std::abs(positives(b, j)));
      add(result.d_positives, b, j, -share * wrong * users(b, j),
          share * wrong_magnitude * std::abs(users(b, j)));
    }
  }
  return result;
}

PointwiseResult binary_cross_entropy(const Dense& logits, const Dense& labels) {
  const std::int64_t batch = logits.cols;
  PointwiseResult result{Sum(1, batch), Sum(1, batch)};
  for (std::int64_t b = 0; b < batch; ++b) {
    const double x = logits(0, b);
    const double label = labels(0, b);
    const double right = 1.0 / (1.0 + std::exp(-x));
    const double wrong = 1.0 / (1.0 + std::exp(x));
    // -(label log(right) + (1 - label) log(wrong)), with both logarithms as softplus.
    const double log_right = x > 0.0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
    const double log_wrong = x > 0.0 ? -x - std::log1p(std::exp(-x)) : -std::log1p(std::exp(x));
    add(result.losses, 0, b, -label * log_right - (1.0 - label) * log_wrong,
        std::abs(x) * (1.0 + label) + std::min(-log_right, -log_wrong));
    const double share = 1.0 / static_cast<double>(batch);
    add(result.gradients, 0, b, share * ((1.0 - label) * right - label * wrong),
        share * (right + label));
  }
  return result;
}

PointwiseResult squared_error(const Dense& x, const Dense& targets) {
  const std::int64_t batch = x.cols;
  PointwiseResult result{Sum(1, batch), Sum(1, batch)};
  for (std::int64_t b = 0; b < batch; ++b) {
    const double difference = x(0, b) - targets(0, b);
    add(result.losses, 0, b, difference * difference / 2.0, difference * difference);
    add(result.gradients, 0, b, difference / static_cast<double>(batch),
        std::abs(difference) / static_cast<double>(batch));
  }
  return result;
}

}  // namespace penchant::oracle
