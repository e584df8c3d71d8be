// SPDX-License-Identifier: Apache-2.0
// Integrated gradients of the interest model: all steps of the line are sequences of one batch.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/model/interest_network.h"

namespace penchant::pipeline {

using graph::at;
using kernels::Backend;

namespace {

constexpr std::int64_t kFirstSteps = 32;
constexpr std::int64_t kMostSteps = 512;

/// Products along the line, and of each event.
struct LineProducts {
  std::vector<float> values;    ///< [copies] at each point
  std::vector<float> products;  ///< [copies x events]
};

/// One copy of the span's events for each scale.
LineProducts products_along(models::InterestModel& model, const Histories& history,
                            const Span& span, std::span<const float> scales,
                            std::span<const float> direction, float history_decay,
                            Backend& backend) {
  const auto copies = static_cast<std::int64_t>(scales.size());
  const auto width = static_cast<std::int64_t>(direction.size());
  const std::vector<Span> spans(scales.size(), span);
  HistoryBatch batch;
  batch.assign(history, spans, history_decay);
  std::vector<float> event_scales;
  std::vector<float> directions;
  for (const float scale : scales) {
    event_scales.insert(event_scales.end(), at(span.length), scale);
    directions.insert(directions.end(), direction.begin(), direction.end());
  }
  kernels::FloatMatrix device_directions = backend.matrix<float>(copies, width);
  backend.copy(
      kernels::ConstFloatView(directions.data(), copies, width, width, kernels::Device::cpu),
      device_directions.view());
  kernels::Vector<float> device_scales = kernels::to_device(event_scales, backend);
  kernels::Vector<float> values = backend.vector<float>(copies);
  kernels::Vector<float> products = backend.vector<float>(copies * span.length);
  model.add_input_products(backend, batch.upload(backend), device_scales.view(),
                           device_directions.view(), values.view(), products.view());
  return {kernels::to_host(values.view(), backend), kernels::to_host(products.view(), backend)};
}

}  // namespace

EventGradients InterestNetwork::integrated_gradients(const Histories& history,
                                                     std::span<const float> direction,
                                                     double tolerance, Backend& backend) {
  PENCHANT_ASSERT(history.size() == 1 && history.length(0) > 0);
  const std::int64_t length = std::min(history.length(0), options_.interest.max_length);
  const Span span = {0, history.length(0) - length, length};
  const auto along = [&](std::span<const float> scales) {
    return products_along(*model_, history, span, scales, direction,
                          options_.interest.history_decay, backend);
  };
  const float ends[] = {0.0F, 1.0F};
  const LineProducts at_ends = along(ends);
  EventGradients gradients;
  gradients.at_zero = static_cast<double>(at_ends.values[0]);
  gradients.at_history = static_cast<double>(at_ends.values[1]);
  const double allowed =
      tolerance * std::max(std::abs(gradients.at_zero), std::abs(gradients.at_history));
  for (std::int64_t steps = kFirstSteps; steps <= kMostSteps; steps *= 2) {
    std::vector<float> scales;
    for (std::int64_t step = 0; step < steps; ++step)
      scales.push_back((static_cast<float>(step) + 0.5F) / static_cast<float>(steps));
    const LineProducts line = along(scales);
    gradients.steps = steps;
    gradients.events.assign(at(history.length(0)), 0.0);
    double sum = gradients.at_zero;
    for (std::int64_t step = 0; step < steps; ++step) {
      const double share =
          1.0 / (static_cast<double>(scales[at(step)]) * static_cast<double>(steps));
      for (std::int64_t event = 0; event < length; ++event) {
        const double part = share * static_cast<double>(line.products[at(step * length + event)]);
        gradients.events[at(span.first + event)] += part;
        sum += part;
      }
    }
    if (std::abs(gradients.at_history - sum) <= allowed) break;
  }
  return gradients;
}

}  // namespace penchant::pipeline
