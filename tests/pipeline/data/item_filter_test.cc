// SPDX-License-Identifier: Apache-2.0
// Which items may be listed: the expressions of --where, files of ids, and what is wrong with them.
#include "pipeline/data/item_filter.h"

#include <cmath>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::Attribute;
using graph::AttributeKind;
using graph::Catalog;
using penchant::testing::IngestTest;
using penchant::testing::input_error_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Attribute valued(const std::string& name, AttributeKind kind,
                 const std::vector<std::string>& items) {
  Attribute attribute;
  attribute.name = name;
  attribute.kind = kind;
  for (const std::string& values : items) append_values(attribute, values);
  finish_attribute(attribute, static_cast<std::int64_t>(items.size()));
  return attribute;
}

/// Six items; the last has nothing but a title.
Catalog groceries() {
  Catalog catalog;
  catalog.num_items = 6;
  catalog.attributes.push_back(valued("category", AttributeKind::categorical,
                                      {"Dairy", "Dairy", "Bread", "Bread", "Tea", ""}));
  const std::string both = std::string("red") + kListSeparator + "blue";
  catalog.attributes.push_back(
      valued("Main Colour", AttributeKind::list, {"red", both, "blue", "", "green", ""}));
  Attribute price;
  price.name = "price";
  price.kind = AttributeKind::numeric;
  price.numbers = {1.0F, 2.5F, 4.0F, -1.0F, 2.5F, std::nanf("")};
  catalog.attributes.push_back(std::move(price));
  Attribute title;
  title.name = "title";
  title.kind = AttributeKind::text;
  title.texts = {"milk", "cheese", "rye", "it's \"white\"", "oolong", "unknown"};
  catalog.attributes.push_back(std::move(title));
  return catalog;
}

/// The numbers of the items for which it holds.
std::vector<int> items_where(const std::string& where) {
  std::vector<int> items;
  const std::vector<std::uint8_t> mask = where_holds(groceries(), where);
  EXPECT_EQ(mask.size(), 6U);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) items.push_back(static_cast<int>(i));
  }
  return items;
}

std::string error_where(const std::string& where) {
  return input_error_of([&] { where_holds(groceries(), where); });
}

TEST(ItemFilter, ComparisonsOfEveryKindOfAttribute) {
  EXPECT_THAT(items_where("category = \"Dairy\""), ElementsAre(0, 1));
  EXPECT_THAT(items_where("category='Dairy'"), ElementsAre(0, 1));
  EXPECT_THAT(items_where("category == Dairy"), ElementsAre(0, 1));
  EXPECT_THAT(items_where("category != Dairy"), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(items_where("category in (Dairy, 'Tea')"), ElementsAre(0, 1, 4));
  EXPECT_THAT(items_where("category NOT IN (Dairy, Tea)"), ElementsAre(2, 3, 5));
  EXPECT_THAT(items_where("`Main Colour` = red"), ElementsAre(0, 1));
  EXPECT_THAT(items_where("\"Main Colour\" in (red, green)"), ElementsAre(0, 1, 4));
  EXPECT_THAT(items_where("price = 2.5"), ElementsAre(1, 4));
  EXPECT_THAT(items_where("price != 2.5"), ElementsAre(0, 2, 3, 5));
  EXPECT_THAT(items_where("price < 2.5"), ElementsAre(0, 3));
  EXPECT_THAT(items_where("price <= 2.5"), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(items_where("price > -1"), ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(items_where("price >= 4"), ElementsAre(2));
  EXPECT_THAT(items_where("price in (1, -1)"), ElementsAre(0, 3));
  EXPECT_THAT(items_where("title = 'it''s \"white\"'"), ElementsAre(3));
}

TEST(ItemFilter, AndBindsBeforeOrAndNotBeforeBoth) {
  EXPECT_THAT(items_where("category = Tea or category = Dairy and price > 2"), ElementsAre(1, 4));
  EXPECT_THAT(items_where("(category = Tea or category = Dairy) and price > 2"), ElementsAre(1, 4));
  EXPECT_THAT(items_where("category = Dairy or category = Tea and price > 3"), ElementsAre(0, 1));
  EXPECT_THAT(items_where("(category = Dairy or category = Tea) and price > 3"), ElementsAre());
  EXPECT_THAT(items_where("not category = Dairy and price > 2"), ElementsAre(2, 4));
  EXPECT_THAT(items_where("not (category = Dairy and price > 2)"), ElementsAre(0, 2, 3, 4, 5));
  EXPECT_THAT(items_where("not not category = Tea"), ElementsAre(4));
}

TEST(ItemFilter, ErrorsNameThePlaceAndWhatIsKnown) {
  EXPECT_THAT(error_where("categori = Dairy"),
              AllOf(HasSubstr("--where, column 1:"), HasSubstr("no attribute 'categori'"),
                    HasSubstr("did you mean 'category'?"), HasSubstr("Main Colour"),
                    HasSubstr("price"), HasSubstr("title")));
  EXPECT_THAT(error_where("category = Dary"),
              AllOf(HasSubstr("column 12:"), HasSubstr("did you mean 'Dairy'?")));
  EXPECT_THAT(
      error_where("category Dairy"),
      AllOf(HasSubstr("column 10:"), HasSubstr("expected =, !="), HasSubstr("found 'Dairy'")));
  EXPECT_THAT(error_where("category = "), AllOf(HasSubstr("column 12:"), HasSubstr("the end")));
  EXPECT_THAT(error_where("category = Tea price > 1"),
              AllOf(HasSubstr("column 16:"), HasSubstr("and, or, or the end")));
  EXPECT_THAT(error_where("(category = Tea"), AllOf(HasSubstr("column 16:"), HasSubstr("')'")));
  EXPECT_THAT(error_where("category in Tea"), AllOf(HasSubstr("column 13:"), HasSubstr("'('")));
  EXPECT_THAT(error_where("category in (Tea"), HasSubstr("',' or ')'"));
  EXPECT_THAT(error_where("category not Tea"), AllOf(HasSubstr("column 14:"), HasSubstr("in")));
  EXPECT_THAT(error_where("category < 3"),
              AllOf(HasSubstr("column 10:"), HasSubstr("compares numbers")));
  EXPECT_THAT(error_where("price < cheap"),
              AllOf(HasSubstr("column 9:"), HasSubstr("expected a number"), HasSubstr("'cheap'")));
  EXPECT_THAT(error_where("title = 'open"), AllOf(HasSubstr("column 9:"), HasSubstr("close")));
  EXPECT_THAT(error_where(""), AllOf(HasSubstr("column 1:"), HasSubstr("an attribute")));
  EXPECT_THAT(error_where(std::string(1000, '(')), HasSubstr("parentheses"));
}

class ItemFilterFiles : public IngestTest {
 protected:
  void SetUp() override {
    dataset_ = ingest_text("user,item,time\nu,a,1\nu,b,2\nu,c,3\nv,d,4\n");
    dataset_.catalog = {};
    dataset_.catalog.num_items = 4;
    dataset_.catalog.attributes.clear();
    dataset_.catalog.attributes.push_back(
        valued("brand", AttributeKind::categorical, {"x", "y", "x", ""}));
  }
  Dataset dataset_;
};

TEST_F(ItemFilterFiles, AllHoldTogether) {
  EXPECT_FALSE(choose_items(dataset_, {}).allowed.has_value());
  write("only.txt", "c\nb\r\na\n");
  write("not.txt", "b\n\n");
  ItemFilterOptions options;
  options.only_items = at("only.txt");
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(0, 1, 2));
  options.exclude = at("not.txt");
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(0, 2));
  options.only_items.clear();
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(0, 2, 3));
  options.where = "brand = y";
  EXPECT_THAT(input_error_of([&] { choose_items(dataset_, options); }),
              HasSubstr("no item of the catalogue passes"));
}

TEST_F(ItemFilterFiles, UnknownIdsAreNamedOrLeftOut) {
  write("only.txt", "c\nzz\nc\nc\n");
  ItemFilterOptions options;
  options.only_items = at("only.txt");
  EXPECT_THAT(
      input_error_of([&] { choose_items(dataset_, options); }),
      AllOf(HasSubstr("only.txt:2:"), HasSubstr("unknown item 'zz'"), HasSubstr("--unknown skip")));
  options.unknown = UnknownRawIds::skip;
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(2));
  const IdFile file = read_id_file(at("only.txt"), dataset_.items, "item", UnknownRawIds::skip);
  EXPECT_EQ(file.num_unknown, 1);
  EXPECT_EQ(file.num_repeated, 2);
  EXPECT_EQ(file.first_repeated, 3);
  write("empty.txt", "\n\n");
  options.only_items = at("empty.txt");
  EXPECT_THAT(input_error_of([&] { choose_items(dataset_, options); }), HasSubstr("holds no id"));
}

TEST_F(ItemFilterFiles, IdsInMemoryAreThoseOfAFile) {
  ItemFilterOptions options;
  options.only_ids = {"c", "b", "c", "a"};
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(0, 1, 2));
  options.exclude_ids = {"b"};
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(0, 2));
  options.exclude_ids = {"b", "zz"};
  EXPECT_THAT(input_error_of([&] { choose_items(dataset_, options); }),
              AllOf(HasSubstr("exclude[1]: unknown item 'zz'"), HasSubstr("unknown skip")));
  options.unknown = UnknownRawIds::skip;
  EXPECT_THAT(*choose_items(dataset_, options).allowed, ElementsAre(0, 2));
  options.only_ids->clear();
  EXPECT_THAT(input_error_of([&] { choose_items(dataset_, options); }),
              HasSubstr("no item of the catalogue passes"));
  const std::vector<std::string> repeated = {"a", "b", "a", "b"};
  const IdFile list = find_raw_ids(repeated, dataset_.items, "item", UnknownRawIds::error, "items");
  EXPECT_THAT(list.ids, ElementsAre(0, 1));
  EXPECT_EQ(list.repeated, "items[2]: 2 ids that came before left out");
}

TEST_F(ItemFilterFiles, LimitsNeedAnAttributeWithValuesAndANumber) {
  ItemFilterOptions options;
  options.at_most = {"brand=2"};
  const ItemChoice choice = choose_items(dataset_, options);
  EXPECT_FALSE(choice.allowed.has_value());
  ASSERT_EQ(choice.limits.size(), 1U);
  EXPECT_EQ(choice.limits[0].most, 2);
  for (const char* text : {"brand", "brand=0", "brand=two", "=2", "brand=-1"}) {
    options.at_most = {text};
    EXPECT_THAT(input_error_of([&] { choose_items(dataset_, options); }),
                AllOf(HasSubstr("--at-most"), HasSubstr("brand=2")))
        << text;
  }
  options.at_most = {"bran=2"};
  EXPECT_THAT(input_error_of([&] { choose_items(dataset_, options); }),
              AllOf(HasSubstr("did you mean 'brand'?"), HasSubstr("they have: brand")));
}

}  // namespace
}  // namespace penchant::pipeline
