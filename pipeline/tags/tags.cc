// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/tags.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/parallel.h"
#include "graph/random.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tags/tag_features.h"
#include "pipeline/tags/tag_labels.h"
#include "pipeline/tags/tag_neighbours.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

/// Known items that are learned from; of more, a sample.
constexpr std::int64_t kMostLearned = 100'000;
/// Of these, items that settings are compared on, and passes at most.
constexpr std::int64_t kMostCompared = 8'000;
constexpr std::int64_t kMostPasses = 12;
/// After so many passes without a better one, no more are made.
constexpr std::int64_t kPatience = 1;
/// Weights of one classifier (64 MiB), of which there are six at once.
constexpr std::int64_t kMostWeights = std::int64_t{1} << 24;
constexpr std::int64_t kFewestMarks = 1024;
/// Logits that are kept of items to find the weights of the probabilities by (64 MiB).
constexpr std::int64_t kMostLogits = std::int64_t{1} << 24;
constexpr std::int64_t kItemsAtOnce = 4096;
/// Less is told of nothing; of a thousand values most are below it.
constexpr float kLeastTold = 0.01F;
/// Items whose neighbours are looked for to tell how long all of them take.
constexpr std::size_t kTimedItems = 512;
/// Bytes of a row of the log while items that come together are counted (its copy in order of time
/// and its places), and of a neighbour that is kept (both ways, merged).
constexpr std::int64_t kBytesPerRow = 48, kBytesPerPair = 32;
/// Differences below this between the items asked for and the known ones are chance.
constexpr double kLeastDifference = 0.02;

struct Settings {
  float learning_rate, l2;
};
constexpr std::array<Settings, 3> kSettings = {{{0.4F, 0.0F}, {0.4F, 0.1F}, {0.2F, 0.0F}}};

std::vector<NodeId> sample_of(const std::vector<NodeId>& items, std::int64_t most,
                              graph::Seed seed) {
  const auto size = static_cast<std::int64_t>(items.size());
  if (size <= most) return items;
  const graph::Permutation order(seed, graph::Stream::validation, 1,
                                 static_cast<std::uint64_t>(size));
  std::vector<NodeId> sample;
  for (std::int64_t i = 0; i < most; ++i)
    sample.push_back(items[order(static_cast<std::uint64_t>(i))]);
  std::sort(sample.begin(), sample.end());
  return sample;
}

/// Probabilities that may be told at all, with whether they came true.
std::vector<ToldProbability> told_of(const std::vector<JudgedItem>& judged) {
  std::vector<ToldProbability> told;
  for (const JudgedItem& item : judged) {
    for (std::size_t c = 0; c < item.probabilities.size(); ++c) {
      const float p = item.probabilities[c];
      if (p < kLeastTold) continue;
      told.push_back(
          {p, std::binary_search(item.labels.begin(), item.labels.end(), static_cast<NodeId>(c))});
    }
  }
  return told;
}

const TagOptions& checked(const TagOptions& options) {
  if (options.threshold && !(*options.threshold >= 0.0 && *options.threshold <= 1.0))
    throw InputError(fmt::format("--threshold is {}, expected 0 to 1", *options.threshold));
  if (options.min_support < 1)
    throw InputError(fmt::format("--min-support is {}, expected 1 or more", options.min_support));
  return options;
}

}  // namespace

struct Tagger::Impl {
  Impl(const Model& of, const TagOptions& given, bool suspicious, Progress& progress)
      : model(of),
        options(checked(given)),
        attribute(taggable_attribute(of.dataset().catalog, given.attribute)),
        labels(tag_labels(attribute, of.dataset().num_items(), given.min_support)),
        marks(of.dataset().catalog, attribute.name),
        folds(given.seed, graph::Stream::split, 77) {
    asked = options.items ? *options.items : suspicious ? labels.known : labels.missing;
    if (options.items && asked.empty())
      throw InputError("tag: no item is asked for, expected one or more");
    if (asked.empty())
      throw InputError(fmt::format(
          "tag: every item has a '{}': nothing is missing; --suspicious looks for wrong ones, "
          "--items and --all-items tell of items that have one",
          printable(attribute.name)));
    if (static_cast<std::int64_t>(labels.known.size()) < kTagFolds)
      throw InputError(
          fmt::format("tag: {} items have a '{}' that can be told, expected {} or more",
                      labels.known.size(), printable(attribute.name), kTagFolds));
    learn(progress);
  }

  std::int64_t fold(NodeId item) const {
    return static_cast<std::int64_t>(
        folds.below(static_cast<std::uint64_t>(item), static_cast<std::uint64_t>(kTagFolds)));
  }
  bool has_rows(NodeId item) const { return model.dataset().item_statistics.count[at(item)] > 0; }

  /// An attribute that the items asked for lack more often than those learned from is hidden from
  /// so many of the latter that both lack it as often. Which ones is drawn once an item for all
  /// attributes, since what is missing is mostly missing together.
  void find_differences() {
    const auto lacking = [&](const std::vector<NodeId>& items, auto has) {
      std::int64_t without = 0;
      for (const NodeId item : items) without += has(item) ? 0 : 1;
      return static_cast<double>(without) / static_cast<double>(items.size());
    };
    const auto add = [&](std::int64_t part, auto has) {
      const double known = lacking(labels.known, has), wanted = lacking(asked, has);
      if (wanted - known < kLeastDifference) return;
      hiding.emplace_back(part, (wanted - known) / (1.0 - known));
    };
    for (std::size_t a = 0; a < marks.num_attributes(); ++a) {
      if (!marks.is_target(a))
        add(static_cast<std::int64_t>(a), [&](NodeId item) { return marks.has(a, item); });
    }
    add(kRowsHidden, [&](NodeId item) { return has_rows(item); });
  }
  std::vector<HiddenParts> hidden_of(std::span<const NodeId> items) const {
    const graph::Random draw(options.seed, graph::Stream::dropout, 77);
    std::vector<HiddenParts> hidden(items.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      const double uniform = draw.uniform(static_cast<std::uint64_t>(items[i]));
      for (const auto& [part, share] : hiding) {
        if (uniform < share) hidden[i] |= HiddenParts{1} << part;
      }
    }
    return hidden;
  }

  void learn(Progress& progress);
  void tell_counting(Progress& progress) const;
  void tell_neighbours(Progress& progress) const;
  void tell_features(const graph::Csr& rows, Progress& progress) const;
  void tell_passes(double seconds, std::size_t num_rows, Progress& progress) const;
  void choose_settings(const ClassifierData& data, Progress& progress);
  void fit_folds(const ClassifierData& data, Progress& progress);
  void fit_posterior(const graph::Csr& rows,
                     std::span<const std::array<ValueWeights, TagNeighbours::kKinds>> near);
  /// Calls `use(item, probabilities)` for each item in its order.
  template <typename Use>
  void predict(std::span<const NodeId> items, Progress& progress, Use use) const;
  const LinearClassifier& classifier_for(NodeId item) const {
    return labels.labels.view().row_size(item) > 0 ? of_folds[at(fold(item))] : mean;
  }

  const Model& model;
  TagOptions options;
  const graph::Attribute& attribute;
  TagLabels labels;
  TagMarks marks;
  graph::Random folds;
  std::vector<NodeId> asked, learned;
  std::vector<std::pair<std::int64_t, double>> hiding;  ///< part and share of the known items
  TagVectors vectors;
  std::unique_ptr<TagNeighbours> neighbours;
  kernels::Download<float> vectors_copy;
  std::unique_ptr<TagFeatures> features;
  ClassifierOptions settings;
  std::vector<LinearClassifier> of_folds;
  LinearClassifier mean;
  std::optional<TagPosterior> posterior;
  TagReport report;
};

void Tagger::Impl::learn(Progress& progress) {
  find_differences();
  learned = sample_of(labels.known, kMostLearned, options.seed);
  const auto num_classes = static_cast<std::int64_t>(labels.values.size());
  tell_counting(progress);
  vectors = tag_vectors(model, attribute.name, options.seed);
  neighbours = std::make_unique<TagNeighbours>(model, vectors, labels.labels, learned);
  tell_neighbours(progress);
  const std::vector<HiddenParts> hidden = hidden_of(learned);
  features = std::make_unique<TagFeatures>(marks, vectors_copy(vectors.items, model.backend()),
                                           num_classes, learned, hidden,
                                           std::max(kFewestMarks, kMostWeights / num_classes));
  std::vector<std::array<ValueWeights, TagNeighbours::kKinds>> near;
  near = neighbours->values_near(learned);
  for (std::size_t i = 0; i < near.size(); ++i) {
    if ((hidden[i] >> kRowsHidden & 1) != 0) near[i] = {};
  }
  const graph::Csr rows = features->rows(learned, hidden, near);
  const graph::Csr own = graph::select_rows(labels.labels.view(), learned);
  const ClassifierData data{rows.view(), own.view()};
  settings.link = labels.link;
  settings.seed = options.seed;
  report.known = static_cast<std::int64_t>(labels.known.size());
  report.missing = static_cast<std::int64_t>(labels.missing.size());
  report.learned_from = static_cast<std::int64_t>(learned.size());
  report.values = num_classes;
  report.rare_values = labels.rare_values;
  report.rare_items = labels.rare_items;
  report.vectors = vectors.origin;
  tell_features(rows, progress);
  choose_settings(data, progress);
  fit_folds(data, progress);
  fit_posterior(rows, near);
}

void Tagger::Impl::tell_counting(Progress& progress) const {
  const Dataset& dataset = model.dataset();
  const std::int64_t log_rows =
      dataset.split.train.interactions.size() + dataset.split.validation.size();
  const std::int64_t pairs = std::min(kTagNeighbours * dataset.num_items(), 2 * log_rows);
  progress.note(fmt::format(
      "'{}' of {} items is learned from {} others: to count what is bought together takes at most "
      "about {} beside the data set and the model",
      printable(attribute.name), asked.size(), learned.size(),
      bytes_text(log_rows * kBytesPerRow + pairs * kBytesPerPair)));
}

/// By some of them, which are looked for twice.
void Tagger::Impl::tell_neighbours(Progress& progress) const {
  if (learned.size() < 2 * kTimedItems) return;
  const double start = omp_get_wtime();
  neighbours->values_near(std::span(learned).first(kTimedItems));
  const double each = (omp_get_wtime() - start) / static_cast<double>(kTimedItems);
  progress.note(fmt::format("neighbours of all these: about {:.0f} s",
                            std::ceil(each * static_cast<double>(learned.size() + asked.size()))));
}

void Tagger::Impl::tell_features(const graph::Csr& rows, Progress& progress) const {
  const std::int64_t classifiers =
      static_cast<std::int64_t>(sizeof(float)) * (kTagFolds + 1) * rows.num_cols * report.values;
  progress.note(fmt::format("{} values by {} features: {} for classifiers, {} for features",
                            report.values, rows.num_cols, bytes_text(classifiers),
                            bytes_text(static_cast<std::int64_t>(rows.columns.size()) * 8)));
}

/// By the first pass of the candidates over `num_rows` items.
void Tagger::Impl::tell_passes(double seconds, std::size_t num_rows, Progress& progress) const {
  const auto rounds = [](std::int64_t trainings) {
    const std::int64_t threads = omp_get_max_threads();
    return static_cast<double>((trainings + threads - 1) / threads);
  };
  const auto candidates = static_cast<std::int64_t>(kSettings.size());
  const double of_row = seconds / rounds(candidates) / static_cast<double>(num_rows);
  const double of_fold = of_row * static_cast<double>(learned.size()) *
                         static_cast<double>(kTagFolds - 1) / static_cast<double>(kTagFolds);
  progress.note(fmt::format(
      "classifiers: at most about {:.0f} s",
      std::ceil(static_cast<double>(kMostPasses) * (seconds + rounds(kTagFolds) * of_fold))));
}

void Tagger::Impl::choose_settings(const ClassifierData& data, Progress& progress) {
  std::vector<NodeId> all(learned.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<NodeId> train, held_out;
  for (const NodeId row : sample_of(all, kMostCompared, options.seed))
    (fold(learned[at(row)]) == 0 ? held_out : train).push_back(row);
  if (held_out.empty() || train.empty()) {  // a handful of items: the first settings, a few passes
    settings.learning_rate = kSettings[0].learning_rate;
    report.passes = kMostPasses / 2;
    return;
  }
  // Candidates side by side, pass by pass: within a batch there is too little to share among threads.
  struct Candidate {
    ClassifierOptions options;
    ClassifierTraining training;
    double loss = INFINITY;
    std::int64_t best_pass = 0;
  };
  std::vector<Candidate> candidates;
  for (const Settings& tried : kSettings) {
    ClassifierOptions with = settings;
    with.learning_rate = tried.learning_rate;
    with.l2 = tried.l2;
    candidates.push_back({with, ClassifierTraining(data, train, with)});
  }
  for (std::int64_t pass = 1; pass <= kMostPasses; ++pass) {
    const double start = omp_get_wtime();
    graph::parallel_for(
        static_cast<std::int64_t>(candidates.size()), 1, [&](const graph::Share& share) {
          for (const std::int64_t i : share) {
            Candidate& each = candidates[at(i)];
            if (pass > each.best_pass + kPatience) continue;
            each.training.pass();
            const double loss =
                mean_loss(each.training.classifier(), data, held_out, settings.link);
            if (loss >= each.loss) continue;
            each.loss = loss;
            each.best_pass = pass;
          }
        });
    if (pass == 1) tell_passes(omp_get_wtime() - start, train.size(), progress);
    progress.update(pass, kMostPasses, "passes to choose settings");
    stop_if_asked(progress);
  }
  const auto best =
      std::min_element(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.loss < b.loss; });
  settings = best->options;
  report.loss = best->loss;
  report.passes = best->best_pass;
  report.learning_rate = settings.learning_rate;
  report.l2 = settings.l2;
}

void Tagger::Impl::fit_folds(const ClassifierData& data, Progress& progress) {
  std::vector<ClassifierTraining> trainings;
  for (std::int64_t f = 0; f < kTagFolds; ++f) {
    std::vector<NodeId> train;
    for (std::size_t row = 0; row < learned.size(); ++row) {
      if (fold(learned[row]) != f) train.push_back(static_cast<NodeId>(row));
    }
    trainings.emplace_back(data, std::move(train), settings);
  }
  for (std::int64_t pass = 1; pass <= report.passes; ++pass) {
    graph::parallel_for(kTagFolds, 1, [&](const graph::Share& share) {
      for (const std::int64_t f : share) trainings[at(f)].pass();
    });
    progress.update(pass, report.passes, "passes of the folds");
    stop_if_asked(progress);
  }
  for (ClassifierTraining& training : trainings) of_folds.push_back(training.take());
  mean = of_folds.front();
  const auto average = [&](auto member) {
    std::vector<float>& sum = mean.*member;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      for (std::size_t f = 1; f < of_folds.size(); ++f) sum[i] += (of_folds[f].*member)[i];
      sum[i] /= static_cast<float>(kTagFolds);
    }
  };
  average(&LinearClassifier::weights);
  average(&LinearClassifier::bias);
}

void Tagger::Impl::fit_posterior(
    const graph::Csr& rows, std::span<const std::array<ValueWeights, TagNeighbours::kKinds>> near) {
  std::vector<NodeId> all(learned.size());
  std::iota(all.begin(), all.end(), 0);
  const std::vector<NodeId> chosen =
      sample_of(all, std::max<std::int64_t>(1, kMostLogits / report.values), options.seed);
  std::vector<TagEvidence> evidence(chosen.size());
  graph::parallel_for(static_cast<std::int64_t>(chosen.size()), 16, [&](const graph::Share& share) {
    for (const std::int64_t i : share) {
      const NodeId row = chosen[at(i)];
      TagEvidence& item = evidence[at(i)];
      item.logits.resize(at(report.values));
      of_folds[at(fold(learned[at(row)]))].logits(rows.view().row(row), rows.view().row_values(row),
                                                  item.logits);
      item.near = near[at(row)];
      const auto own = labels.labels.view().row(learned[at(row)]);
      item.labels.assign(own.begin(), own.end());
    }
  });
  posterior.emplace(labels.link, labels.prior);
  posterior->fit(evidence);
  std::vector<JudgedItem> judged(evidence.size());
  graph::parallel_for(
      static_cast<std::int64_t>(evidence.size()), 16, [&](const graph::Share& share) {
        for (const std::int64_t i : share) {
          judged[at(i)] = {posterior->probabilities(evidence[at(i)]), evidence[at(i)].labels};
          evidence[at(i)].logits = {};
        }
      });
  if (labels.link == TagLink::logistic) {
    posterior->calibrate(told_of(judged));
    for (JudgedItem& item : judged) {
      for (float& p : item.probabilities) p = posterior->calibrated(p);
    }
  }
  report.rule = choose_rule(labels.link, judged, labels.prior);
  report.quality = judge_tags(labels.link, judged, labels.prior, report.rule);
  report.weights = posterior->weights();
}

template <typename Use>
void Tagger::Impl::predict(std::span<const NodeId> items, Progress& progress, Use use) const {
  for (std::size_t first = 0; first < items.size(); first += at(kItemsAtOnce)) {
    const auto block = items.subspan(first, std::min(at(kItemsAtOnce), items.size() - first));
    const auto near = neighbours->values_near(block);
    const std::vector<HiddenParts> nothing(block.size());
    const graph::Csr rows = features->rows(block, nothing, near);
    std::vector<std::vector<float>> probabilities(block.size());
    const std::size_t at_once = std::max<std::size_t>(1, at(kMostLogits / report.values));
    for (std::size_t begin = 0; begin < block.size(); begin += at_once) {
      const std::size_t end = std::min(block.size(), begin + at_once);
      graph::parallel_for(
          static_cast<std::int64_t>(end - begin), 16, [&](const graph::Share& share) {
            for (const std::int64_t i : share) {
              const std::size_t place = begin + at(i);
              TagEvidence item;
              item.logits.resize(at(report.values));
              const auto row = static_cast<std::int64_t>(place);
              classifier_for(block[place])
                  .logits(rows.view().row(row), rows.view().row_values(row), item.logits);
              item.near = near[place];
              probabilities[place] = posterior->probabilities(item);
            }
          });
      for (std::size_t place = begin; place < end; ++place) {
        use(block[place], probabilities[place]);
        probabilities[place] = {};
      }
    }
    progress.update(static_cast<std::int64_t>(first + block.size()),
                    static_cast<std::int64_t>(items.size()), "items told");
    stop_if_asked(progress);
  }
}

Tagger::Tagger(const Model& model, const TagOptions& options, bool suspicious, Progress& progress)
    : impl_(std::make_unique<Impl>(model, options, suspicious, progress)) {}
Tagger::~Tagger() = default;
const TagReport& Tagger::report() const { return impl_->report; }
const graph::Attribute& Tagger::attribute() const { return impl_->attribute; }

std::vector<TagRow> Tagger::tags(Progress& progress) {
  Impl& my = *impl_;
  const TagLink link = my.labels.link;
  TagRule rule = my.report.rule;
  double threshold = my.options.threshold.value_or(link == TagLink::softmax ? kTagThreshold : 0.0);
  if (link == TagLink::logistic && my.options.threshold) rule = {0.0, threshold};
  std::vector<TagRow> rows;
  my.predict(my.asked, progress, [&](NodeId item, const std::vector<float>& p) {
    const auto best = std::max_element(p.begin(), p.end()) - p.begin();
    const NodeId likeliest = my.labels.values[at(best)];
    bool told = false;
    for (const NodeId value : told_values(link, p, my.labels.prior, rule)) {
      if (p[at(value)] < threshold) continue;
      rows.push_back({item, my.labels.values[at(value)], p[at(value)], likeliest});
      told = true;
    }
    ++(told ? my.report.told : my.report.not_known);
    if (!told) rows.push_back({item, graph::kNoNode, p[at(best)], likeliest});
  });
  my.report.rows = static_cast<std::int64_t>(rows.size());
  return rows;
}

std::vector<SuspiciousRow> Tagger::suspicious(Progress& progress) {
  Impl& my = *impl_;
  std::vector<NodeId> items;
  std::copy_if(my.asked.begin(), my.asked.end(), std::back_inserter(items),
               [&](NodeId item) { return my.labels.labels.view().row_size(item) > 0; });
  std::vector<SuspiciousRow> rows;
  my.predict(items, progress, [&](NodeId item, const std::vector<float>& p) {
    const auto own = my.labels.labels.view().row(item);
    NodeId other = graph::kNoNode;
    for (std::size_t c = 0; c < p.size(); ++c) {
      const auto value = static_cast<NodeId>(c);
      if (std::binary_search(own.begin(), own.end(), value)) continue;
      if (other == graph::kNoNode || p[c] > p[at(other)]) other = value;
    }
    if (other == graph::kNoNode || p[at(other)] < kSuspiciousOther) return;
    for (const NodeId value : own) {
      if (p[at(value)] <= kSuspiciousStored)
        rows.push_back({item, my.labels.values[at(value)], p[at(value)],
                        my.labels.values[at(other)], p[at(other)]});
    }
  });
  std::stable_sort(rows.begin(), rows.end(), [](const SuspiciousRow& a, const SuspiciousRow& b) {
    return static_cast<double>(a.probability) * b.stored_probability >
           static_cast<double>(b.probability) * a.stored_probability;
  });
  my.report.rows = static_cast<std::int64_t>(rows.size());
  return rows;
}

}  // namespace penchant::pipeline
