// SPDX-License-Identifier: Apache-2.0
#include "models/interest_model.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "graph/error.h"

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;
using kernels::IdView;
using kernels::VectorView;

namespace {

/// Places of dropout (StepDropout::at); the recurrent layers have 8 and following.
constexpr std::uint64_t kInputSite = 0;
constexpr std::uint64_t kFusedSite = 1;
constexpr std::uint64_t kFusionSite = 2;
constexpr std::uint64_t kRankingSite = 6;

/// Hidden width of the ranking head.
constexpr std::int64_t kRankingDim = 64;

/// A matrix of one column as a vector, whose elements follow each other.
void copy_column(Backend& backend, ConstFloatView column, VectorView<float> to) {
  backend.copy(column, FloatView(to.data, to.size, 1, 1, to.device));
}

}  // namespace

InterestModel::InterestModel(const ModelOptions& options, const InterestSizes& sizes,
                             const kernels::SparseMatrix& item_graph, graph::Seed seed,
                             Backend& backend)
    : options_(options), sizes_(sizes), dim_(options.embedding_dim) {
  const InterestOptions& interest = options.interest;
  if (interest.sequence == SequenceKind::none && !interest.graph) {
    throw InputError(
        "model.sequence is none and model.graph is false: nothing is left of the user; set one of "
        "them");
  }
  if (!(interest.dropout >= 0.0F && interest.dropout < 1.0F))
    throw InputError("model.dropout must be at least 0 and below 1");
  if (!(interest.history_decay > 0.0F && interest.history_decay <= 1.0F))
    throw InputError("model.history_decay must be above 0 and at most 1");
  ModelOptions graph_part = options;
  graph_part.kind = ModelKind::lightgcn;
  if (!interest.item_graph) graph_part.num_layers = 0;
  items_ = make_encoder(graph_part, item_graph, {}, seed, backend);
  d_items_ = backend.matrix<float>(item_graph.rows(), dim_);
  step_items_ = backend.vector<std::uint32_t>(kernels::row_set_words(item_graph.rows()));
  if (sizes.num_events > 0) {
    event_vectors_.emplace_back("events", sizes.num_events, dim_, backend);
    initialize_normal(event_vectors_[0], options.initial_scale, {}, seed, kEventSubstream, backend);
  }
  if (sizes.num_gaps > 0) {
    gap_vectors_.emplace_back("gaps", sizes.num_gaps, dim_, backend);
    initialize_normal(gap_vectors_[0], options.initial_scale, {}, seed, kEventSubstream + 1,
                      backend);
  }
  sequence_ = make_sequence_encoder(interest, dim_, seed, backend);
  hidden_dim_ = sequence_ ? sequence_->output_dim() : 0;
  std::vector<std::int64_t> dims = {fused_dim()};
  dims.insert(dims.end(), interest.mlp_dims.begin(), interest.mlp_dims.end());
  dims.push_back(dim_);
  if (dims.size() > 5) throw InputError("model.mlp_dims takes at most 3 widths");
  fusion_ = std::make_unique<Mlp>("fusion", dims, interest.layer_norm, kFusionSite, seed,
                                  kFusionSubstream, backend);
  if (interest.ranking_head) {
    const std::int64_t ranking_dims[] = {fused_dim() + 2 * dim_, kRankingDim, 1};
    ranking_ = std::make_unique<Mlp>("ranking", ranking_dims, interest.layer_norm, kRankingSite,
                                     seed, kRankingSubstream, backend);
    if (interest.ranking_target == RankingTarget::rating) {
      ranking_->visit_parameters([&](Parameter& parameter) {
        if (parameter.name == "ranking.layer1.bias")
          backend.fill(parameter.value.view(), sizes.mean_rating);
      });
    }
  }
}

ConstFloatView InterestModel::forward_items(Backend& backend) {
  item_vectors_ = items_->forward(backend);
  const ConstFloatView items = item_vectors_.rows_of(0, sizes_.num_items);
  if (!options_.normalize) return items;
  const FloatView unit = all_items_.value.view(backend, items.rows, dim_);
  backend.normalize_rows(items, unit, all_items_.inverse_norms.view(backend, items.rows));
  return unit;
}

FloatView InterestModel::gather_items(Backend& backend, IdView ids, Rows& rows) {
  const FloatView value = rows.value.view(backend, ids.size, dim_);
  backend.gather_rows(item_vectors_, ids, value);
  if (options_.normalize)
    backend.normalize_rows(value, value, rows.inverse_norms.view(backend, ids.size));
  return value;
}

void InterestModel::scatter_items(Backend& backend, IdView ids, Rows& rows) {
  const FloatView gradient = rows.gradient.view(backend, ids.size, dim_);
  if (options_.normalize) {
    backend.normalize_rows_backward(rows.value.view(backend, ids.size, dim_),
                                    rows.inverse_norms.view(backend, ids.size), gradient, gradient);
  }
  backend.scatter_add_rows(1.0F, gradient, ids, d_items_.view());
}

void InterestModel::forward_events(Backend& backend, const InterestBatch& batch,
                                   const StepDropout& dropout, VectorView<const float> input_scale,
                                   Pass pass) {
  const std::int64_t size = batch.items.size;
  const FloatView inputs = inputs_.view(backend, size, dim_);
  const auto scale = [&](FloatView rows) {
    if (input_scale.size > 0) backend.scale_rows(rows, input_scale, rows);
  };
  backend.gather_rows(item_vectors_, batch.items, inputs);
  scale(inputs);
  const FloatView fused = fused_.view(backend, size, fused_dim());
  if (options_.interest.graph) {
    const FloatView history = fused.cols_of(hidden_dim_, dim_);
    const FloatView running = running_.view(backend, size, dim_);
    backend.running_sum(kernels::TimeOrder::forward, batch.sequences.segments,
                        options_.interest.history_decay, inputs, running);
    backend.scale_rows(running, batch.history_scale, history);
  }
  if (sequence_) {
    const FloatView added = running_.view(backend, size, dim_);
    if (!event_vectors_.empty() && batch.events.size > 0) {
      backend.gather_rows(event_vectors_[0].value.view(), batch.events, added);
      scale(added);
      backend.axpby(1.0F, added, 1.0F, inputs);
    }
    if (!gap_vectors_.empty() && batch.gaps.size > 0) {
      backend.gather_rows(gap_vectors_[0].value.view(), batch.gaps, added);
      scale(added);
      backend.axpby(1.0F, added, 1.0F, inputs);
    }
    const FloatView dropped = dropped_.view(backend, size, dim_);
    backend.dropout(dropout.at(kInputSite), inputs, dropped);
    const FloatView encoded = fused.cols_of(0, hidden_dim_);
    if (pass == Pass::forward)
      sequence_->infer(backend, batch.sequences, dropped, encoded);
    else
      sequence_->forward(backend, batch.sequences, dropped, dropout, encoded);
  }
  const FloatView dropped_fused = dropped_fused_.view(backend, size, fused_dim());
  backend.dropout(dropout.at(kFusedSite), fused, dropped_fused);
  const FloatView users = users_.value.view(backend, size, dim_);
  fusion_->forward(backend, dropped_fused, dropout, users);
  if (options_.normalize)
    backend.normalize_rows(users, users, users_.inverse_norms.view(backend, size));
}

void InterestModel::backward_events(Backend& backend, const InterestBatch& batch,
                                    const StepDropout& dropout) {
  const std::int64_t size = batch.items.size;
  const FloatView d_users = users_.gradient.view(backend, size, dim_);
  if (options_.normalize) {
    backend.normalize_rows_backward(users_.value.view(backend, size, dim_),
                                    users_.inverse_norms.view(backend, size), d_users, d_users);
  }
  const FloatView d_fused = d_dropped_fused_.view(backend, size, fused_dim());
  fusion_->backward(backend, dropped_fused_.view(backend, size, fused_dim()), d_users, d_fused);
  if (ranking_)
    backend.axpby(1.0F, d_ranking_fused_.view(backend, size, fused_dim()), 1.0F, d_fused);
  backend.dropout(dropout.at(kFusedSite), d_fused, d_fused);

  const FloatView d_inputs = d_inputs_.view(backend, size, dim_);
  if (sequence_) {
    sequence_->backward(backend, batch.sequences, d_fused.cols_of(0, hidden_dim_), d_inputs);
    backend.dropout(dropout.at(kInputSite), d_inputs, d_inputs);
    if (!event_vectors_.empty() && batch.events.size > 0)
      backend.scatter_add_rows(1.0F, d_inputs, batch.events, event_vectors_[0].gradient.view());
    if (!gap_vectors_.empty() && batch.gaps.size > 0)
      backend.scatter_add_rows(1.0F, d_inputs, batch.gaps, gap_vectors_[0].gradient.view());
  } else {
    backend.fill(d_inputs, 0.0F);
  }
  if (options_.interest.graph) {
    const FloatView d_running = d_running_.view(backend, size, dim_);
    backend.scale_rows(d_fused.cols_of(hidden_dim_, dim_), batch.history_scale, d_running);
    backend.running_sum(kernels::TimeOrder::backward, batch.sequences.segments,
                        options_.interest.history_decay, d_running, d_running);
    backend.axpby(1.0F, d_running, 1.0F, d_inputs);
  }
  backend.scatter_add_rows(1.0F, d_inputs, batch.items, d_items_.view());
}

void InterestModel::add_retrieval_gradients(Backend& backend, const InterestTargets& targets,
                                            LossLog& losses) {
  const std::int64_t size = targets.items.size;
  const FloatView positives = gather_items(backend, targets.items, positives_);
  const FloatView negatives = gather_items(backend, targets.negatives, negatives_);
  kernels::SampledSoftmaxOptions softmax;
  softmax.temperature = options_.temperature;
  softmax.positive_ids = targets.items;
  softmax.negative_ids = targets.negatives;
  softmax.positive_bias = targets.positive_bias;
  softmax.negative_bias = targets.negative_bias;
  backend.sampled_softmax(users_.value.view(backend, size, dim_), positives, negatives, softmax,
                          losses.next(backend, size), users_.gradient.view(backend, size, dim_),
                          positives_.gradient.view(backend, size, dim_),
                          negatives_.gradient.view(backend, targets.negatives.size, dim_));
  scatter_items(backend, targets.items, positives_);
  scatter_items(backend, targets.negatives, negatives_);
}

void InterestModel::fill_features(Backend& backend, ConstFloatView fused, ConstFloatView users,
                                  ConstFloatView items, FloatView features) {
  backend.copy(fused, features.cols_of(0, fused_dim()));
  backend.copy(items, features.cols_of(fused_dim(), dim_));
  backend.multiply(1.0F, users, items, 0.0F, features.cols_of(fused_dim() + dim_, dim_));
}

void InterestModel::ranking_losses(Backend& backend, const InterestTargets& targets,
                                   VectorView<const float> outputs, VectorView<float> losses,
                                   VectorView<float> d_outputs) {
  if (options_.interest.ranking_target == RankingTarget::rating) {
    backend.squared_error(outputs, targets.ratings, losses, d_outputs);
    return;
  }
  const std::int64_t size = targets.items.size;
  const VectorView<float> labels = labels_.view(backend, 2 * size);
  backend.fill(FloatView(labels.data, 1, size, size, labels.device), 1.0F);
  backend.fill(FloatView(labels.data + size, 1, size, size, labels.device), 0.0F);
  backend.binary_cross_entropy(outputs, labels, losses, d_outputs);
}

void InterestModel::add_ranking_gradients(Backend& backend, const InterestTargets& targets,
                                          const StepDropout& dropout, LossLog& losses) {
  const std::int64_t size = targets.items.size;
  const FloatView fused = dropped_fused_.view(backend, size, fused_dim());
  const FloatView users = users_.value.view(backend, size, dim_);
  const bool contrast = options_.interest.ranking_target == RankingTarget::interest;
  const std::int64_t pairs = contrast ? 2 * size : size;
  const FloatView features = features_.view(backend, pairs, fused_dim() + 2 * dim_);
  fill_features(backend, fused, users, gather_items(backend, targets.items, positives_),
                features.rows_of(0, size));
  if (contrast) {
    fill_features(backend, fused, users, gather_items(backend, targets.unobserved, unobserved_),
                  features.rows_of(size, size));
  }

  const FloatView logits = logits_.view(backend, pairs, 1);
  ranking_->forward(backend, features, dropout, logits);
  const VectorView<float> flat_logits = flat_logits_.view(backend, pairs);
  copy_column(backend, logits, flat_logits);
  const VectorView<float> d_flat_logits = d_flat_logits_.view(backend, pairs);
  const double share =
      static_cast<double>(size) / static_cast<double>(std::max<std::int64_t>(1, pairs));
  const double weight = static_cast<double>(options_.interest.ranking_weight) * share;
  ranking_losses(backend, targets, flat_logits, losses.next(backend, pairs, weight), d_flat_logits);

  const FloatView d_logits = d_logits_.view(backend, pairs, 1);
  backend.axpby(options_.interest.ranking_weight,
                ConstFloatView(d_flat_logits.data, pairs, 1, 1, d_flat_logits.device), 0.0F,
                d_logits);
  const FloatView d_features = d_features_.view(backend, pairs, features.cols);
  ranking_->backward(backend, features, d_logits, d_features);

  const FloatView d_fused = d_ranking_fused_.view(backend, size, fused_dim());
  const FloatView d_users = users_.gradient.view(backend, size, dim_);
  backend.fill(d_fused, 0.0F);
  const auto add_half = [&](std::int64_t first, IdView ids, Rows& rows) {
    const FloatView half = d_features.rows_of(first, size);
    const FloatView d_items = half.cols_of(fused_dim(), dim_);
    const FloatView d_products = half.cols_of(fused_dim() + dim_, dim_);
    const FloatView gradient = rows.gradient.view(backend, size, dim_);
    backend.axpby(1.0F, half.cols_of(0, fused_dim()), 1.0F, d_fused);
    backend.multiply(1.0F, d_products, rows.value.view(backend, size, dim_), 1.0F, d_users);
    backend.copy(ConstFloatView(d_items), gradient);
    backend.multiply(1.0F, d_products, users, 1.0F, gradient);
    scatter_items(backend, ids, rows);
  };
  add_half(0, targets.items, positives_);
  if (contrast) add_half(size, targets.unobserved, unobserved_);
}

void InterestModel::add_gradients(Backend& backend, const InterestBatch& batch,
                                  const InterestTargets& targets, const StepDropout& dropout,
                                  LossLog& losses) {
  backend.fill_rows(step_items_.view(), 0.0F, d_items_.view());  // of the step before
  const IdView read[] = {batch.items, targets.items, targets.negatives, targets.unobserved};
  backend.mark_rows(read, d_items_.rows(), step_items_.view());
  item_vectors_ = items_->forward(backend, step_items_.view());
  forward_events(backend, batch, dropout);
  add_retrieval_gradients(backend, targets, losses);
  if (ranking_) add_ranking_gradients(backend, targets, dropout, losses);
  backward_events(backend, batch, dropout);
  items_->backward(backend, d_items_.view(), step_items_.view(), Gradients::add);
}

void InterestModel::user_vectors(Backend& backend, const InterestBatch& batch, FloatView to) {
  forward_events(backend, batch, {}, {}, Pass::forward);
  const IdView last = batch.last_events;
  backend.gather_rows(users_.value.view(backend, batch.items.size, dim_), last, to);
}

void InterestModel::add_input_products(Backend& backend, const InterestBatch& batch,
                                       VectorView<const float> input_scale,
                                       ConstFloatView directions, VectorView<float> values,
                                       VectorView<float> products) {
  forward_events(backend, batch, {}, input_scale);
  const std::int64_t size = batch.items.size;
  const FloatView users = users_.value.view(backend, size, dim_);
  const FloatView last = pair_users_.view(backend, batch.last_events.size, dim_);
  backend.gather_rows(users, batch.last_events, last);
  backend.add_row_dots(last, directions, values);

  const FloatView d_users = users_.gradient.view(backend, size, dim_);
  backend.fill(d_users, 0.0F);
  backend.scatter_add_rows(1.0F, directions, batch.last_events, d_users);
  if (options_.normalize) {
    backend.normalize_rows_backward(users, users_.inverse_norms.view(backend, size), d_users,
                                    d_users);
  }
  const FloatView d_fused = d_dropped_fused_.view(backend, size, fused_dim());
  fusion_->backward(backend, dropped_fused_.view(backend, size, fused_dim()), d_users, d_fused);
  if (sequence_) {
    const FloatView d_inputs = d_inputs_.view(backend, size, dim_);
    sequence_->backward(backend, batch.sequences, d_fused.cols_of(0, hidden_dim_), d_inputs);
    backend.add_row_dots(d_inputs, inputs_.view(backend, size, dim_), products);
  }
  if (!options_.interest.graph) return;
  const FloatView d_running = d_running_.view(backend, size, dim_);
  backend.scale_rows(d_fused.cols_of(hidden_dim_, dim_), batch.history_scale, d_running);
  backend.running_sum(kernels::TimeOrder::backward, batch.sequences.segments,
                      options_.interest.history_decay, d_running, d_running);
  const FloatView items = running_.view(backend, size, dim_);
  backend.gather_rows(item_vectors_, batch.items, items);
  backend.scale_rows(items, input_scale, items);
  backend.add_row_dots(d_running, items, products);
}

void InterestModel::pair_logits(Backend& backend, const InterestBatch& batch, IdView event_rows,
                                IdView items, VectorView<float> logits) {
  if (!ranking_) throw InputError("the model has no ranking head (model.ranking_head = false)");
  const FloatView features = features_.view(backend, items.size, fused_dim() + 2 * dim_);
  const FloatView fused = pair_fused_.view(backend, items.size, fused_dim());
  const FloatView users = pair_users_.view(backend, items.size, dim_);
  backend.gather_rows(fused_.view(backend, batch.items.size, fused_dim()), event_rows, fused);
  backend.gather_rows(users_.value.view(backend, batch.items.size, dim_), event_rows, users);
  fill_features(backend, fused, users, gather_items(backend, items, positives_), features);
  const FloatView column = logits_.view(backend, items.size, 1);
  ranking_->forward(backend, features, {}, column);
  copy_column(backend, column, logits);
}

void InterestModel::widen_ranges(Backend& backend, const InterestBatch& batch,
                                 std::vector<kernels::RecurrentRanges>& ranges) {
  forward_events(backend, batch, {});
  if (sequence_) sequence_->widen_ranges(backend, ranges);
}

void InterestModel::quantize(Backend& backend, std::span<const kernels::RecurrentRanges> ranges) {
  if (!sequence_)
    throw InputError("a network without a sequence encoder has no products to quantise");
  sequence_->quantize(backend, ranges);
}

void InterestModel::visit_parameters(const ParameterVisitor& visit) {
  items_->visit_parameters(visit);
  for (Parameter& parameter : event_vectors_) visit(parameter);
  for (Parameter& parameter : gap_vectors_) visit(parameter);
  if (sequence_) sequence_->visit_parameters(visit);
  fusion_->visit_parameters(visit);
  if (ranking_) ranking_->visit_parameters(visit);
}

}  // namespace penchant::models
