// SPDX-License-Identifier: Apache-2.0
// What was spent of the privacy of the people of a data set: X.data.privacy.json beside X.data, which
// outlives X.data being made anew. Two releases about the same people tell more than one; the ledger
// composes them and refuses what its budget does not cover.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace penchant::pipeline {

struct LedgerEntry {
  std::string release;    ///< a name that cannot be guessed, which the model bears as well
  std::string when;       ///< "2026-11-28T22:43:18Z"
  std::string model;      ///< the folder that it was for
  std::string data_hash;  ///< of the rows that it was made of
  double epsilon = 0.0, delta = 0.0;
  double mu = 0.0;  ///< of all its mechanisms together (gaussian_accounting.h)
};

struct Ledger {
  double epsilon = 0.0, delta = 0.0;  ///< of all releases together; 0: none was made yet
  std::vector<LedgerEntry> releases;

  double mu() const;             ///< spent
  double spent_epsilon() const;  ///< at its delta; 0: nothing
};

std::filesystem::path ledger_file(const std::filesystem::path& data_directory);

/// An empty one if there is no file. Throws InputError that names the file if it is damaged.
Ledger read_ledger(const std::filesystem::path& file);

/// The ledger with one more release, where its budget covers it; else throws InputError that names
/// `file`. `total_epsilon`: of all releases from now on; 0: as the ledger says, and the first release
/// allows its own epsilon.
Ledger with_release(Ledger ledger, const LedgerEntry& entry, double total_epsilon,
                    const std::filesystem::path& file);

/// Adds a release before anything of it is published, so that what is killed afterwards counts as
/// spent. The file is written whole or not at all, under a lock. Throws InputError if
/// the budget does not cover it, and then writes nothing.
Ledger spend(const std::filesystem::path& file, const LedgerEntry& entry, double total_epsilon);

}  // namespace penchant::pipeline
