// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/item_filter.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/data/where.h"

namespace penchant::pipeline {

using graph::Attribute;
using graph::AttributeKind;
using graph::Catalog;
using graph::NodeId;

namespace {

using Mask = std::vector<std::uint8_t>;  ///< one entry an item

const Attribute& find_attribute(const Catalog& catalog, const std::string& name,
                                const std::string& where, std::string_view many = "items") {
  if (const Attribute* attribute = catalog.find(name)) return *attribute;
  std::vector<std::string> names;
  for (const Attribute& attribute : catalog.attributes) names.push_back(attribute.name);
  const std::string near = nearest(name, names);
  throw InputError(
      fmt::format("{}: the {} have no attribute '{}'{}; {}", where, many, printable(name),
                  near.empty() ? "" : fmt::format("; did you mean '{}'?", printable(near)),
                  names.empty() ? "they have none" : "they have: " + printable_list(names)));
}

/// Dense id of a value. Throws InputError with the nearest.
NodeId find_value(const Attribute& attribute, const std::string& value, const std::string& where,
                  std::string_view one) {
  const NodeId id = attribute.values.find(value);
  if (id != graph::kNoNode) return id;
  constexpr std::int64_t kScan = 100000;  // as for raw ids
  std::vector<std::string> known;
  if (value.size() <= kLongestHint) {
    for (std::int64_t i = 0; i < std::min(kScan, attribute.values.size()); ++i)
      known.emplace_back(attribute.values.raw(static_cast<NodeId>(i)));
  }
  const std::string near = nearest(value, known);
  throw InputError(fmt::format(
      "{}: no {}'s {} is '{}'{}", where, one, printable(attribute.name), printable(value),
      near.empty() ? "" : fmt::format("; did you mean '{}'?", printable(near))));
}

std::optional<float> as_number(const std::string& text) {
  float value = 0.0F;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

struct WhereToken {
  enum Kind { word, quoted, name, sign, end } kind = end;
  std::string text;
  std::size_t place = 0;  ///< byte of the text at which it begins
};

/// A recursive descent through the grammar of item_filter.h that evaluates as it goes.
class WhereParser {
 public:
  WhereParser(const Catalog& catalog, std::string_view text, const WhereSubject& subject)
      : catalog_(catalog), text_(text), subject_(subject) {
    advance();
  }

  Mask parse() {
    Mask mask = either();
    if (token_.kind != WhereToken::end) refuse("and, or, or the end");
    return mask;
  }

 private:
  static bool is_word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (static_cast<unsigned char>(c) >= 0x80) ||
           std::string_view("_.+-/:&@#%$").find(c) != std::string_view::npos;
  }

  std::string at(std::size_t place) const {
    return fmt::format("{}, column {}", subject_.option, place + 1);
  }
  [[noreturn]] void refuse(const std::string& expected) const {
    const std::string found =
        token_.kind == WhereToken::end ? "the end" : fmt::format("'{}'", printable(token_.text));
    throw InputError(fmt::format("{}: expected {}, found {}", at(token_.place), expected, found));
  }

  void advance() {
    while (place_ < text_.size() && std::string_view(" \t\r\n").find(text_[place_]) != text_.npos)
      ++place_;
    token_ = {WhereToken::end, "", place_};
    if (place_ == text_.size()) return;
    const char first = text_[place_];
    if (first == '"' || first == '\'' || first == '`') return read_quoted(first);
    if (is_word_byte(first)) {
      token_.kind = WhereToken::word;
      while (place_ < text_.size() && is_word_byte(text_[place_])) token_.text += text_[place_++];
      return;
    }
    token_.kind = WhereToken::sign;
    token_.text = first;
    ++place_;
    if (std::string_view("!<>=").find(first) != std::string_view::npos && place_ < text_.size() &&
        text_[place_] == '=')
      token_.text += text_[place_++];
    if (token_.text == "==") token_.text = "=";
  }

  void read_quoted(char quote) {
    token_.kind = quote == '`' ? WhereToken::name : WhereToken::quoted;
    for (++place_; place_ < text_.size(); ++place_) {
      if (text_[place_] == quote) {
        ++place_;
        if (place_ == text_.size() || text_[place_] != quote) return;
      }
      token_.text += text_[place_];
    }
    throw InputError(fmt::format("{}: the quote {} does not close", at(token_.place), quote));
  }

  bool is_keyword(std::string_view keyword) const {
    return token_.kind == WhereToken::word &&
           std::equal(token_.text.begin(), token_.text.end(), keyword.begin(), keyword.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  }
  bool is_sign(std::string_view sign) const {
    return token_.kind == WhereToken::sign && token_.text == sign;
  }
  bool take_keyword(std::string_view keyword) {
    const bool found = is_keyword(keyword);
    if (found) advance();
    return found;
  }
  void expect_sign(std::string_view sign) {
    if (!is_sign(sign)) refuse(fmt::format("'{}'", sign));
    advance();
  }

  /// Nested no deeper than a person would write, so that no text can use up the stack.
  Mask either() {
    if (++depth_ > 100) {
      throw InputError(
          fmt::format("{}: more than 100 parentheses within one another", subject_.option));
    }
    Mask mask = both();
    while (take_keyword("or")) combine(mask, both(), std::bit_or<>());
    --depth_;
    return mask;
  }
  Mask both() {
    Mask mask = negated();
    while (take_keyword("and")) combine(mask, negated(), std::bit_and<>());
    return mask;
  }
  Mask negated() {
    bool turned = false;
    while (take_keyword("not")) turned = !turned;
    Mask mask;
    if (is_sign("(")) {
      advance();
      mask = either();
      expect_sign(")");
    } else {
      mask = comparison();
    }
    if (turned) invert(mask);
    return mask;
  }

  template <typename Op>
  static void combine(Mask& mask, const Mask& other, Op op) {
    for (std::size_t i = 0; i < mask.size(); ++i)
      mask[i] = static_cast<std::uint8_t>(op(mask[i], other[i]));
  }
  static void invert(Mask& mask) {
    for (std::uint8_t& value : mask) value ^= 1U;
  }

  Mask comparison() {
    if (token_.kind == WhereToken::sign || token_.kind == WhereToken::end || is_keyword("and") ||
        is_keyword("or") || is_keyword("in"))
      refuse(fmt::format("an attribute of the {}", subject_.many));
    const Attribute& attribute =
        find_attribute(catalog_, token_.text, at(token_.place), subject_.many);
    advance();
    const bool turned = take_keyword("not");
    if (take_keyword("in")) {
      expect_sign("(");
      Mask mask = equals(attribute);
      while (is_sign(",")) {
        advance();
        combine(mask, equals(attribute), std::bit_or<>());
      }
      if (!is_sign(")")) refuse("',' or ')'");
      advance();
      if (turned) invert(mask);
      return mask;
    }
    if (turned) refuse("in");
    const std::string sign = token_.text;
    const std::size_t sign_place = token_.place;
    constexpr std::string_view kSigns[] = {"=", "!=", "<", "<=", ">", ">="};
    if (token_.kind != WhereToken::sign ||
        std::find(std::begin(kSigns), std::end(kSigns), sign) == std::end(kSigns))
      refuse("=, !=, <, <=, >, >= or in");
    advance();
    if (sign == "=" || sign == "!=") {
      Mask mask = equals(attribute);
      if (sign == "!=") invert(mask);
      return mask;
    }
    if (attribute.kind != AttributeKind::numeric) {
      throw InputError(fmt::format("{}: {} compares numbers, and {} holds none", at(sign_place),
                                   sign, printable(attribute.name)));
    }
    const float bound = number(attribute);
    return numbers(attribute, [&](float value) {
      return sign == "<"    ? value < bound
             : sign == "<=" ? value <= bound
             : sign == ">"  ? value > bound
                            : value >= bound;
    });
  }

  /// The value under way; what comes next is behind it.
  std::string value() {
    if (token_.kind != WhereToken::word && token_.kind != WhereToken::quoted) refuse("a value");
    value_place_ = token_.place;
    std::string text = std::move(token_.text);
    advance();
    return text;
  }
  float number(const Attribute& attribute) {
    const std::string text = value();
    if (const auto found = as_number(text)) return *found;
    throw InputError(fmt::format("{}: expected a number to compare {} with, found '{}'",
                                 at(value_place_), printable(attribute.name), printable(text)));
  }
  template <typename Holds>
  static Mask numbers(const Attribute& attribute, Holds holds) {
    Mask mask;
    for (const float value : attribute.numbers)
      mask.push_back(!std::isnan(value) && holds(value) ? 1 : 0);
    return mask;
  }

  Mask equals(const Attribute& attribute) {
    if (attribute.kind == AttributeKind::numeric) {
      const float wanted = number(attribute);
      return numbers(attribute, [&](float found) { return found == wanted; });
    }
    const std::string wanted = value();
    Mask mask;
    if (attribute.kind == AttributeKind::text) {
      for (const std::string& text : attribute.texts) mask.push_back(text == wanted ? 1 : 0);
      return mask;
    }
    const NodeId id = find_value(attribute, wanted, at(value_place_), subject_.one);
    const graph::CsrView values = attribute.item_values.view();
    for (std::int64_t item = 0; item < values.num_rows; ++item) {
      const auto own = values.row(item);
      mask.push_back(std::find(own.begin(), own.end(), id) != own.end() ? 1 : 0);
    }
    return mask;
  }

  const Catalog& catalog_;
  std::string_view text_;
  WhereSubject subject_;
  std::size_t place_ = 0, value_place_ = 0;
  int depth_ = 0;
  WhereToken token_;
};

ValueLimit parse_limit(const Catalog& catalog, const std::string& text) {
  const auto sign = text.rfind('=');
  std::int64_t most = 0;
  if (sign != std::string::npos) {
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data() + sign + 1, last, most);
    if (error != std::errc() || end != last) most = 0;
  }
  if (sign == std::string::npos || sign == 0 || most < 1) {
    throw InputError(fmt::format(
        "--at-most is '{}', expected an attribute and a number of at least 1, such as brand=2",
        printable(text)));
  }
  const Attribute& attribute = find_attribute(catalog, text.substr(0, sign), "--at-most");
  if (attribute.kind != AttributeKind::categorical && attribute.kind != AttributeKind::list) {
    throw InputError(fmt::format("--at-most: {} is {}, expected an attribute with values to count",
                                 printable(attribute.name),
                                 attribute.kind == AttributeKind::numeric ? "a number" : "text"));
  }
  const graph::Csr& values = attribute.item_values;
  return {attribute.name, most,
          graph::Csr{values.num_rows, values.num_cols, values.offsets, values.columns, {}}};
}

}  // namespace

std::vector<std::uint8_t> where_holds(const Catalog& catalog, std::string_view where) {
  return where_holds(catalog, where, {});
}

std::vector<std::uint8_t> where_holds(const Catalog& rows, std::string_view where,
                                      const WhereSubject& subject) {
  return WhereParser(rows, where, subject).parse();
}

ItemChoice choose_items(const Dataset& dataset, const ItemFilterOptions& options) {
  ItemChoice choice;
  if (options.empty()) return choice;
  const bool chosen_alone = options.only_ids || !options.only_items.empty();
  Mask mask(static_cast<std::size_t>(dataset.num_items()), chosen_alone ? 0 : 1);
  const auto set = [&](const std::filesystem::path& file,
                       const std::optional<std::vector<std::string>>& ids, const char* name,
                       std::uint8_t value) {
    if (file.empty() && !ids) return;
    const IdFile found =
        ids ? find_raw_ids(*ids, dataset.items, "item", options.unknown, name, options.key.get())
            : read_id_file(file, dataset.items, "item", options.unknown, options.key.get());
    for (const NodeId item : found.ids) mask[static_cast<std::size_t>(item)] = value;
  };
  set(options.only_items, options.only_ids, "only_items", 1);
  set(options.exclude, options.exclude_ids, "exclude", 0);
  if (!options.where.empty() || !options.at_most.empty()) {
    std::optional<Catalog> read;
    if (dataset.use == DatasetUse::lookup) read = read_catalog(dataset);
    const Catalog& catalog = read ? *read : dataset.catalog;
    if (!options.where.empty()) {
      const Mask holds = where_holds(catalog, options.where);
      for (std::size_t i = 0; i < mask.size(); ++i) mask[i] &= holds[i];
    }
    for (const std::string& text : options.at_most)
      choice.limits.push_back(parse_limit(catalog, text));
  }
  if (options.chooses_all()) return choice;
  choice.allowed.emplace();
  for (std::size_t item = 0; item < mask.size(); ++item) {
    if (mask[item] != 0) choice.allowed->push_back(static_cast<NodeId>(item));
  }
  if (choice.allowed->empty())
    throw NoItemPasses(
        "no item of the catalogue passes the filters (--only-items, --exclude, --where)");
  return choice;
}

}  // namespace penchant::pipeline
