// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/interest.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "graph/random.h"

namespace penchant::oracle {

using graph::NodeId;
using models::InterestOptions;
using models::ModelOptions;
using models::SequenceKind;

namespace {

using Row = std::vector<double>;

double sigmoid(double z) { return 1.0 / (1.0 + std::exp(-z)); }
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }

Row row_of(const Dense& table, std::int64_t i) {
  Row row(static_cast<std::size_t>(table.cols));
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = table(i, static_cast<std::int64_t>(j));
  return row;
}

Row unit(Row row) {
  double squares = 0.0;
  for (const double value : row) squares += value * value;
  for (double& value : row) value /= std::max(std::sqrt(squares), 1e-12);
  return row;
}

double dot(const Row& a, const Row& b) {
  double sum = 0.0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

/// Row `i` of the [rows x width] matrix that the dropout of a place sees.
class Dropout {
 public:
  Dropout(const ModelOptions& options, const InterestBatch& batch, bool training)
      : rate_(training ? static_cast<double>(options.interest.dropout) : 0.0), batch_(batch) {}
  Row operator()(std::uint64_t site, std::int64_t i, Row row) const {
    if (rate_ == 0.0) return row;
    const graph::Random random(batch_.dropout_seed, graph::Stream::dropout,
                               batch_.dropout_step * 16 + site);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::uint64_t element = static_cast<std::uint64_t>(i) * row.size() + j;
      const bool dropped = random.words(element / 4)[element % 4] < rate_ * 0x1.0p32;
      row[j] = dropped ? 0.0 : row[j] / (1.0 - rate_);
    }
    return row;
  }

 private:
  double rate_;
  const InterestBatch& batch_;
};

class Model {
 public:
  Model(const ModelOptions& options, const Dense& item_graph, const Parameters& parameters,
        const InterestBatch& batch, bool training)
      : options_(options), p_(parameters), batch_(batch), dropout_(options, batch, training) {
    ModelOptions graph_part = options;
    graph_part.kind = models::ModelKind::lightgcn;
    if (!options.interest.item_graph) graph_part.num_layers = 0;
    items_ = forward(graph_part, item_graph, parameters);
    std::int64_t first = 0;
    for (const std::int64_t length : batch.lengths) {
      encode(first, length);
      first += length;
    }
  }

  Row item(NodeId id) const {
    const Row row = row_of(items_, id);
    return options_.normalize ? unit(row) : row;
  }
  Row user(std::int64_t event) const {
    const Row v = mlp("fusion", 2, event, fused_[static_cast<std::size_t>(event)]);
    return options_.normalize ? unit(v) : v;
  }
  /// `row`: of the pair among all pairs that the head sees.
  double logit(std::int64_t event, NodeId id, std::int64_t row) const {
    Row features = fused_[static_cast<std::size_t>(event)];
    const Row v = user(event);
    const Row z = item(id);
    features.insert(features.end(), z.begin(), z.end());
    for (std::size_t j = 0; j < z.size(); ++j) features.push_back(v[j] * z[j]);
    return mlp("ranking", 6, row, features)[0];
  }

 private:
  Row mlp(const std::string& name, std::uint64_t site, std::int64_t row, Row x) const {
    for (std::int64_t l = 0;; ++l) {
      const std::string prefix = name + ".layer" + std::to_string(l);
      const Dense& weight = p_.at(prefix + ".weight");
      const Dense& bias = p_.at(prefix + ".bias");
      Row y;
      y.reserve(static_cast<std::size_t>(weight.cols));
      for (std::int64_t j = 0; j < weight.cols; ++j) {
        double sum = bias(0, j);
        for (std::int64_t k = 0; k < weight.rows; ++k)
          sum += x[static_cast<std::size_t>(k)] * weight(k, j);
        y.push_back(sum);
      }
      if (!p_.contains(name + ".layer" + std::to_string(l + 1) + ".weight")) return y;
      if (p_.contains(prefix + ".norm.gain")) {
        double mean = 0.0, variance = 0.0;
        for (const double value : y) mean += value / static_cast<double>(y.size());
        for (const double value : y)
          variance += (value - mean) * (value - mean) / static_cast<double>(y.size());
        for (std::size_t j = 0; j < y.size(); ++j) {
          const auto column = static_cast<std::int64_t>(j);
          y[j] =
              p_.at(prefix + ".norm.gain")(0, column) * (y[j] - mean) / std::sqrt(variance + 1e-5) +
              p_.at(prefix + ".norm.bias")(0, column);
        }
      }
      for (double& value : y) value = std::max(value, 0.0);
      x = dropout_(site + static_cast<std::uint64_t>(l), row, y);
    }
  }

  /// x_f of the events of one sequence.
  void encode(std::int64_t first, std::int64_t length) {
    std::vector<Row> history, inputs;
    Row sum(static_cast<std::size_t>(items_.cols), 0.0);
    double weight = 0.0;
    const auto decay = static_cast<double>(options_.interest.history_decay);
    for (std::int64_t t = 0; t < length; ++t) {
      const auto event = static_cast<std::size_t>(first + t);
      Row x = row_of(items_, batch_.items[event]);
      weight = 1.0 + decay * weight;
      Row scaled;
      for (std::size_t j = 0; j < sum.size(); ++j) {
        sum[j] = x[j] + decay * sum[j];
        scaled.push_back(sum[j] / std::sqrt(weight));
      }
      history.push_back(scaled);
      if (!batch_.events.empty()) add(x, p_.at("events"), batch_.events[event]);
      if (!batch_.gaps.empty()) add(x, p_.at("gaps"), batch_.gaps[event]);
      inputs.push_back(dropout_(0, first + t, x));
    }
    std::vector<Row> outputs(static_cast<std::size_t>(length));
    switch (options_.interest.sequence) {
      case SequenceKind::none:
        break;
      case SequenceKind::cnn:
        outputs = convolve(inputs);
        break;
      case SequenceKind::rnn:
      case SequenceKind::lstm:
        outputs = recur(first, inputs);
    }
    for (std::int64_t t = 0; t < length; ++t) {
      Row fused = outputs[static_cast<std::size_t>(t)];
      const Row& own = history[static_cast<std::size_t>(t)];
      if (options_.interest.graph) fused.insert(fused.end(), own.begin(), own.end());
      fused_.push_back(dropout_(1, first + t, fused));
    }
  }

  static void add(Row& x, const Dense& table, NodeId id) {
    for (std::size_t j = 0; j < x.size(); ++j) x[j] += table(id, static_cast<std::int64_t>(j));
  }

  /// Row of event `first` + t in the packed order of recurrent layers.
  std::int64_t packed_row(std::int64_t first, std::int64_t t) const {
    std::int64_t row = 0;
    for (std::int64_t step = 0; step < t; ++step) {
      for (const std::int64_t length : batch_.lengths) row += length > step;
    }
    std::int64_t start = 0;
    for (const std::int64_t length : batch_.lengths) {
      if (start == first) break;
      row += length > t;
      start += length;
    }
    return row;
  }

  std::vector<Row> recur(std::int64_t first, std::vector<Row> x) const {
    const auto width = static_cast<std::size_t>(options_.interest.hidden_dim);
    const bool lstm = options_.interest.sequence == SequenceKind::lstm;
    for (std::int64_t l = 0; l < options_.interest.sequence_layers; ++l) {
      const std::string prefix = "sequence.layer" + std::to_string(l);
      const Dense& input = p_.at(prefix + ".input");
      const Dense& hidden = p_.at(prefix + ".hidden");
      const Dense& bias = p_.at(prefix + ".bias");
      Row h(width, 0.0), c(width, 0.0);
      for (std::size_t t = 0; t < x.size(); ++t) {
        if (l > 0)
          x[t] = dropout_(8 + static_cast<std::uint64_t>(l),
                          packed_row(first, static_cast<std::int64_t>(t)), x[t]);
        Row z;
        z.reserve(static_cast<std::size_t>(input.cols));
        for (std::int64_t j = 0; j < input.cols; ++j) {
          double sum = bias(0, j);
          for (std::int64_t k = 0; k < input.rows; ++k)
            sum += x[t][static_cast<std::size_t>(k)] * input(k, j);
          for (std::int64_t k = 0; k < hidden.rows; ++k)
            sum += h[static_cast<std::size_t>(k)] * hidden(k, j);
          z.push_back(sum);
        }
        for (std::size_t k = 0; k < width; ++k) {
          if (lstm) {
            c[k] = sigmoid(z[width + k]) * c[k] + sigmoid(z[k]) * std::tanh(z[2 * width + k]);
            h[k] = sigmoid(z[3 * width + k]) * std::tanh(c[k]);
          } else {
            h[k] = std::tanh(z[k]);
          }
        }
        x[t] = h;
      }
    }
    return x;
  }

  std::vector<Row> convolve(const std::vector<Row>& x) const {
    std::vector<Row> filtered(x.size());
    for (const std::int64_t width : options_.interest.cnn_widths) {
      const std::string prefix = "sequence.width" + std::to_string(width);
      const Dense& weight = p_.at(prefix + ".weight");
      const Dense& bias = p_.at(prefix + ".bias");
      const std::int64_t dim = weight.rows / width;
      for (std::int64_t t = 0; t < static_cast<std::int64_t>(x.size()); ++t) {
        for (std::int64_t j = 0; j < weight.cols; ++j) {
          double sum = bias(0, j);
          for (std::int64_t k = 0; k < width && k <= t; ++k) {
            for (std::int64_t f = 0; f < dim; ++f)
              sum += x[static_cast<std::size_t>(t - k)][static_cast<std::size_t>(f)] *
                     weight(k * dim + f, j);
          }
          filtered[static_cast<std::size_t>(t)].push_back(std::max(sum, 0.0));
        }
      }
    }
    std::vector<Row> pooled = filtered;
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t s = t >= 4 ? t - 4 : 0; s < t; ++s) {
        for (std::size_t j = 0; j < pooled[t].size(); ++j)
          pooled[t][j] = std::max(pooled[t][j], filtered[s][j]);
      }
    }
    return pooled;
  }

  const ModelOptions& options_;
  const Parameters& p_;
  const InterestBatch& batch_;
  Dropout dropout_;
  Dense items_;
  std::vector<Row> fused_;
};

double retrieval_loss(const ModelOptions& options, const Model& model, const InterestBatch& batch,
                      std::int64_t event) {
  const auto place = static_cast<std::size_t>(event);
  const Row v = model.user(event);
  const auto temperature = static_cast<double>(options.temperature);
  const auto score = [&](NodeId item, const Dense& bias, std::int64_t column) {
    return dot(v, model.item(item)) / temperature + (bias.cols > 0 ? bias(0, column) : 0.0);
  };
  const double positive = score(batch.targets[place], batch.positive_bias, event);
  double sum = 1.0;
  for (std::size_t m = 0; m < batch.negatives.size(); ++m) {
    if (batch.negatives[m] == batch.targets[place]) continue;
    sum += std::exp(score(batch.negatives[m], batch.negative_bias, static_cast<std::int64_t>(m)) -
                    positive);
  }
  return std::log(sum);
}

std::int64_t num_events(const InterestBatch& batch) {
  return static_cast<std::int64_t>(batch.items.size());
}

}  // namespace

Dense interest_users(const ModelOptions& options, const Dense& item_graph,
                     const Parameters& parameters, const InterestBatch& batch) {
  const Model model(options, item_graph, parameters, batch, false);
  Dense users(num_events(batch), options.embedding_dim);
  for (std::int64_t event = 0; event < users.rows; ++event) {
    const Row v = model.user(event);
    for (std::int64_t j = 0; j < users.cols; ++j) users(event, j) = v[static_cast<std::size_t>(j)];
  }
  return users;
}

Dense interest_logits(const ModelOptions& options, const Dense& item_graph,
                      const Parameters& parameters, const InterestBatch& batch,
                      const std::vector<NodeId>& items) {
  const Model model(options, item_graph, parameters, batch, false);
  Dense logits(1, num_events(batch));
  for (std::int64_t event = 0; event < logits.cols; ++event)
    logits(0, event) = model.logit(event, items[static_cast<std::size_t>(event)], event);
  return logits;
}

double interest_loss(const ModelOptions& options, const Dense& item_graph,
                     const Parameters& parameters, const InterestBatch& batch) {
  const Model model(options, item_graph, parameters, batch, true);
  const std::int64_t size = num_events(batch);
  double retrieval = 0.0;
  double ranking = 0.0;
  for (std::int64_t event = 0; event < size; ++event) {
    const auto place = static_cast<std::size_t>(event);
    retrieval += retrieval_loss(options, model, batch, event);
    if (!options.interest.ranking_head) continue;
    if (options.interest.ranking_target == models::RankingTarget::rating) {
      const double error = model.logit(event, batch.targets[place], event) - batch.ratings[place];
      ranking += error * error;  // its half is the loss; one pair an event instead of two
      continue;
    }
    ranking += softplus(-model.logit(event, batch.targets[place], event));
    ranking += softplus(model.logit(event, batch.unobserved[place], size + event));
  }
  return (retrieval + static_cast<double>(options.interest.ranking_weight) * 0.5 * ranking) /
         static_cast<double>(size);
}

}  // namespace penchant::oracle
