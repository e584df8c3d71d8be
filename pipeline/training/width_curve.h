// SPDX-License-Identifier: Apache-2.0
// Quality against width: what a model's ranking is worth in vectors of other widths than its own,
// so that the size of an index can be chosen by numbers. Vectors of each width learn what the model
// ranks first (training/distillation.h) and are evaluated as the stored ones are. Nothing is kept.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/enum_names.h"
#include "graph/random.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// `stored`: the model's own vectors; `learnt`: others; `as_stored`: the scores are inner products
/// of fewer numbers than these, which can rank no better: the stored vectors' values.
enum class WidthSource { stored, learnt, as_stored };
constexpr auto enum_words(WidthSource) {
  return std::to_array<EnumWord<WidthSource>>({{WidthSource::stored, "stored"},
                                               {WidthSource::learnt, "learnt"},
                                               {WidthSource::as_stored, "as_stored"}});
}

struct WidthPoint {
  std::int64_t width = 0;  ///< numbers an entity
  WidthSource source = WidthSource::learnt;
  std::map<std::string, double> metrics;
  double seconds = 0.0;  ///< that learning took; the lists to learn from are made once for all

  std::int64_t bytes_per_item() const { return width * std::int64_t{sizeof(float)}; }
};

/// Throws InputError that names `origin` unless each width is 1 to 4096 and none comes twice.
void check_widths(std::span<const std::int64_t> widths, std::string_view origin);

/// A point for each width and one for the stored vectors, where the model has any; narrowest first.
/// `options` and `evaluation` are those of `evaluate` for this model. What is learnt is the model's
/// full score or, where it has none, the inner products of its vectors, for all users that it was
/// trained on. Throws InputError for widths as check_widths does, Interrupted.
std::vector<WidthPoint> width_curve(const Model& model, std::vector<std::int64_t> widths,
                                    const EvaluateOptions& options,
                                    const EvaluateReport& evaluation, graph::Seed seed,
                                    Progress& progress);

/// width, bytes_per_item, source, metrics and, of what was learnt, seconds of each point.
nlohmann::json width_curve_to_json(std::span<const WidthPoint> points);
/// One line a metric, one column a width, the full score last where `evaluation` has it. `part`:
/// "test" or "validation".
std::string width_curve_table(std::span<const WidthPoint> points, const EvaluateReport& evaluation,
                              const std::string& part);

}  // namespace penchant::pipeline
