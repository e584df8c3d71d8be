// SPDX-License-Identifier: Apache-2.0
// The spelling of every enum that a user sees, in configuration, manifests and messages.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/item_graph.h"
#include "graph/split.h"
#include "graph/user_item_graph.h"
#include "models/model_options.h"
#include "partition/partition.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/export/score.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

template <typename Enum>
struct EnumNames;  // specialised below: `values` pairs each enumerator with its name

#define PENCHANT_ENUM_NAMES(Enum, count, ...)                                        \
  template <>                                                                        \
  struct EnumNames<Enum> {                                                           \
    static constexpr std::array<std::pair<Enum, std::string_view>, count> values = { \
        {__VA_ARGS__}};                                                              \
  }

using graph::AttributeKind, graph::CooccurrenceScope, graph::CooccurrenceWeight, graph::EdgeWeight,
    graph::SplitMethod;
using kernels::Activation, kernels::DeviceChoice;
using models::FilterKind, models::Initializer, models::LossKind, models::ModelKind,
    models::RankingTarget, models::SequenceKind;

PENCHANT_ENUM_NAMES(InputFormat, 4, {InputFormat::table, "table"},
                    {InputFormat::lightgcn, "lightgcn"}, {InputFormat::s3rec, "s3rec"},
                    {InputFormat::recbole, "recbole"});
PENCHANT_ENUM_NAMES(TextEncoding, 3, {TextEncoding::utf8, "utf-8"},
                    {TextEncoding::latin1, "latin-1"}, {TextEncoding::windows1252, "windows-1252"});
PENCHANT_ENUM_NAMES(RepeatPolicy, 4, {RepeatPolicy::keep_all, "keep_all"},
                    {RepeatPolicy::keep_first, "keep_first"},
                    {RepeatPolicy::keep_last, "keep_last"}, {RepeatPolicy::sum, "sum"});
PENCHANT_ENUM_NAMES(OverlapPolicy, 2, {OverlapPolicy::drop, "drop"},
                    {OverlapPolicy::error, "error"});
PENCHANT_ENUM_NAMES(AttributeKind, 4, {AttributeKind::categorical, "categorical"},
                    {AttributeKind::list, "list"}, {AttributeKind::numeric, "numeric"},
                    {AttributeKind::text, "text"});
PENCHANT_ENUM_NAMES(SplitMethod, 6, {SplitMethod::given, "given"},
                    {SplitMethod::global_time, "global_time"},
                    {SplitMethod::leave_one_out, "leave_one_out"},
                    {SplitMethod::leave_last_session, "leave_last_session"},
                    {SplitMethod::random_per_user, "random_per_user"},
                    {SplitMethod::hidden_items, "hidden_items"});
PENCHANT_ENUM_NAMES(EdgeWeight, 4, {EdgeWeight::ones, "ones"}, {EdgeWeight::sum, "sum"},
                    {EdgeWeight::log_sum, "log_sum"}, {EdgeWeight::maximum, "maximum"});
PENCHANT_ENUM_NAMES(CooccurrenceWeight, 3, {CooccurrenceWeight::raw, "raw"},
                    {CooccurrenceWeight::cosine, "cosine"}, {CooccurrenceWeight::pmi, "pmi"});
PENCHANT_ENUM_NAMES(CooccurrenceScope, 2, {CooccurrenceScope::session, "session"},
                    {CooccurrenceScope::window, "window"});
PENCHANT_ENUM_NAMES(partition::Method, 4, {partition::Method::metis, "metis"},
                    {partition::Method::range, "range"}, {partition::Method::hash, "hash"},
                    {partition::Method::random, "random"});
PENCHANT_ENUM_NAMES(SequenceKind, 4, {SequenceKind::none, "none"}, {SequenceKind::rnn, "rnn"},
                    {SequenceKind::lstm, "lstm"}, {SequenceKind::cnn, "cnn"});
PENCHANT_ENUM_NAMES(RankingTarget, 2, {RankingTarget::interest, "interest"},
                    {RankingTarget::rating, "rating"});
PENCHANT_ENUM_NAMES(ModelKind, 6, {ModelKind::lightgcn, "lightgcn"}, {ModelKind::gcn, "gcn"},
                    {ModelKind::node_weighted, "node_weighted"},
                    {ModelKind::graph_filter, "graph_filter"}, {ModelKind::interest, "interest"},
                    {ModelKind::automatic, "auto"});
PENCHANT_ENUM_NAMES(FilterKind, 4, {FilterKind::linear, "linear"}, {FilterKind::gfcf, "gfcf"},
                    {FilterKind::chebycf, "chebycf"}, {FilterKind::bspm, "bspm"});
PENCHANT_ENUM_NAMES(Initializer, 2, {Initializer::normal, "normal"},
                    {Initializer::spectral, "spectral"});
PENCHANT_ENUM_NAMES(LossKind, 2, {LossKind::sampled_softmax, "sampled_softmax"},
                    {LossKind::bpr, "bpr"});
PENCHANT_ENUM_NAMES(Activation, 5, {Activation::identity, "identity"}, {Activation::relu, "relu"},
                    {Activation::leaky_relu, "leaky_relu"}, {Activation::sigmoid, "sigmoid"},
                    {Activation::tanh, "tanh"});
PENCHANT_ENUM_NAMES(NodeOrder, 3, {NodeOrder::none, "none"}, {NodeOrder::degree, "degree"},
                    {NodeOrder::metis, "metis"});
PENCHANT_ENUM_NAMES(DeviceChoice, 3, {DeviceChoice::automatic, "auto"}, {DeviceChoice::cpu, "cpu"},
                    {DeviceChoice::cuda, "cuda"});
PENCHANT_ENUM_NAMES(SeenItems, 3, {SeenItems::automatic, "auto"}, {SeenItems::mask, "mask"},
                    {SeenItems::keep, "keep"});
PENCHANT_ENUM_NAMES(UnknownIds, 3, {UnknownIds::error, "error"}, {UnknownIds::skip, "skip"},
                    {UnknownIds::zero, "zero"});
PENCHANT_ENUM_NAMES(EmbeddingType, 2, {EmbeddingType::float32, "float32"},
                    {EmbeddingType::float16, "float16"});

#undef PENCHANT_ENUM_NAMES

template <typename Enum>
std::string enum_name(Enum value) {
  for (const auto& [known, name] : EnumNames<Enum>::values) {
    if (known == value) return std::string(name);
  }
  return {};
}

/// All names, for messages: "a, b, c".
template <typename Enum>
std::string all_enum_names() {
  std::string names;
  for (const auto& [known, name] : EnumNames<Enum>::values)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

/// Throws InputError that names `key` and every accepted word.
template <typename Enum>
Enum parse_enum(std::string_view text, std::string_view key) {
  for (const auto& [known, name] : EnumNames<Enum>::values) {
    if (name == text) return known;
  }
  throw InputError(
      fmt::format("{} is '{}', expected one of: {}", key, text, all_enum_names<Enum>()));
}

}  // namespace penchant::pipeline
