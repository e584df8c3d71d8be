// SPDX-License-Identifier: Apache-2.0
// Text that people write: tables, sequences, RecBole, configurations, filters, times.
#include <array>
#include <optional>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/data/item_filter.h"
#include "pipeline/ingest/recbole.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/ingest/sequence_files.h"
#include "pipeline/ingest/time_parse.h"
#include "pipeline/tables/tables.h"
#include "tests/fuzz/fuzzed_files.h"
#include "tests/fuzz/targets.h"

namespace penchant::fuzz {

using namespace pipeline;
namespace fs = std::filesystem;
using Seeds = std::vector<std::string>;

namespace {

constexpr std::array<char, 6> kSeparators = {'\0', ',', ';', '\t', '|', ':'};

TableReadOptions text_options(Choices& choices) {
  TableReadOptions options;
  options.separator = kSeparators[choices.below(kSeparators.size())];
  options.header = !choices.flag();
  constexpr std::array<TextMark, 4> kQuotes = {TextMark(), TextMark('\0'), TextMark('"'),
                                               TextMark('\'')};
  options.quote = kQuotes[choices.below(kQuotes.size())];
  constexpr std::array<TextMark, 3> kEscapes = {TextMark(), TextMark('\0'), TextMark('\\')};
  options.escape = kEscapes[choices.below(kEscapes.size())];
  options.encoding = static_cast<TextEncoding>(choices.below(3));
  constexpr std::array<std::size_t, 4> kBlocks = {16, 64, 1024, 65536};
  options.block_bytes = kBlocks[choices.below(kBlocks.size())];
  return options;
}

void read_all(const fs::path& path, const TableReadOptions& options) {
  const std::vector<std::string> columns = table_columns(path, options);
  TableReader reader(path, options,
                     std::span(columns).first(std::min<std::size_t>(columns.size(), 3)));
  std::int64_t rows = 0;
  TextBatch batch;
  while (reader.next(batch)) {
    rows += batch.num_rows;
    for (const auto& column : batch.columns) {
      if (std::cmp_not_equal(column.size(), batch.num_rows)) throw std::logic_error("ragged batch");
      for (const std::string_view cell : column) {
        if (!cell.empty() && cell.front() == cell.back() && cell.size() > kLongestInputOfAny)
          throw std::logic_error("a cell longer than the file");
      }
    }
  }
  if (!reader.is_typed() && reader.counts().rows != rows)
    throw std::logic_error("rows that are not counted");
}

}  // namespace

Seeds text_seeds() {
  const std::string plain("\0\0\0\0\0\0", 6);
  const std::string comma("\1\0\2\2\0\1", 6);
  return {plain + "user,item,time\nu1,i1,1600000000\nu2,i2,1600000001\n",
          comma + "user,item,time\n\"a,b\",\"say \"\"hi\"\"\",1600000000\n\"two\nlines\",x,1\n",
          plain + "\xEF\xBB\xBFuser\titem\r\nu1\ti1\r\n\r\nu2\ti2\r\n",
          plain + "a;b\n1,5;2\n'x';'y'\n"};
}
void run_text(std::string_view input) {
  Choices choices(input);
  const TableReadOptions options = text_options(choices);
  const fs::path path = put_file("table.csv", input);
  answer([&] { read_all(path, options); });
}

Seeds lightgcn_seeds() {
  return {
      "0 1 2 3\n1 0\n2 4 5\n\xff"
      "0 6\n2 1\n",
      "0 1\n\n1 2\n"};
}
void run_lightgcn(std::string_view input) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.train_files = {put_file("train.txt", take_to(input, '\xff'))};
  options.test_files = {put_file("test.txt", input)};
  answer([&] {
    ReadResult result;
    read_lightgcn(options, result);
  });
}

Seeds s3rec_seeds() {
  return {"1 4 5 6 7\n2 5 6\n\xff{\"4\": [1, 2], \"5\": [3], \"6\": \"x\"}", "1 2 3\n\xff{}"};
}
void run_s3rec(std::string_view input) {
  IngestOptions options;
  options.format = InputFormat::s3rec;
  options.sequences_file = put_file("sequences.txt", take_to(input, '\xff'));
  options.attributes_file = put_file("attributes.json", input);
  answer([&] {
    ReadResult result;
    RawCatalog catalog;
    read_s3rec(options, result, catalog);
  });
}

Seeds recbole_seeds() {
  return {
      "user_id:token\titem_id:token\trating:float\ttimestamp:"
      "float\nu1\ti1\t4\t1600000000\nu2\ti2\t5\t1600000001\n"
      "\xffitem_id:token\tgenre:token_seq\tyear:float\ni1\ta b\t1999\ni2\tc\t2001\n",
      "user_id:token\titem_id:token\nu\ti\n\xffitem_id:token\n"};
}
void run_recbole(std::string_view input) {
  IngestOptions options;
  options.format = InputFormat::recbole;
  options.prefix = work_folder() / "atomic";
  put_file("atomic.inter", take_to(input, '\xff'));
  put_file("atomic.item", input);
  answer([&] {
    const IngestOptions table = recbole_as_table(options, silent_progress());
    ingest(table, work_folder() / "atomic.data", silent_progress());
  });
}

Seeds toml_seeds() {
  return {
      "[data]\nout = \"a.data\"\nlog = [\"a.csv\"]\nrepeats = \"sum\"\n[data.columns]\nuser = "
      "\"u\"\nitem = \"i\"\n",
      "[model]\nkind = \"lightgcn\"\nembedding_dim = 64\n[train]\nepochs = 3\nlearning_rate = "
      "1e-2\n",
      "[[data.attributes]]\ncolumn = \"x\"\nkind = \"list\"\n[data]\nevent_weights = {view = 1.0, "
      "buy = 4}\n",
      "[data]\nlog = [\"${HOME:-x}/a.csv\", '''b''']\nfilters = [\"a > 3\"]\n"};
}
void run_toml(std::string_view input) {
  const fs::path path = put_file("shop.toml", input);
  answer([&] { effective_toml(read_config(path)); });
}

Seeds filter_seeds() {
  return {
      "price > 3.5\xff"
      "4",
      "kind in a, \"b, c\", d\xff"
      "a",
      "day >= 2020-01-01\xff"
      "2021-02-03T04:05:06Z",
      "x == true\xff"
      "True",
      "name not_prefix ab\xff"
      "abc",
      "q != 1e3\xff"
      "1000"};
}
void run_filter(std::string_view input) {
  const std::string_view text = take_to(input, '\xff');
  answer([&] {
    const RowFilter filter = parse_filter(text);
    const FilterRule rule(filter, 0);
    rule.judge(input);
    rule.judge(input, ',');
    rule.judge_time(input);
    const RowFilter again = parse_filter(filter_text(filter));
    if (again.column != filter.column || again.op != filter.op || again.values != filter.values)
      throw std::logic_error("a filter is not read back as it is written");
  });
}

Seeds where_seeds() {
  return {"category = \"Dairy\" and price < 3", "not (brand in (\"a\", 'b') or price >= 1.5)",
          "category has \"x\"", "price is missing"};
}
void run_where(std::string_view input) {
  static const graph::Catalog catalog = [] {
    graph::Catalog made;
    made.num_items = 2;
    graph::Attribute category;
    category.name = "category";
    append_values(category, "Dairy");
    append_values(category, "");
    finish_attribute(category, 2);
    graph::Attribute price;
    price.name = "price";
    price.kind = graph::AttributeKind::numeric;
    price.numbers = {1.5F, 3.0F};
    made.attributes.push_back(std::move(category));
    made.attributes.push_back(std::move(price));
    return made;
  }();
  answer([&] { where_holds(catalog, input); });
}

Seeds time_seeds() {
  return {
      "%Y-%m-%d %H:%M:%S\xff"
      "2020-01-02 03:04:05",
      "%d/%b/%Y:%T %z\xff"
      "02/Jan/2020:03:04:05 +0900",
      "auto\xff"
      "1600000000000",
      "iso8601\xff"
      "2020-01-02T03:04:05.678+09:00",
      "%G-W%V-%u\xff"
      "2020-W05-3",
      "%s\xff"
      "1600000000",
      "%I:%M %p %j %Y\xff"
      "11:59 pm 031 2020",
      "ms\xff"
      "1.6e12"};
}
void run_time(std::string_view input) {
  const std::string_view format = take_to(input, '\xff');
  answer([&] {
    const TimeParser parser{std::string(format)};
    const auto time = parser(input);
    // Before 1970 and behind 2100 nothing is accepted (time_parse.h).
    if (time && (*time < 0 || *time > std::int64_t{4'133'980'800'000}))
      throw std::logic_error("a time out of range");
    parser.hint(input);
    parser.expectation();
  });
}

}  // namespace penchant::fuzz
