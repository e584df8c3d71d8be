// SPDX-License-Identifier: Apache-2.0
// draw_pairs on every backend: the same numbers, which plain loops over graph/random.h give.
#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/random.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

constexpr graph::Seed kSeed{77};

/// A source in host memory. The alias table is none of real weights: any thresholds and aliases
/// will do here.
struct Pairs {
  graph::Csr user_items;
  std::vector<double> thresholds;
  std::vector<NodeId> aliases, node_ids;
  std::vector<float> bias;

  Pairs(std::int64_t users, std::int64_t items, std::int64_t mean, bool maps_ids)
      : user_items(support::random_sets(users, items, mean, 5)) {
    const graph::Random random(kSeed, graph::Stream::generator);
    for (std::int64_t item = 0; item < items; ++item) {
      const auto place = static_cast<std::uint64_t>(3 * item);
      thresholds.push_back(item % 4 == 0 ? 1.0 : random.uniform(place));
      aliases.push_back(
          static_cast<NodeId>(random.below(place + 1, static_cast<std::uint64_t>(items))));
      bias.push_back(static_cast<float>(random.uniform(place + 2)));
    }
    if (!maps_ids) return;
    for (std::int64_t node = 0; node < users + items; ++node)
      node_ids.push_back(static_cast<NodeId>(10 * (users + items - node)));
  }
  PairSourceOptions options() const {
    return {user_items.view(), thresholds, aliases, node_ids, bias, kSeed};
  }
};

struct Drawn {
  std::vector<double> users, positives, negatives, positive_bias, negative_bias;
};

/// The contract of PairDraw, word for word.
Drawn expected(const Pairs& pairs, const PairDraw& draw) {
  const graph::CsrView view = pairs.user_items.view();
  const auto items = static_cast<std::uint64_t>(view.num_cols);
  const graph::Permutation order(kSeed, graph::Stream::shuffle, draw.epoch,
                                 static_cast<std::uint64_t>(view.num_entries()));
  const graph::Random random(kSeed, graph::Stream::negatives, draw.epoch);
  const auto negative_at = [&](std::uint64_t position) {
    const auto slot = static_cast<std::size_t>(random.below(position, items));
    const auto word = random.words(position);
    const double coin =
        (static_cast<double>(word[2]) + static_cast<double>(word[3]) / 4294967296.0) / 4294967296.0;
    return coin < pairs.thresholds[slot] ? static_cast<NodeId>(slot) : pairs.aliases[slot];
  };
  const auto user_id = [&](std::int64_t user) {
    return pairs.node_ids.empty() ? static_cast<NodeId>(user)
                                  : pairs.node_ids[static_cast<std::size_t>(user)];
  };
  const auto item_id = [&](NodeId item) {
    return pairs.node_ids.empty() ? item
                                  : pairs.node_ids[static_cast<std::size_t>(view.num_rows + item)];
  };
  Drawn drawn;
  const auto add_negative = [&](NodeId item) {
    drawn.negatives.push_back(item_id(item));
    drawn.negative_bias.push_back(pairs.bias[static_cast<std::size_t>(item)]);
  };
  for (std::int64_t b = 0; b < draw.users.size; ++b) {
    const auto position = static_cast<std::uint64_t>(draw.first_pair + b);
    auto pair = static_cast<std::int64_t>(order(position));
    std::int64_t user = 0;
    while (pair >= view.row_size(user)) pair -= view.row_size(user++);
    const std::span<const NodeId> own = view.row(user);
    const NodeId item = own[static_cast<std::size_t>(pair)];
    drawn.users.push_back(user_id(user));
    drawn.positives.push_back(item_id(item));
    drawn.positive_bias.push_back(pairs.bias[static_cast<std::size_t>(item)]);
    if (draw.kind == Negatives::shared) continue;
    NodeId negative = 0;
    for (std::uint64_t attempt = 0; attempt < 8; ++attempt) {
      negative = negative_at(8 * position + attempt);
      if (std::find(own.begin(), own.end(), negative) == own.end()) break;
    }
    add_negative(negative);
  }
  if (draw.kind == Negatives::shared) {
    for (std::int64_t m = 0; m < draw.negatives.size; ++m)
      add_negative(negative_at(static_cast<std::uint64_t>(draw.first_negative + m)));
  }
  return drawn;
}

class Sampling : public support::BackendTest {
 protected:
  void expect_agreement(const Pairs& pairs, Negatives kind, std::int64_t first, std::int64_t batch,
                        std::int64_t num_negatives, std::uint64_t epoch) {
    const std::int64_t negatives_size = kind == Negatives::own ? batch : num_negatives;
    const auto source = backend().pair_source(pairs.options());
    EXPECT_EQ(source->num_pairs(), pairs.user_items.view().num_entries());
    const Guarded<NodeId> users(backend(), 1, batch), positives(backend(), 1, batch);
    const Guarded<NodeId> negatives(backend(), 1, negatives_size);
    const Guarded<float> positive_bias(backend(), 1, batch);
    const Guarded<float> negative_bias(backend(), 1, negatives_size);
    const PairDraw draw{epoch,
                        first,
                        kind,
                        3 * first,
                        users.vector(),
                        positives.vector(),
                        negatives.vector(),
                        positive_bias.vector(),
                        negative_bias.vector()};
    backend().draw_pairs(*source, draw);
    const Drawn want = expected(pairs, draw);
    const auto expect_row = [&](const char* name, const auto& got,
                                const std::vector<double>& values) {
      const auto size = static_cast<std::int64_t>(values.size());
      ASSERT_EQ(got.dense().cols, size) << name;
      if (size == 0) return;
      EXPECT_TRUE(same_bits(got.dense(), Dense(1, size, values), origin(77))) << name;
    };
    expect_row("users", users, want.users);
    expect_row("positives", positives, want.positives);
    expect_row("negatives", negatives, want.negatives);
    expect_row("positive_bias", positive_bias, want.positive_bias);
    expect_row("negative_bias", negative_bias, want.negative_bias);
    EXPECT_TRUE(users.intact() && positives.intact() && negatives.intact());
    EXPECT_TRUE(positive_bias.intact() && negative_bias.intact());
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Sampling);

TEST_P(Sampling, AgreesWithPlainLoops) {
  struct Shape {
    std::int64_t users, items, mean;
  };
  // Users without items, with most of them, and more pairs than 2^16 (a wider permutation).
  for (const auto& [users, items, mean] :
       {Shape{40, 30, 3}, Shape{30, 9, 8}, Shape{900, 400, 80}}) {
    for (const bool maps_ids : {false, true}) {
      const Pairs pairs(users, items, mean, maps_ids);
      const std::int64_t all = pairs.user_items.view().num_entries();
      ASSERT_GT(all, 60);
      for (const Negatives kind : {Negatives::own, Negatives::shared}) {
        SCOPED_TRACE(testing::Message()
                     << users << " users, " << items << " items, own " << (kind == Negatives::own));
        expect_agreement(pairs, kind, 0, 33, 50, 0);
        expect_agreement(pairs, kind, all - 41, 41, 7, 3);
        expect_agreement(pairs, kind, 5, 0, 9, 1);
        expect_agreement(pairs, kind, 7, 1, 0, std::uint64_t{1} << 40);
      }
    }
  }
}

// With a million items the lower half of a slot's 64 bits decides some of 60,000 draws.
TEST_P(Sampling, AllBitsOfASlotCount) {
  const Pairs pairs(3, 1000003, 5, false);
  expect_agreement(pairs, Negatives::shared, 0, 2, 60000, 0);
}

TEST_P(Sampling, AnEpochIsEveryPairOnce) {
  const Pairs pairs(25, 20, 4, false);
  const std::int64_t all = pairs.user_items.view().num_entries();
  const auto source = backend().pair_source(pairs.options());
  const Guarded<NodeId> users(backend(), 1, all), positives(backend(), 1, all);
  const Guarded<NodeId> negatives(backend(), 1, all);
  PairDraw draw;
  draw.users = users.vector();
  draw.positives = positives.vector();
  draw.negatives = negatives.vector();
  backend().draw_pairs(*source, draw);
  std::set<std::pair<double, double>> drawn;
  const Dense user = users.dense();
  const Dense item = positives.dense();
  for (std::int64_t b = 0; b < all; ++b) drawn.emplace(user(0, b), item(0, b));
  EXPECT_EQ(static_cast<std::int64_t>(drawn.size()), all);
}

TEST_P(Sampling, RefusesWhatDoesNotFitTogether) {
  const Pairs pairs(10, 8, 3, true);
  PairSourceOptions wrong = pairs.options();
  wrong.thresholds = wrong.thresholds.first(7);
  EXPECT_THROW(backend().pair_source(wrong), InputError) << "thresholds";
  wrong = pairs.options();
  wrong.aliases = wrong.aliases.first(7);
  EXPECT_THROW(backend().pair_source(wrong), InputError) << "aliases";
  wrong = pairs.options();
  wrong.node_ids = wrong.node_ids.first(17);
  EXPECT_THROW(backend().pair_source(wrong), InputError) << "node_ids";
  wrong = pairs.options();
  wrong.item_bias = wrong.item_bias.first(7);
  EXPECT_THROW(backend().pair_source(wrong), InputError) << "item_bias";

  const auto source = backend().pair_source(pairs.options());
  const Guarded<NodeId> four(backend(), 1, 4), five(backend(), 1, 5);
  const Guarded<float> numbers(backend(), 1, 5);
  PairDraw good;
  good.users = good.positives = good.negatives = four.vector();
  EXPECT_NO_THROW(backend().draw_pairs(*source, good));
  const auto expect_refusal = [&](const char* what, auto change) {
    PairDraw draw = good;
    change(draw);
    EXPECT_THROW(backend().draw_pairs(*source, draw), InputError) << what;
  };
  expect_refusal("positives", [&](PairDraw& d) { d.positives = five.vector(); });
  expect_refusal("negatives", [&](PairDraw& d) { d.negatives = five.vector(); });
  expect_refusal("bias", [&](PairDraw& d) { d.positive_bias = numbers.vector(); });
  expect_refusal("beyond the last pair",
                 [&](PairDraw& d) { d.first_pair = source->num_pairs() - 3; });
  expect_refusal("before the first", [](PairDraw& d) { d.first_pair = -1; });
  expect_refusal("another device", [](PairDraw& d) {
    d.users.device = d.users.device == Device::cpu ? Device::cuda : Device::cpu;
  });
  wrong = pairs.options();
  wrong.item_bias = {};
  const auto without = backend().pair_source(wrong);
  PairDraw biased = good;
  biased.positive_bias = numbers.vector().sub(0, 4);
  EXPECT_THROW(backend().draw_pairs(*without, biased), InputError) << "no biases to write";
}

TEST_P(Sampling, NothingIsDrawnFromAnEmptyCatalogue) {
  const std::vector<graph::EdgeOffset> no_pairs = {0, 0};
  PairSourceOptions empty;
  empty.user_items = {1, 0, no_pairs, {}, {}};
  const auto source = backend().pair_source(empty);
  EXPECT_NO_THROW(backend().draw_pairs(*source, {}));
  const Guarded<NodeId> two(backend(), 1, 2);
  PairDraw draw;
  draw.kind = Negatives::shared;
  draw.negatives = two.vector();
  EXPECT_THROW(backend().draw_pairs(*source, draw), InputError);
}

class ForeignPairs final : public PairSource {
 public:
  std::int64_t num_pairs() const override { return 100; }
};

TEST_P(Sampling, RefusesPairsThatAnotherBackendPrepared) {
  EXPECT_THROW(backend().draw_pairs(ForeignPairs(), {}), InputError);
}

}  // namespace
}  // namespace penchant::kernels
