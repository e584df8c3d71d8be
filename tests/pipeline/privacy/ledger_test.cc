// SPDX-License-Identifier: Apache-2.0
#include "pipeline/privacy/ledger.h"

#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/privacy/gaussian_accounting.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::TemporaryFolder;
using penchant::testing::write_text;
using ::testing::HasSubstr;

class PrivacyLedger : public ::testing::Test {
 protected:
  static LedgerEntry entry(double epsilon, double delta = 1e-6) {
    return {"r",   "2026-12-01T00:00:00Z",     "shop.model", "0123", epsilon,
            delta, gaussian_mu(epsilon, delta)};
  }
  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "shop.data.privacy.json";
};

TEST_F(PrivacyLedger, StandsBesideTheDataSet) {
  EXPECT_EQ(ledger_file(folder_.path() / "shop.data"), file_);
  EXPECT_EQ(ledger_file(folder_.path() / "shop.data" / ""), file_);
}

TEST_F(PrivacyLedger, TheFirstReleaseSpendsItsOwnBudget) {
  spend(file_, entry(4.0), 0.0);
  const Ledger ledger = read_ledger(file_);
  ASSERT_EQ(ledger.releases.size(), 1U);
  EXPECT_EQ(ledger.epsilon, 4.0);
  EXPECT_NEAR(ledger.spent_epsilon(), 4.0, 1e-9);
}

TEST_F(PrivacyLedger, ASecondReleaseThatIsNotCoveredIsRefusedAndNotWritten) {
  spend(file_, entry(4.0), 0.0);
  const std::string before = read_text(file_);
  EXPECT_THAT(input_error_of([&] { spend(file_, entry(1.0), 0.0); }),
              HasSubstr("nothing is published"));
  EXPECT_EQ(read_text(file_), before);
}

TEST_F(PrivacyLedger, ReleasesComposeByTheRootOfTheSumOfSquares) {
  spend(file_, entry(1.0), 4.0);
  const Ledger ledger = spend(file_, entry(2.0), 0.0);
  const double mu = std::hypot(gaussian_mu(1.0, 1e-6), gaussian_mu(2.0, 1e-6));
  EXPECT_NEAR(ledger.spent_epsilon(), gaussian_epsilon(mu, 1e-6), 1e-9);
  EXPECT_LT(ledger.spent_epsilon(), 3.0);  // less than their sum
  EXPECT_EQ(ledger.epsilon, 4.0);
}

TEST_F(PrivacyLedger, ABudgetThatIsRaisedCoversMore) {
  spend(file_, entry(4.0), 0.0);
  EXPECT_NO_THROW(spend(file_, entry(4.0), 8.0));
  EXPECT_THROW(spend(file_, entry(0.1), 1.0), InputError);  // lowered below what is spent
}

TEST_F(PrivacyLedger, ADamagedOneIsRefused) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"format_version":2})",
        R"({"format_version":1,"budget":{"epsilon":-1,"delta":1e-6},"releases":[]})",
        R"({"format_version":1,"budget":{"epsilon":1,"delta":1e-6},"releases":[]})"}) {
    write_text(file_, text);
    EXPECT_THAT(input_error_of([&] { spend(file_, entry(1.0), 0.0); }),
                HasSubstr(file_.filename().string()))
        << text;
    EXPECT_EQ(read_text(file_), text);
  }
}

TEST_F(PrivacyLedger, AFolderInItsPlaceIsRefused) {
  std::filesystem::create_directory(file_);
  EXPECT_THROW(spend(file_, entry(1.0), 0.0), InputError);
}

}  // namespace
}  // namespace penchant::pipeline
