// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/private_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/vector_layout.h"
#include "pipeline/privacy/bounded_sum.h"
#include "pipeline/privacy/gaussian_accounting.h"
#include "pipeline/privacy/ledger.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Shares of mu^2, chosen once on Gowalla's validation rows (docs/privacy_differential.md) and the same
// for everybody: no data set's own rows have a say.
constexpr double kPopularityShare = 0.05;
constexpr double kHeadShare = 0.35;
constexpr double kAllShare = 0.60;

json mechanism(const char* name, std::int64_t rows, std::int64_t width, std::int64_t bound) {
  return {{"name", name},
          {"mechanism", "discrete Gaussian"},
          {"numbers", rows * width},
          {"sensitivity", 1.0},
          {"sigma", static_cast<double>(kNoiseUnits) / static_cast<double>(bound)},
          {"sensitivity_units", bound},
          {"sigma_units", kNoiseUnits},
          {"mu", mu_of_bound(bound)}};
}

/// What is guaranteed, and by what: for whoever has the model, and checks.
json privacy_json(const ReleaseOptions& options, const PrivateBudget& budget,
                  std::int64_t num_items, const std::string& release, const Ledger& ledger) {
  const std::int64_t width = budget.plan.width;
  json mechanisms = {mechanism("popularity", num_items, 1, budget.plan.popularity_bound)};
  for (const std::int64_t bound : budget.plan.head_bounds) {
    mechanisms.push_back(
        mechanism("head item vectors", std::min(budget.plan.head_items, num_items), width, bound));
  }
  mechanisms.push_back(mechanism("item vectors", num_items, width, budget.plan.all_bound));
  return {{"unit", "user, added or removed with all rows"},
          {"epsilon", options.epsilon},
          {"delta", options.delta},
          {"mu", budget.mu},
          {"accounted_epsilon", gaussian_epsilon(budget.mu, options.delta)},
          {"composition", "Gaussian: mu = sqrt(sum of mu^2), exact"},
          {"num_releases", mechanisms.size()},
          {"mechanisms", std::move(mechanisms)},
          {"max_rows_per_user", options.max_rows_per_user},
          {"noise", "getrandom; not of train.seed"},
          {"release", release},
          {"all_releases",
           {{"count", ledger.releases.size()},
            {"spent_epsilon", ledger.spent_epsilon()},
            {"budget_epsilon", ledger.epsilon},
            {"delta", ledger.delta}}}};
}

/// That nobody's rows had a say in the catalogue: the item table had a row for each item of the log,
/// and its values stand as they were, as ingest noted.
void require_public_catalogue(const Dataset& dataset) {
  if (dataset.directory.empty()) return;  // in memory, of tests
  const json manifest = read_manifest(dataset.directory, kDataArtifact);
  const json source = manifest.value("provenance", json::object());
  if (source.value("privacy", json::object()).contains("rare_values")) {
    throw InputError(fmt::format(
        "{}: was ingested with data.min_value_users, by which a user's rows decide which values of "
        "attributes there are; a private model needs it to be 0 or 1",
        dataset.directory.string()));
  }
  const auto without = source.find("items_without_row");
  if (without == source.end()) {
    throw InputError(fmt::format(
        "{}: a private model needs a catalogue that is public: an item table ([data.items]) with a "
        "row for every item; here items are known by the log alone, and that somebody had one is "
        "what must not be told",
        dataset.directory.string()));
  }
  if (const auto count = without->get<std::int64_t>(); count > 0) {
    throw InputError(fmt::format(
        "{}: {} item{} of the log {} no row in the item table, so that the catalogue is not "
        "public: "
        "complete the table, or leave such rows out (data.items.only_listed)",
        dataset.directory.string(), count, count == 1 ? "" : "s", count == 1 ? "has" : "have"));
  }
}

}  // namespace

PrivateBudget divide_budget(const ReleaseOptions& options, std::int64_t width) {
  const double mu = gaussian_mu(options.epsilon, options.delta);
  const auto bound_of_share = [&](double share) { return bound_of_mu(mu * std::sqrt(share)); };
  PrivateBudget budget;
  PrivateItemsPlan& plan = budget.plan;
  plan.width = width;
  plan.head_items = options.head_items;
  plan.item_power = options.item_power;
  plan.popularity_bound = bound_of_share(kPopularityShare);
  plan.head_bounds.assign(static_cast<std::size_t>(options.rounds),
                          bound_of_share(kHeadShare / static_cast<double>(options.rounds)));
  plan.all_bound = bound_of_share(kAllShare);
  std::vector<double> mus = {mu_of_bound(plan.popularity_bound), mu_of_bound(plan.all_bound)};
  for (const std::int64_t bound : plan.head_bounds) mus.push_back(mu_of_bound(bound));
  budget.mu = composed_mu(mus);
  PENCHANT_ASSERT(budget.mu <= mu * (1.0 + 1e-12));
  return budget;
}

void check_private_training(const Dataset& dataset, const TrainOptions& options) {
  const ReleaseOptions& privacy = options.privacy;
  check_bounds("privacy.epsilon", privacy.epsilon);
  check_bounds("privacy.delta", privacy.delta);
  check_bounds("privacy.total_epsilon", privacy.total_epsilon);
  check_bounds("privacy.max_rows_per_user", privacy.max_rows_per_user);
  check_bounds("privacy.head_items", privacy.head_items);
  check_bounds("privacy.rounds", privacy.rounds);
  check_bounds("privacy.item_power", privacy.item_power);
  if (!(privacy.epsilon > 0.0)) {
    throw InputError(fmt::format(
        "privacy.epsilon is {}, expected above 0: how much a private model may tell of a user has "
        "no default (--epsilon 4)",
        privacy.epsilon));
  }
  const double most = 1.0 / static_cast<double>(std::max<std::int64_t>(dataset.num_users(), 1));
  if (!(privacy.delta > 0.0 && privacy.delta < most)) {
    throw InputError(fmt::format(
        "privacy.delta is {}, expected above 0 and below 1 / {} users = {:.3g}: from there on a "
        "mechanism may publish one user as he is (--delta)",
        privacy.delta, dataset.num_users(), most));
  }
  require_public_catalogue(dataset);
}

void refuse_private(const TrainOptions& options, std::string_view who) {
  if (options.model.kind != models::ModelKind::private_items) return;
  throw InputError(fmt::format(
      "{}: a private model is made by `penchant train` alone: what is kept beside a model here "
      "(hashes of the data, evaluations) is not private, and each training may be a release",
      who));
}

void refuse_private_update() {
  throw InputError(
      "update: a private model is not trained on; `penchant train` makes a new release, which the "
      "ledger of its data set counts");
}

TrainReport train_private(const Dataset& dataset, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          kernels::Backend& backend, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  check_private_training(dataset, options);
  const ReleaseOptions& privacy = options.privacy;
  const PrivateBudget budget = divide_budget(privacy, options.model.embedding_dim);
  const fs::path ledger_path = ledger_file(dataset.directory);
  const LedgerEntry entry = {graph::random_name(),
                             time_now_text(),
                             fs::absolute(destination.path).lexically_normal().string(),
                             dataset.hash,
                             privacy.epsilon,
                             privacy.delta,
                             budget.mu};
  with_release(read_ledger(ledger_path), entry, privacy.total_epsilon, ledger_path);

  progress.begin("train");
  ArtifactWriter writer(destination, kModelArtifact);
  writer.clear();
  const graph::UserItemGraph graph =
      make_known_links(dataset, KnownPart::train_and_validation, GraphOptions{});
  const graph::Csr rows = bounded_rows(graph.user_items.view(), dataset.users, dataset.items,
                                       privacy.max_rows_per_user, options.seed);
  SystemRandom random;
  const PrivateItems items =
      make_private_items(rows.view(), dataset.items, by_raw_id(dataset.items), dataset.catalog,
                         budget.plan, options.seed, random, backend);

  const Ledger ledger = spend(ledger_path, entry, privacy.total_epsilon);
  write_file_atomically(writer.folder() / "config.toml", config_toml);
  write_file_atomically(writer.folder() / "metrics.jsonl", std::string_view());
  write_private_items(writer.folder(), items, dataset.items);
  VectorLayout layout;
  layout.embedding_dim = items.width;
  layout.popularity_column = true;
  writer.finish(
      {{"graph_options", graph_options_to_json(GraphOptions{})},
       {"model",
        {{"kind", enum_name(models::ModelKind::private_items)},
         {"embedding_dim", items.width},
         {"item_power", items.item_power}}},
       {"trained_on", "train+validation"},
       {"privacy", privacy_json(privacy, budget, dataset.num_items(), entry.release, ledger)},
       {"layout", layout.to_json()},
       {"seed", static_cast<std::uint64_t>(options.seed)},
       {"hash", hash_file(writer.folder() / kModelWeights)},
       {"device", backend.description()}});
  TrainReport report;
  report.chosen = fmt::format(
      "private: epsilon {:g}, delta {:g} for every user; {} releases of noise; of all releases of "
      "this "
      "data set epsilon {:.4g} of {:g} is spent",
      privacy.epsilon, privacy.delta, 2 + budget.plan.head_bounds.size(), ledger.spent_epsilon(),
      ledger.epsilon);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  progress.end(report.chosen);
  return report;
}

}  // namespace penchant::pipeline
