// SPDX-License-Identifier: Apache-2.0
// people_bench DATA MODEL HISTORIES TARGETS: what a model's lists are worth to people by what they
// had. HISTORIES and TARGETS have a line a person, `id item item ...` as in LightGCN's files; items
// that the data set does not know are left out of histories and are misses in targets. Prints
// Recall@20 and NDCG@20 by the full score, by history_vectors, and by the mean of the items'
// vectors, which is what Penchant 0.1 had for such people; where all are users of the data set, also
// as that; and the time of one history. Figures: docs/decisions/0037-people-by-what-they-had.md.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <omp.h>

#include "kernels/transfer.h"
#include "pipeline/model/model.h"

namespace {

using namespace penchant;
using graph::NodeId;
using kernels::ConstFloatView;

constexpr std::int64_t kTile = 64;
constexpr std::int64_t kCutoff = 20;

std::map<std::string, std::vector<std::string>> read_lists(const char* path) {
  std::map<std::string, std::vector<std::string>> lists;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string id;
    if (!(words >> id)) continue;
    for (std::string item; words >> item;) lists[id].push_back(item);
  }
  return lists;
}

struct Person {
  std::vector<NodeId> history;
  std::vector<NodeId> targets;   ///< kNoNode where unknown
  NodeId user = graph::kNoNode;  ///< of the data set, if it has them
};

pipeline::Histories histories_of(const std::vector<Person>& people, std::size_t first,
                                 std::size_t last) {
  pipeline::Histories histories;
  for (std::size_t p = first; p < last; ++p) {
    histories.items.insert(histories.items.end(), people[p].history.begin(),
                           people[p].history.end());
    histories.offsets.push_back(static_cast<std::int64_t>(histories.items.size()));
  }
  return histories;
}

/// Mean of the items' vectors, 1 in the column of popularity.
kernels::FloatMatrix mean_vectors(const pipeline::Model& model, const pipeline::Histories& people) {
  const ConstFloatView items = model.items();
  const std::int64_t dim = model.layout().embedding_dim;
  kernels::FloatMatrix vectors = model.backend().matrix<float>(people.size(), items.cols);
  for (std::int64_t b = 0; b < people.size(); ++b) {
    double squares = 0.0, length = 0.0;
    std::vector<double> sum(static_cast<std::size_t>(dim), 0.0);
    for (const NodeId item : people.row(b)) {
      double own = 0.0;
      for (std::int64_t j = 0; j < dim; ++j) {
        const auto value = static_cast<double>(items(item, j));
        sum[static_cast<std::size_t>(j)] += value;
        own += value * value;
      }
      length += std::sqrt(own) / static_cast<double>(people.length(b));
    }
    for (const double value : sum) squares += value * value;
    for (std::int64_t j = 0; j < dim && squares > 0.0; ++j)
      vectors.view()(b, j) =
          static_cast<float>(sum[static_cast<std::size_t>(j)] * length / std::sqrt(squares));
    if (model.layout().popularity_column) vectors.view()(b, items.cols - 1) = 1.0F;
  }
  return vectors;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: people_bench DATA MODEL HISTORIES TARGETS\n";
    return 2;
  }
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, omp_get_max_threads()});
  const pipeline::Dataset data = pipeline::read_dataset(argv[1], pipeline::DatasetUse::lookup);
  const pipeline::Model model = pipeline::Model::open(argv[2], data, *backend);
  const auto histories = read_lists(argv[3]);
  const auto targets = read_lists(argv[4]);
  std::vector<Person> people;
  for (const auto& [id, items] : histories) {
    const auto wanted = targets.find(id);
    Person person;
    for (const std::string& item : items)
      if (const NodeId found = data.items.find(item); found != graph::kNoNode)
        person.history.push_back(found);
    if (person.history.empty() || wanted == targets.end()) continue;
    for (const std::string& item : wanted->second) person.targets.push_back(data.items.find(item));
    person.user = data.users.find(id);
    people.push_back(std::move(person));
  }
  std::cout << people.size() << " people\n";
  const bool masked = pipeline::leaves_out_seen(data, pipeline::SeenItems::automatic);

  const auto judge = [&](const char* name, const auto& scores_of) {
    double recall = 0.0, ndcg = 0.0;
    const auto started = std::chrono::steady_clock::now();
    for (std::size_t first = 0; first < people.size(); first += kTile) {
      const std::size_t last = std::min(people.size(), first + kTile);
      const pipeline::Histories some = histories_of(people, first, last);
      const kernels::FloatMatrix scores = scores_of(some, first);
      std::vector<graph::Entry> entries;
      for (std::int64_t b = 0; b < some.size() && masked; ++b)
        for (const NodeId item : some.row(b))
          entries.push_back({static_cast<NodeId>(b), item, 1.0F});
      graph::Csr seen = graph::csr_from_entries(some.size(), data.num_items(), entries);
      seen.values.clear();
      auto top = backend->matrix<NodeId>(some.size(), kCutoff);
      auto top_scores = backend->matrix<float>(some.size(), kCutoff);
      backend->topk_scores(ConstFloatView(scores.view()), seen.view(), top.view(),
                           top_scores.view());
      for (std::int64_t b = 0; b < some.size(); ++b) {
        const std::vector<NodeId>& wanted = people[first + static_cast<std::size_t>(b)].targets;
        double gain = 0.0, best = 0.0, hits = 0.0;
        for (std::int64_t k = 0; k < kCutoff; ++k) {
          const double share = 1.0 / std::log2(static_cast<double>(k) + 2.0);
          if (k < static_cast<std::int64_t>(wanted.size())) best += share;
          const NodeId item = top.view()(b, k);
          if (item == graph::kNoNode ||
              std::find(wanted.begin(), wanted.end(), item) == wanted.end())
            continue;
          hits += 1.0;
          gain += share;
        }
        recall += hits / static_cast<double>(wanted.size());
        ndcg += gain / best;
      }
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    const auto size = static_cast<double>(people.size());
    std::cout << name << " recall@20 " << recall / size << " ndcg@20 " << ndcg / size << " ("
              << seconds << " s)" << std::endl;
  };
  const auto by_vectors = [&](const kernels::FloatMatrix& vectors) {
    kernels::FloatMatrix scores = backend->matrix<float>(data.num_items(), vectors.rows());
    backend->gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, model.items(),
                  vectors.view(), 0.0F, scores.view());
    return scores;
  };
  if (model.has_scorer())
    judge("full",
          [&](const pipeline::Histories& some, std::size_t) { return model.history_scores(some); });
  judge("vectors", [&](const pipeline::Histories& some, std::size_t) {
    return by_vectors(model.history_vectors(some));
  });
  judge("mean", [&](const pipeline::Histories& some, std::size_t) {
    return by_vectors(mean_vectors(model, some));
  });
  const bool known = std::all_of(people.begin(), people.end(), [](const Person& person) {
    return person.user != graph::kNoNode;
  });
  const auto users_of = [&](const pipeline::Histories& some, std::size_t first) {
    std::vector<NodeId> users;
    for (std::size_t p = first; p < first + static_cast<std::size_t>(some.size()); ++p)
      users.push_back(people[p].user);
    return users;
  };
  if (known && model.has_scorer()) {
    judge("as users, full", [&](const pipeline::Histories& some, std::size_t first) {
      const std::vector<NodeId> users = users_of(some, first);
      kernels::FloatMatrix scores = backend->matrix<float>(data.num_items(), some.size());
      model.scorer()->score({users.data(), some.size(), kernels::Device::cpu}, *backend,
                            scores.view());
      return scores;
    });
  }
  if (known) {
    judge("as users, vectors", [&](const pipeline::Histories& some, std::size_t first) {
      const std::vector<NodeId> users = users_of(some, first);
      kernels::FloatMatrix vectors = backend->matrix<float>(some.size(), model.items().cols);
      backend->gather_rows(model.users(), {users.data(), some.size(), kernels::Device::cpu},
                           vectors.view());
      return by_vectors(vectors);
    });
  }
  for (const bool full : {true, false}) {
    if (full && !model.has_scorer()) continue;
    const pipeline::Histories one = histories_of(people, 0, 1);
    std::vector<double> times;
    for (int run = 0; run < 11; ++run) {
      const auto started = std::chrono::steady_clock::now();
      if (full)
        model.history_scores(one);
      else
        model.history_vectors(one);
      times.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started)
              .count());
    }
    std::sort(times.begin(), times.end());
    std::cout << (full ? "full" : "vectors") << " of one person: " << times[times.size() / 2]
              << " ms\n";
  }
  return 0;
}
