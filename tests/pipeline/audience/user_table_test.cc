// SPDX-License-Identifier: Apache-2.0
// Tables of users: kinds of columns, people who are in one or not, and what is refused.
#include "pipeline/audience/user_table.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/data/where.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::TemporaryFolder;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

class UserTables : public ::testing::Test {
 protected:
  UserTables() {
    for (const char* user : {"u0", "u1", "u2", "u3"}) users_.intern(user);
  }
  UserTable read(const std::string& text, const std::string& key = "id") {
    write_text(path(), text);
    return read_user_table(path(), key, users_);
  }
  std::filesystem::path path() const { return folder_.path() / "users.csv"; }
  std::vector<std::uint8_t> holds(const UserTable& table, const char* where) {
    return where_holds(table.attributes, where, {"--where-users", "user", "users"});
  }

  graph::Dictionary users_;
  TemporaryFolder folder_;
};

TEST_F(UserTables, AreReadByUserWhateverTheirOrder) {
  const UserTable table =
      read("income,id,age\n50-74K,u2,31\n35-49K,u0,62\n,u1,\n50-74K,stranger,20\n");
  EXPECT_EQ(table.num_rows, 4);
  EXPECT_EQ(table.num_unknown, 1);
  EXPECT_EQ(table.is_in, (std::vector<std::uint8_t>{1, 1, 1, 0}));
  EXPECT_EQ(holds(table, "income = \"50-74K\""), (std::vector<std::uint8_t>{0, 0, 1, 0}));
  EXPECT_EQ(holds(table, "not income = \"50-74K\""), (std::vector<std::uint8_t>{1, 1, 0, 1}));
  EXPECT_EQ(holds(table, "age < 60"), (std::vector<std::uint8_t>{0, 0, 1, 0})) << "numbers";
}

TEST_F(UserTables, AColumnWithOneTextIsNoColumnOfNumbers) {
  const UserTable table = read("id,age\nu0,31\nu1,65+\n");
  EXPECT_THAT(input_error_of([&] { holds(table, "age < 60"); }),
              AllOf(HasSubstr("--where-users, column 5"), HasSubstr("age holds none")));
  EXPECT_EQ(holds(table, "age = 65+"), (std::vector<std::uint8_t>{0, 1, 0, 0}));
}

TEST_F(UserTables, AreRefusedWithThePlace) {
  EXPECT_THAT(
      input_error_of([&] { read("id,age\nu0,31\n", "user"); }),
      AllOf(HasSubstr("users.csv"), HasSubstr("'user'"), HasSubstr("id"), HasSubstr("age")));
  EXPECT_THAT(input_error_of([&] { read("id,age\nu0,31\nu1,4\nu0,31\n"); }),
              AllOf(HasSubstr("users.csv:4"), HasSubstr("'u0'")));
  EXPECT_THAT(input_error_of([&] { read("id,age\nu0\n"); }), HasSubstr("users.csv:2"));
  const UserTable table = read("id,income\nu0,high\n");
  EXPECT_THAT(input_error_of([&] { holds(table, "incom = high"); }),
              AllOf(HasSubstr("--where-users, column 1"), HasSubstr("the users have no attribute"),
                    HasSubstr("did you mean 'income'")));
  EXPECT_THAT(input_error_of([&] { holds(table, "income = hgh"); }),
              AllOf(HasSubstr("no user's income is 'hgh'"), HasSubstr("did you mean 'high'")));
}

}  // namespace
}  // namespace penchant::pipeline
