// SPDX-License-Identifier: Apache-2.0
// What is known of a user and a set of items before a cut, as numbers for a regression. They mean
// the same for every set and at every cut, so that what is learned from many sets at an earlier cut
// answers for one set now (docs/audience.md).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "graph/ids.h"
#include "pipeline/audience/behaviour.h"
#include "pipeline/audience/item_sets.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// The columns of the tables of features.
inline constexpr std::size_t kNumUserFeatures = 2;
inline constexpr std::size_t kNumFeatures = kNumUserFeatures + 6;

/// How much a user did lately: the log of rows that lose half their weight in 1.5 periods, and of
/// those of the last period. Of data without times the first counts all rows, the second none.
void write_user_features(const Behaviour& behaviour, graph::NodeId user, std::span<float> to);

/// What users have is counted by: the values of categorical and list attributes and the items that
/// the most users have.
struct CountedColumns {
  std::int64_t num_columns = 0;
  graph::Csr of_items;  ///< [I x columns]
};
CountedColumns counted_columns(const Dataset& dataset, const Behaviour& behaviour,
                               const std::vector<std::int64_t>& owners);

/// Users of each item, [I].
std::vector<std::int64_t> owners_of_items(const Behaviour& behaviour, std::int64_t num_items);

/// log(1 + rows) of each column that a user has rows in.
struct ColumnCounts {
  std::vector<graph::NodeId> columns;
  std::vector<float> logs;
};

/// A user's counts, of the rows that `counts(item)` holds for. Not for several threads at once.
class ColumnCounter {
 public:
  ColumnCounter(const Behaviour& behaviour, const CountedColumns& columns)
      : behaviour_(behaviour), columns_(columns), rows_(graph::at(columns.num_columns), 0) {}
  template <typename Counts>
  const ColumnCounts& of(graph::NodeId user, Counts counts) {
    found_.columns.clear();
    const graph::CsrView of_items = columns_.of_items.view();
    behaviour_.for_each_row(user, [&](graph::NodeId item, std::int64_t, std::int32_t) {
      if (!counts(item)) return;
      for (const graph::NodeId column : of_items.row(item)) {
        if (rows_[graph::at(column)]++ == 0) found_.columns.push_back(column);
      }
    });
    take_logs();
    return found_;
  }

 private:
  void take_logs();

  const Behaviour& behaviour_;
  const CountedColumns& columns_;
  std::vector<std::int32_t> rows_;
  ColumnCounts found_;
};

/// Ridge regression on column counts, kept as its normal equations:
///   w = (sum_u x_u x_u' + lambda I)^-1 sum_u x_u y_u
/// For a set as target this is one column of EASE (Steck 2019, "Embarrassingly shallow autoencoders
/// for sparse data"), whose own items are left out of x.
class ColumnRidge {
 public:
  explicit ColumnRidge(std::int64_t num_columns)
      : gram_(graph::at(num_columns * num_columns), 0.0), target_(graph::at(num_columns), 0.0) {}
  void add(const ColumnCounts& counts, double target);
  std::vector<float> solve();

 private:
  std::vector<double> gram_, target_;
};
double predict(const ColumnCounts& counts, const std::vector<float>& weights);

/// What all sets share at one cut. Everything must outlive it.
struct FeatureSource {
  const Dataset& dataset;
  const Behaviour& behaviour;
  const CountedColumns& columns;
  std::span<const graph::NodeId> learners;  ///< users that the ridge learns from
};

/// The features of one set. What is made of the set takes a pass over all rows.
class SetFeatures {
 public:
  SetFeatures(const ItemSet& set, const FeatureSource& source);
  /// Whether a user has an item of the set.
  bool has(graph::NodeId user) const;
  /// [kNumFeatures - kNumUserFeatures] behind those of the user. Not for several threads at once:
  /// each takes a copy(), which shares what was made of the set.
  void write(graph::NodeId user, std::span<float> to);
  SetFeatures copy() const { return SetFeatures(source_, made_); }

  /// Bytes that one set takes.
  static std::int64_t memory(std::int64_t num_items, std::int64_t num_columns);

 private:
  struct Made;
  SetFeatures(const FeatureSource& source, std::shared_ptr<const Made> made);

  FeatureSource source_;
  std::shared_ptr<const Made> made_;
  ColumnCounter counter_;
};

/// Names of the features, for the report.
std::span<const char* const> feature_names();

}  // namespace penchant::pipeline
