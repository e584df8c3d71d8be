// SPDX-License-Identifier: Apache-2.0
// Pseudonyms and what is coarsened while a log is read: what they are by an independent computation,
// that the same key gives the same ones wherever ids are read, and every contradiction by name.
#include "pipeline/ingest/privacy.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/data/pseudonyms.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/ingest/append.h"
#include "pipeline/ingest/forget.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using penchant::testing::all_rows;
using penchant::testing::attribute;
using penchant::testing::attribute_of;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "0123456789abcdef0123456789abcdef\n";
// hmac.new(b"0123456789abcdef0123456789abcdef", b"user\0ann", "sha256").hexdigest()[:32] of Python
constexpr const char* kAnn = "pu_b7890b71ce733daf1df3bb9278fbd65e";
constexpr const char* kBob = "pu_25d7361f2877fc643872aaf1fefef759";
constexpr const char* kShoe = "pi_cd6dc5a87d8ee8a77140d9bd3c672613";  // of b"item\0shoe"

class Privacy : public penchant::testing::IngestTest {
 protected:
  fs::path key_file(std::string_view text = kKey, unsigned mode = 0600,
                    const std::string& name = "secret.key") const {
    const fs::path path = write(name, text);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
  IngestOptions with_pseudonyms(std::vector<Entity> of = {Entity::user}) const {
    IngestOptions options = everything_in_train();
    options.privacy.pseudonymise = std::move(of);
    options.privacy.pseudonym_key = key_file();
    return options;
  }
  static Lines ids(const graph::Dictionary& dictionary) {
    Lines lines;
    for (std::int64_t id = 0; id < dictionary.size(); ++id)
      lines.emplace_back(dictionary.raw(static_cast<graph::NodeId>(id)));
    return lines;
  }
  nlohmann::json told() const {
    return manifest("x.data").at("provenance").value("privacy", nlohmann::json());
  }
};

TEST_F(Privacy, PseudonymsAreThoseOfAnIndependentProgram) {
  const PseudonymKey key(key_file());
  EXPECT_EQ(key.pseudonym(Entity::user, "ann"), kAnn);
  EXPECT_EQ(key.pseudonym(Entity::user, "bob"), kBob);
  EXPECT_EQ(key.pseudonym(Entity::item, "shoe"), kShoe);
  EXPECT_NE(key.pseudonym(Entity::item, "ann").substr(3), std::string(kAnn).substr(3))
      << "a user and an item of the same id have nothing in common";
  EXPECT_EQ(key.pseudonym(Entity::user, kAnn), kAnn) << "what is one stays as it is";
  EXPECT_EQ(PseudonymKey(key_file("0123456789abcdef0123456789abcdef", 0400, "k2")).fingerprint(),
            key.fingerprint())
      << "a line's end at the end of the file is not the key's";
  EXPECT_NE(PseudonymKey(key_file("0123456789abcdef0123456789abcdeF", 0600, "k3")).fingerprint(),
            key.fingerprint());
}

TEST_F(Privacy, WhoHasReadAKeyLeavesNoCoreDump) {
  const PseudonymKey key(key_file());
  EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 0);
}

TEST_F(Privacy, NewKeysAreTheirOwnersAndNeverTheSame) {
  write_new_key(at("a.key"));
  write_new_key(at("b.key"));
  struct stat facts {};
  ASSERT_EQ(::stat(at("a.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
  EXPECT_EQ(penchant::testing::read_text(at("a.key")).size(), 65U);
  EXPECT_NE(PseudonymKey(at("a.key")).fingerprint(), PseudonymKey(at("b.key")).fingerprint());
  EXPECT_THAT(input_error_of([&] { write_new_key(at("a.key")); }),
              AllOf(HasSubstr("a.key"), HasSubstr("never overwritten")));
  fs::create_symlink(at("a.key"), at("link.key"));
  EXPECT_THAT(input_error_of([&] { write_new_key(at("link.key")); }), HasSubstr("link.key"));
}

TEST_F(Privacy, BadKeysAreRefusedByName) {
  const auto error = [&](const fs::path& file) {
    return input_error_of([&] { const PseudonymKey key(file); });
  };
  EXPECT_THAT(error(at("none.key")), AllOf(HasSubstr("none.key"), HasSubstr("no such key file")));
  EXPECT_THAT(error(key_file("too short to be one\n", 0600, "short.key")),
              AllOf(HasSubstr("short.key"), HasSubstr("19 bytes, expected 32"),
                    Not(HasSubstr("too short"))));
  EXPECT_THAT(error(key_file("", 0600, "empty.key")), HasSubstr("0 bytes"));
  EXPECT_THAT(error(key_file(std::string(5000, 'x'), 0600, "long.key")), HasSubstr("4096"));
  for (const unsigned mode : {0640U, 0604U, 0620U, 0601U})
    EXPECT_THAT(error(key_file(kKey, mode, "open.key")),
                AllOf(HasSubstr("open.key"), HasSubstr(fmt::format("{:04o}", mode)),
                      HasSubstr("open to others"), Not(HasSubstr("0123456789abcdef"))));
  fs::create_directory(at("folder.key"));
  EXPECT_THAT(error(at("folder.key")), HasSubstr("folder.key"));
}

TEST_F(Privacy, OptionsThatContradictEachOtherAreErrors) {
  constexpr const char* kLog = "user,item,time\nann,shoe,1\nbob,shoe,2\n";
  const auto error = [&](auto change) {
    IngestOptions options = with_pseudonyms();
    change(options);
    return input_error_of([&] { ingest_text(kLog, options); });
  };
  EXPECT_THAT(error([](auto& o) { o.privacy.pseudonym_key.clear(); }),
              HasSubstr("data.pseudonym_key no file"));
  EXPECT_THAT(error([](auto& o) { o.privacy.pseudonymise.clear(); }),
              HasSubstr("data.pseudonymise names no ids"));
  EXPECT_THAT(error([](auto& o) { o.privacy.pseudonymise = {Entity::session}; }),
              HasSubstr("data.columns.session"));
  EXPECT_THAT(error([](auto& o) {
                o.filters = {{"user", "==", {"ann"}}};
              }),
              AllOf(HasSubstr("column 'user'"), Not(HasSubstr("ann"))));
  EXPECT_THAT(error([](auto& o) { o.attributes = {attribute("user")}; }),
              HasSubstr("column 'user' holds ids that become pseudonyms"));
  IngestOptions options = everything_in_train();
  options.log.files = {write("untimed.csv", "user,item\na,x\n")};
  options.columns.user = "user";
  options.columns.item = "item";
  options.privacy.time_resolution = TimeResolution::day;
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("no column of times"));
  options.format = InputFormat::recbole;
  options.prefix = at("ml");
  write("ml.inter", "ann\tshoe\t3\nbob\tshoe\t4\n");
  options.privacy = with_pseudonyms().privacy;
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("ml.inter:1"), Not(HasSubstr("ann"))))
      << "a first line that is no header";
}

TEST_F(Privacy, UsersItemsAndSessionsBecomePseudonymsEverywhere) {
  IngestOptions options = with_pseudonyms({Entity::user, Entity::item, Entity::session});
  options.columns.session = "visit";
  options.item_table = TableSource{{write("items.csv", "item,kind\nshoe,clothes\nhat,clothes\n")}};
  options.attributes = {attribute("kind")};
  LinkTable links;
  links.source.files = {write("links.csv", "a,b\nann,bob\nbob,nobody\n")};
  links.name = "friends";
  links.from = "a";
  links.to = "b";
  options.links = {links};
  const Dataset dataset =
      ingest_text("user,item,time,visit\nann,shoe,1,v1\nbob,shoe,2,v2\nann,shoe,3,v1\n", options);
  EXPECT_THAT(ids(dataset.users), ElementsAre(kAnn, kBob));
  EXPECT_EQ(ids(dataset.items).front(), kShoe);
  EXPECT_EQ(attribute_of(dataset, "kind").front(), fmt::format("{}: clothes", kShoe));
  EXPECT_EQ(dataset.links.front().links.view().num_entries(), 2);
  const nlohmann::json privacy = told();
  EXPECT_EQ(privacy["pseudonyms"]["of"]["users"], 2);
  EXPECT_EQ(privacy["pseudonyms"]["of"]["items"], 2);
  EXPECT_EQ(privacy["pseudonyms"]["key"], PseudonymKey(key_file()).fingerprint());
}

TEST_F(Privacy, TheFormatsWithoutColumnsHaveThemToo) {
  IngestOptions options = with_pseudonyms({Entity::user, Entity::item});
  options.format = InputFormat::lightgcn;
  options.train_files = {write("train.txt", "ann shoe hat\nbob shoe\n")};
  EXPECT_THAT(ids(ingest(options).users), ElementsAre(kAnn, kBob));
  options.format = InputFormat::s3rec;
  options.train_files.clear();
  options.split_method.reset();
  options.sequences_file = write("s.txt", "ann shoe hat coat bag\nbob shoe hat coat bag\n");
  options.attributes_file = write("a.json", R"({"shoe": ["leather"], "hat": [3]})");
  const Dataset dataset = ingest(options);
  EXPECT_THAT(ids(dataset.users), ElementsAre(kAnn, kBob));
  EXPECT_EQ(attribute_of(dataset, "attributes").front(), fmt::format("{}: leather", kShoe));
  options.attributes_file = write("b.json", R"({"shoe": ["leather"], "hat": )");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("b.json"), Not(HasSubstr("shoe"))));
}

TEST_F(Privacy, RowsThatAreRejectedAreNotShown) {
  IngestOptions options = with_pseudonyms();
  const std::string log = "user,item,time\nann,shoe,1\nshoe,3,bob\nann,shoe,4,bob\n,bob,3\n";
  ingest_text(log, options);
  for (const auto& reason : report_.rows.rejected) {
    EXPECT_THAT(reason.example,
                AllOf(HasSubstr("log.csv:"), HasSubstr("not shown"), Not(HasSubstr("bob"))))
        << reason.reason;
  }
  EXPECT_EQ(report_.rows.rejected.size(), 3U);
  options.strict = true;
  EXPECT_THAT(input_error_of([&] { ingest_text(log, options); }),
              AllOf(HasSubstr("log.csv:"), HasSubstr("strict"), Not(HasSubstr("bob"))));
  EXPECT_THAT(input_error_of([&] { ingest_text("bob,shoe,1\nann,shoe,2\n", with_pseudonyms()); }),
              AllOf(HasSubstr("no column 'user'"), Not(HasSubstr("bob"))))
      << "a first line that is no header";
}

TEST_F(Privacy, LaterRowsHaveTheSameKeyOrNone) {
  IngestOptions options = with_pseudonyms();
  ingest_text("user,item,time\nann,shoe,1\nbob,hat,2\n", options);
  options.columns.user = "user";
  options.columns.item = "item";
  options.columns.time = "time";
  options.log.files = {write("more.csv", "user,item,time\nann,hat,3\ncid,shoe,4\n")};
  append(options, at("x.data"), at("x.data"), silent_progress());
  EXPECT_THAT(ids(read_dataset(at("x.data")).users),
              ElementsAre(kAnn, kBob, PseudonymKey(key_file()).pseudonym(Entity::user, "cid")));
  EXPECT_EQ(told()["pseudonyms"]["of"]["users"], 3);
  options.privacy.pseudonym_key = key_file(std::string(40, 'z'), 0600, "other.key");
  const auto error = [&] {
    return input_error_of([&] { append(options, at("x.data"), at("x.data"), silent_progress()); });
  };
  EXPECT_THAT(error(), HasSubstr("expected the same (data.pseudonym_key, --key)"));
  options.privacy = {};
  EXPECT_THAT(error(), HasSubstr("is none"));
}

TEST_F(Privacy, PeopleWithTheKeyForgetByRawIds) {
  ingest_text("user,item,time\nann,shoe,1\nbob,hat,2\n", with_pseudonyms());
  ForgetOptions who;
  who.users = {"bob"};
  EXPECT_THAT(input_error_of([&] { forget(who, at("x.data"), at("x.data"), silent_progress()); }),
              HasSubstr("none of its 1 ids"));
  who.key = std::make_shared<const PseudonymKey>(key_file());
  forget(who, at("x.data"), at("x.data"), silent_progress());
  EXPECT_THAT(ids(read_dataset(at("x.data")).users), ElementsAre(kAnn));
}

TEST_F(Privacy, UnknownIdsAreNotRepeated) {
  const Dataset dataset = ingest_text("user,item,time\nann,shoe,1\nbob,hat,2\n", with_pseudonyms());
  EXPECT_THAT(unknown_id(dataset.users, "carl", "user"),
              AllOf(HasSubstr("not shown"), Not(HasSubstr("carl"))));
  EXPECT_THAT(unknown_id(dataset.items, "sho", "item"), HasSubstr("did you mean 'shoe'"));
  EXPECT_EQ(
      known_id(dataset.items, "shoe", "item", std::make_unique<PseudonymKey>(key_file()).get()),
      "shoe")
      << "items have no pseudonyms here";
}

TEST_F(Privacy, AccountsAreFollowedToTheirPerson) {
  IngestOptions options = everything_in_train();
  options.privacy.same_user =
      write("same.csv", "person,account\nann2,ann3\nann,ann2\nann,ann\nbob,never\n");
  const std::string log = "user,item,time\nann3,a,1\nann2,b,2\nann,c,3\nbob,a,4\n";
  const Dataset dataset = ingest_text(log, options);
  EXPECT_THAT(all_rows(dataset),
              ElementsAre("ann a 1 t1000", "ann b 1 t2000", "ann c 1 t3000", "bob a 1 t4000"));
  EXPECT_EQ(told()["same_user"]["accounts"], 3);
  EXPECT_EQ(told()["same_user"]["accounts_met"], 2);
  IngestOptions hidden = with_pseudonyms();
  hidden.privacy.same_user = options.privacy.same_user;
  EXPECT_THAT(ids(ingest_text(log, hidden).users), ElementsAre(kAnn, kBob));
}

TEST_F(Privacy, BadTablesOfAccountsAreErrorsWithTheirLine) {
  const auto error = [&](std::string_view text, bool hidden = false) {
    IngestOptions options = hidden ? with_pseudonyms() : everything_in_train();
    options.privacy.same_user = write("same.csv", text);
    return input_error_of([&] { ingest_text("user,item,time\na,x,1\nb,y,2\n", options); });
  };
  EXPECT_THAT(error("account,person\nz,a\na,b\nb,c\nc,a\n"),
              AllOf(HasSubstr("same.csv:3"), HasSubstr("circle (lines 3, 4, 5)")));
  EXPECT_THAT(error("account,person\na,b\na,c\n"),
              AllOf(HasSubstr("same.csv:3"), HasSubstr("account 'a'"), HasSubstr("line 2")));
  EXPECT_THAT(error("account,person\na,b\na,c\n", true), Not(HasSubstr("'a'")));
  EXPECT_THAT(error("a,b\nb,c\n"),
              AllOf(HasSubstr("2 columns (a, b)"), HasSubstr("account and person")));
  EXPECT_THAT(error("a,b\nb,c\n", true), AllOf(HasSubstr("2 columns,"), Not(HasSubstr("(a"))));
  EXPECT_THAT(error("account,person\na,\n"), AllOf(HasSubstr("same.csv:2"), HasSubstr("empty")));
}

TEST_F(Privacy, TimesAreSetToTheStartOfTheirUnit) {
  // 1767225599 is Wednesday, 31 December 2025, 23:59:59 UTC; its week began on Monday, the 29th.
  const std::map<TimeResolution, std::int64_t> starts = {
      {TimeResolution::exact, 1767225599123},  {TimeResolution::second, 1767225599000},
      {TimeResolution::minute, 1767225540000}, {TimeResolution::hour, 1767222000000},
      {TimeResolution::day, 1767139200000},    {TimeResolution::week, 1766966400000}};
  for (const auto& [resolution, start] : starts) {
    std::vector<std::int64_t> times = {1767225599123, start};
    EXPECT_EQ(coarsen_times(times, resolution), resolution == TimeResolution::exact ? 0 : 1);
    EXPECT_THAT(times, ElementsAre(start, start)) << enum_name(resolution);
  }
  std::vector<std::int64_t> first = {0, 86400000};  // in the week that began before 1970
  coarsen_times(first, TimeResolution::week);
  EXPECT_THAT(first, ElementsAre(0, 0));
}

TEST_F(Privacy, CoarseTimesKeepTheLogsOrderAndAreCounted) {
  IngestOptions options = everything_in_train();
  options.privacy.time_resolution = TimeResolution::day;
  const Dataset dataset = ingest_text(
      "user,item,time\na,late,90000\na,early,86401\na,late,90001\na,first,5\n", options);
  EXPECT_THAT(penchant::testing::rows_of(dataset, dataset.split.train.interactions),
              ElementsAre("a first 1 t0", "a late 1 t86400000", "a early 1 t86400000"))
      << "of one day in the order of the file; the same thing twice on a day is an exact repeat";
  EXPECT_EQ(told()["time_resolution"]["times_changed"], 4);
  EXPECT_EQ(told()["time_resolution"]["unit"], "day");
}

TEST_F(Privacy, RareValuesBecomeOne) {
  IngestOptions options = everything_in_train();
  options.privacy.min_value_users = 2;
  AttributeColumn path = attribute("path", graph::AttributeKind::list);
  path.path_separator = ".";
  options.attributes = {attribute("brand"), path};
  options.item_table = TableSource{
      {write("items.csv", "item,brand,path\nx,Big,a.b\ny,One,a.c\nz,Two,d.e\nw,Big,a.b\n")}};
  const Dataset dataset =
      ingest_text("user,item,time\n1,x,1\n2,w,2\n1,y,3\n1,y,4\n3,z,5\n", options);
  EXPECT_THAT(attribute_of(dataset, "brand"),
              ElementsAre("x: Big", "w: Big", "y: (rare)", "z: (rare)"));
  EXPECT_THAT(attribute_of(dataset, "path"),
              ElementsAre("x: a a.b", "w: a a.b", "y: a", "z: (rare)"))
      << "a rare path gives way to what it is below";
  EXPECT_EQ(told()["rare_values"]["attributes"]["brand"]["values"], 2);
  EXPECT_EQ(told()["rare_values"]["attributes"]["brand"]["items"], 2);
  options.item_table = TableSource{{write("more_items.csv", "item,brand,path\nnew,Three,a.b\n")}};
  options.columns.user = "user";
  options.columns.item = "item";
  options.columns.time = "time";
  options.log.files = {write("more.csv", "user,item,time\n1,new,9\n")};
  append(options, at("x.data"), at("x.data"), silent_progress());
  EXPECT_EQ(attribute_of(read_dataset(at("x.data")), "brand").back(), "new: (rare)");
  EXPECT_EQ(told()["rare_values"]["attributes"]["brand"]["values"], 3);
}

TEST_F(Privacy, ExactRepeatsGoWithoutTimesAsWell) {
  IngestOptions options = everything_in_train();
  options.columns.user = "user";
  options.columns.item = "item";
  options.log.files = {write("log.csv", "user,item\na,x\na,x\na,y\nb,x\na,x\n")};
  options.repeats = RepeatPolicy::sum;
  EXPECT_THAT(all_rows(ingest(options)), ElementsAre("a x 3", "a y 1", "b x 1"));
  options.privacy.drop_repeats = true;
  EXPECT_THAT(all_rows(ingest(options)), ElementsAre("a x 1", "a y 1", "b x 1"));
  EXPECT_EQ(told()["drop_repeats"]["rows"], 2);
  EXPECT_THAT(rejections(), ::testing::Contains("exact repeat of a row: 2"));
  options.format = InputFormat::s3rec;
  options.sequences_file = write("s.txt", "a x y z\n");
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.drop_repeats"));
}

}  // namespace
}  // namespace penchant::pipeline
