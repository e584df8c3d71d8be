// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/ledger.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/privacy/gaussian_accounting.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kLedgerFormat = 1;

double positive(const json& stored, const char* key) {
  const auto value = stored.at(key).get<double>();
  if (!(value > 0.0 && value < 1e300))
    throw InputError(fmt::format("damaged: {} is {}, expected a number above 0", key, value));
  return value;
}

json to_json(const Ledger& ledger) {
  json releases = json::array();
  for (const LedgerEntry& entry : ledger.releases) {
    releases.push_back({{"release", entry.release},
                        {"when", entry.when},
                        {"model", entry.model},
                        {"data_hash", entry.data_hash},
                        {"epsilon", entry.epsilon},
                        {"delta", entry.delta},
                        {"mu", entry.mu}});
  }
  return {{"format_version", kLedgerFormat},
          {"budget", {{"epsilon", ledger.epsilon}, {"delta", ledger.delta}}},
          {"spent",
           {{"epsilon", ledger.spent_epsilon()}, {"delta", ledger.delta}, {"mu", ledger.mu()}}},
          {"releases", std::move(releases)}};
}

/// Held until the ledger is written: two releases at once each see what the other spent.
graph::Descriptor locked(const fs::path& file) {
  const std::string name = file.string() + ".lock";
  constexpr mode_t kOwnerOnly = 0600;
  graph::Descriptor descriptor(
      ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly));
  if (!descriptor.valid())
    throw InputError(
        fmt::format("{}: cannot open it: {}", name, std::generic_category().message(errno)));
  if (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0)
    throw InputError(fmt::format("{}: another release of the same data set is being made", name));
  return descriptor;
}

}  // namespace

double Ledger::mu() const {
  std::vector<double> mus;
  for (const LedgerEntry& entry : releases) mus.push_back(entry.mu);
  return composed_mu(mus);
}

double Ledger::spent_epsilon() const {
  return releases.empty() ? 0.0 : gaussian_epsilon(mu(), delta);
}

fs::path ledger_file(const fs::path& data_directory) {
  fs::path folder = fs::absolute(data_directory).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  return folder.parent_path() / (folder.filename().string() + ".privacy.json");
}

Ledger read_ledger(const fs::path& file) {
  Ledger ledger;
  if (!fs::exists(fs::symlink_status(file))) return ledger;
  const json stored = read_json_file(file);
  take_values(file, [&] {
    if (stored.at("format_version").get<int>() != kLedgerFormat)
      throw InputError("is of another format version, expected 1");
    ledger.epsilon = positive(stored.at("budget"), "epsilon");
    ledger.delta = positive(stored.at("budget"), "delta");
    for (const json& entry : stored.at("releases")) {
      ledger.releases.push_back(
          {entry.at("release").get<std::string>(), entry.at("when").get<std::string>(),
           entry.at("model").get<std::string>(), entry.at("data_hash").get<std::string>(),
           positive(entry, "epsilon"), positive(entry, "delta"), positive(entry, "mu")});
    }
    if (ledger.delta >= 1.0 || ledger.releases.empty())
      throw InputError("damaged: expected a delta below 1 and at least one release");
  });
  return ledger;
}

Ledger with_release(Ledger ledger, const LedgerEntry& entry, double total_epsilon,
                    const fs::path& file) {
  const double before = ledger.spent_epsilon();
  if (ledger.releases.empty()) {
    ledger.epsilon = entry.epsilon;
    ledger.delta = entry.delta;
  }
  if (total_epsilon > 0.0) ledger.epsilon = total_epsilon;
  ledger.releases.push_back(entry);
  // Bounds are whole numbers, so that a first release stays below its own epsilon; this is for the
  // last digit of the sums.
  constexpr double kRounding = 1.0 + 1e-9;
  if (ledger.spent_epsilon() > ledger.epsilon * kRounding) {
    throw InputError(fmt::format(
        "{}: the privacy budget of this data set is epsilon {:g} at delta {:g}; {} release{} spent "
        "{:.4g} of it, and with epsilon {:g} more it would be {:.4g}; nothing is published "
        "(privacy.total_epsilon raises the budget, and what is promised to people falls)",
        file.string(), ledger.epsilon, ledger.delta, ledger.releases.size() - 1,
        ledger.releases.size() == 2 ? "" : "s", before, entry.epsilon, ledger.spent_epsilon()));
  }
  return ledger;
}

Ledger spend(const fs::path& file, const LedgerEntry& entry, double total_epsilon) {
  const graph::Descriptor lock = locked(file);
  Ledger ledger = with_release(read_ledger(file), entry, total_epsilon, file);
  write_file_atomically(file, to_json(ledger).dump(2) + "\n");
  return ledger;
}

}  // namespace penchant::pipeline
