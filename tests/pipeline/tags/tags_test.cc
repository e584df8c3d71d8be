// SPDX-License-Identifier: Apache-2.0
// Hidden categories of a small shop are told again, what was planted wrong is found, an item's own
// value does not speak for it, and what cannot be told is refused.
#include "pipeline/tags/tags.h"

#include <omp.h>

#include <cmath>
#include <map>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/tags/tag_labels.h"
#include "pipeline/tags/tag_neighbours.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;
using penchant::testing::input_error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

class TagsTest : public penchant::testing::SmallShopTest {
 protected:
  void SetUp() override {
    train(recipe(), "shop.model");
    changed_ = read_dataset(data_path());
  }
  Attribute& category() { return changed_.catalog.attributes.front(); }
  /// Gives items other values, none for kNoNode.
  void set_values(const std::map<NodeId, NodeId>& values) {
    Attribute& attribute = category();
    graph::Csr next{attribute.item_values.num_rows, attribute.item_values.num_cols, {0}, {}, {}};
    for (std::int64_t item = 0; item < next.num_rows; ++item) {
      const auto found = values.find(static_cast<NodeId>(item));
      const auto own = attribute.item_values.view().row(item);
      if (found == values.end())
        next.columns.insert(next.columns.end(), own.begin(), own.end());
      else if (found->second != graph::kNoNode)
        next.columns.push_back(found->second);
      next.offsets.push_back(static_cast<std::int64_t>(next.columns.size()));
    }
    attribute.item_values = std::move(next);
  }
  /// Takes the category from every `step`-th item that was sold and has one; what they had.
  std::map<NodeId, NodeId> hide(std::int64_t step) {
    std::map<NodeId, NodeId> had, hidden;
    for (NodeId item = 0; item < changed_.num_items(); item += static_cast<NodeId>(step)) {
      const auto own = category().item_values.view().row(item);
      if (own.empty() || changed_.item_statistics.count[graph::at(item)] == 0) continue;
      had[item] = own.front();
      hidden[item] = graph::kNoNode;
    }
    set_values(hidden);
    return had;
  }
  Model model() { return Model::open(at_model_, changed_, backend()); }
  std::string refusal(const TagOptions& options, bool suspicious = false) {
    const Model opened = model();
    return input_error_of([&] { Tagger(opened, options, suspicious, silent_progress()); });
  }

  std::filesystem::path at_model_ = at("shop.model");
  Dataset changed_;
};

TagOptions of_category() {
  TagOptions options;
  options.attribute = "category";
  options.threshold = 0.0;
  return options;
}

TEST_F(TagsTest, HiddenCategoriesAreToldFromRowsAlone) {
  const auto had = hide(5);
  ASSERT_GT(had.size(), 12U);
  const Model opened = model();
  EXPECT_TRUE(has_seen(opened, "category"));
  Tagger tagger(opened, of_category(), false, silent_progress());
  EXPECT_EQ(tagger.report().vectors, "rows");
  std::size_t right = 0, asked = 0;
  for (const TagRow& row : tagger.tags(silent_progress())) {
    EXPECT_GE(row.probability, 0.0F);
    EXPECT_LE(row.probability, 1.0F);
    if (!had.contains(row.item)) continue;
    ++asked;
    right += row.value == had.at(row.item) ? 1 : 0;
  }
  EXPECT_EQ(asked, had.size());
  // Nine items of each of ten categories: chance is a tenth.
  EXPECT_GE(right * 10, asked * 6) << right << " of " << asked;
  EXPECT_GT(tagger.report().quality.accuracy, 0.5);
}

TEST_F(TagsTest, AModelThatHasNotSeenTheAttributeLendsItsVectors) {
  hide(5);
  GraphOptions without;
  without.item.all_attributes = false;
  const Graphs graphs = make_graphs(dataset().split.train, dataset(), without);
  pipeline::train(dataset(), graphs, recipe(), "", at("unseen.model"), backend(),
                  silent_progress());
  at_model_ = at("unseen.model");
  const Model opened = model();
  EXPECT_FALSE(has_seen(opened, "category"));
  const Tagger tagger(opened, of_category(), false, silent_progress());
  EXPECT_EQ(tagger.report().vectors, "model");
  EXPECT_GT(tagger.report().quality.accuracy, 0.5);
}

TEST_F(TagsTest, TheSameBitsAtAnyNumberOfThreads) {
  hide(5);
  const Model opened = model();
  const int threads = omp_get_max_threads();
  std::vector<TagRow> rows[2];
  for (const int count : {1, 3}) {
    omp_set_num_threads(count);
    rows[count / 3] =
        Tagger(opened, of_category(), false, silent_progress()).tags(silent_progress());
  }
  omp_set_num_threads(threads);
  ASSERT_EQ(rows[0].size(), rows[1].size());
  for (std::size_t i = 0; i < rows[0].size(); ++i) {
    EXPECT_EQ(rows[0][i].value, rows[1][i].value);
    EXPECT_EQ(rows[0][i].probability, rows[1][i].probability);
  }
}

TEST_F(TagsTest, AnItemsOwnValueDoesNotSpeakForIt) {
  // What is told of an item that has a value must not depend on that value but through what others
  // learn from it; here nothing does: it alone is given another one, and the fold it is in is not
  // learned from when it is told.
  TagOptions options = of_category();
  const NodeId item = 7;
  options.items = std::vector<NodeId>{item};
  const Model opened = model();
  const NodeId own = category().item_values.view().row(item).front();
  const TagRow honest =
      Tagger(opened, options, false, silent_progress()).tags(silent_progress())[0];
  set_values({{item, own == 0 ? 1 : 0}});
  const TagRow wrong = Tagger(opened, options, false, silent_progress()).tags(silent_progress())[0];
  EXPECT_EQ(honest.likeliest, wrong.likeliest);
  EXPECT_NEAR(honest.probability, wrong.probability, 0.25);
}

TEST_F(TagsTest, WhatWasPlantedWrongIsTheMostSuspicious) {
  // A text that says the category plainly makes the classifier sure.
  Attribute name;
  name.name = "name";
  name.kind = AttributeKind::text;
  for (NodeId item = 0; item < changed_.num_items(); ++item) {
    const auto own = category().item_values.view().row(item);
    name.texts.push_back(own.empty() ? "" : fmt::format("kind {}", category().values.raw(own[0])));
  }
  changed_.catalog.attributes.push_back(std::move(name));
  const NodeId planted = 11;
  const NodeId own = category().item_values.view().row(planted).front();
  const NodeId other = own == 3 ? 4 : 3;
  set_values({{planted, other}});
  const Model opened = model();
  TagOptions options;
  options.attribute = "category";
  Tagger tagger(opened, options, true, silent_progress());
  const auto rows = tagger.suspicious(silent_progress());
  ASSERT_FALSE(rows.empty()) << "accuracy " << tagger.report().quality.accuracy;
  EXPECT_EQ(rows[0].item, planted);
  EXPECT_EQ(rows[0].stored, other);
  EXPECT_EQ(rows[0].likeliest, own);
  EXPECT_LE(rows[0].stored_probability, kSuspiciousStored);
  EXPECT_GE(rows[0].probability, kSuspiciousOther);
}

TEST_F(TagsTest, BelowTheThresholdNothingIsTold) {
  hide(5);
  const Model opened = model();
  TagOptions options = of_category();
  options.threshold = 1.0;
  Tagger tagger(opened, options, false, silent_progress());
  for (const TagRow& row : tagger.tags(silent_progress())) {
    EXPECT_TRUE(row.value == graph::kNoNode || row.probability >= 1.0F);
    EXPECT_NE(row.likeliest, graph::kNoNode);
  }
  EXPECT_EQ(tagger.report().told + tagger.report().not_known, tagger.report().rows);
}

TEST_F(TagsTest, ValuesOfTooFewItemsAreCountedAndNeverTold) {
  set_values({{0, 0}, {1, 1}});
  const NodeId rare = category().values.intern("rare");
  category().item_values.num_cols = category().values.size();
  set_values({{4, rare}});
  hide(5);
  const Model opened = model();
  Tagger tagger(opened, of_category(), false, silent_progress());
  EXPECT_EQ(tagger.report().rare_values, 1);
  EXPECT_EQ(tagger.report().rare_items, 1);
  for (const TagRow& row : tagger.tags(silent_progress())) EXPECT_NE(row.value, rare);
}

TEST_F(TagsTest, AListIsToldValueByValue) {
  category().kind = AttributeKind::list;
  const auto had = hide(5);
  const Model opened = model();
  TagOptions options;
  options.attribute = "category";
  Tagger tagger(opened, options, false, silent_progress());
  std::size_t right = 0;
  for (const TagRow& row : tagger.tags(silent_progress()))
    right += had.contains(row.item) && had.at(row.item) == row.value ? 1 : 0;
  EXPECT_GE(right * 2, had.size());
}

TEST_F(TagsTest, WhatCannotBeToldIsRefusedWithTheReason) {
  TagOptions options = of_category();
  hide(5);
  options.attribute = "categori";
  EXPECT_THAT(refusal(options),
              AllOf(HasSubstr("no attribute 'categori'"), HasSubstr("did you mean 'category'?")));
  options = of_category();
  for (const double threshold : {-0.1, 1.5, std::nan("")}) {
    options.threshold = threshold;
    EXPECT_THAT(refusal(options), HasSubstr("expected 0 to 1"));
  }
  options = of_category();
  options.min_support = 0;
  EXPECT_THAT(refusal(options), HasSubstr("--min-support is 0, expected 1 or more"));
  options.min_support = 1000;
  EXPECT_THAT(refusal(options),
              AllOf(HasSubstr("--min-support is 1000: 0 of the"), HasSubstr("known items")));
  options = of_category();
  options.items = std::vector<NodeId>{};
  EXPECT_THAT(refusal(options), HasSubstr("no item is asked for"));
}

TEST_F(TagsTest, AnAttributeOfOneValueOrOfNoneIsRefused) {
  std::map<NodeId, NodeId> same, none;
  for (NodeId item = 0; item < changed_.num_items(); ++item) {
    same[item] = item % 5 == 0 ? graph::kNoNode : 0;
    none[item] = graph::kNoNode;
  }
  set_values(same);
  EXPECT_THAT(refusal(of_category()),
              AllOf(HasSubstr("have the same"), HasSubstr("expected two values")));
  set_values(none);
  EXPECT_THAT(refusal(of_category()), HasSubstr("no item has a value of 'category'"));
}

TEST_F(TagsTest, WhereNothingIsMissingOnlySuspiciousOnesAreLookedFor) {
  std::map<NodeId, NodeId> whole;
  for (NodeId item = 0; item < changed_.num_items(); ++item) {
    if (category().item_values.view().row_size(item) == 0) whole[item] = 0;
  }
  set_values(whole);
  EXPECT_THAT(refusal(of_category()),
              AllOf(HasSubstr("nothing is missing"), HasSubstr("--suspicious")));
  const Model opened = model();
  TagOptions options;
  options.attribute = "category";
  EXPECT_NO_THROW(Tagger(opened, options, true, silent_progress()));
}

TEST_F(TagsTest, NumbersAndTextsAreRefused) {
  hide(5);
  for (const auto& [kind, word] :
       {std::pair(AttributeKind::numeric, "numeric"), std::pair(AttributeKind::text, "text")}) {
    category().kind = kind;
    category().numbers.assign(graph::at(changed_.num_items()), 1.0F);
    category().texts.assign(graph::at(changed_.num_items()), "x");
    EXPECT_THAT(refusal(of_category()),
                AllOf(HasSubstr(fmt::format("is {}", word)),
                      HasSubstr("expected a categorical or list attribute")));
  }
}

}  // namespace
}  // namespace penchant::pipeline
