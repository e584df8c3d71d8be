// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace penchant::fuzz {

namespace {

/// At or beyond the ends of types, as numbers are written.
constexpr std::array<std::string_view, 24> kNumbers = {"0",
                                                       "-0",
                                                       "-1",
                                                       "1",
                                                       "127",
                                                       "128",
                                                       "255",
                                                       "256",
                                                       "65535",
                                                       "65536",
                                                       "2147483647",
                                                       "2147483648",
                                                       "-2147483648",
                                                       "4294967295",
                                                       "4294967296",
                                                       "4611686018427387904",
                                                       "9223372036854775807",
                                                       "9223372036854775808",
                                                       "-9223372036854775808",
                                                       "18446744073709551615",
                                                       "1e308",
                                                       "1e-400",
                                                       "nan",
                                                       "inf"};
/// That mean something in one format or another.
constexpr std::array<std::string_view, 44> kWords = {"\"",
                                                     "\"\"",
                                                     "'",
                                                     ",",
                                                     ";",
                                                     "\t",
                                                     "|",
                                                     ":",
                                                     "=",
                                                     "\n",
                                                     "\r\n",
                                                     "\\",
                                                     "\\N",
                                                     " ",
                                                     "%",
                                                     "#",
                                                     "/",
                                                     "..",
                                                     "[",
                                                     "]",
                                                     "{",
                                                     "}",
                                                     "[[",
                                                     "]]",
                                                     "null",
                                                     "true",
                                                     "\xEF\xBB\xBF",
                                                     "\xFF",
                                                     std::string_view("\0", 1),
                                                     "\x1f",
                                                     "\xE2\x80\xAE",
                                                     "\x1b[",
                                                     "not_in",
                                                     ">=",
                                                     "!=",
                                                     "prefix",
                                                     "\\u0000",
                                                     "\\ud800",
                                                     "1970-01-01",
                                                     "T00:00:00Z",
                                                     "+09:00",
                                                     "%Y-%m-%d",
                                                     "item:token",
                                                     "${HOME}"};

class Mutation {
 public:
  Mutation(std::string input, std::string_view other, std::span<const std::uint64_t> constants,
           Random& random)
      : text_(std::move(input)), other_(other), constants_(constants), random_(random) {}

  void once() {
    switch (below(12)) {
      case 0:
        flip();
        break;
      case 1:
        if (!text_.empty()) text_[place()] = static_cast<char>(below(256));
        break;
      case 2:
        text_.insert(gap(), 1 + below(4), static_cast<char>(below(256)));
        break;
      case 3:
        leave_out();
        break;
      case 4:
        copy(text_);
        break;
      case 5:
        copy(other_);
        break;
      case 6:
        put(kWords[below(kWords.size())]);
        break;
      case 7:
      case 8:
        change_digits();
        break;
      case 9:
        put_number();
        break;
      case 10:
        put_constant();
        break;
      default:
        if (!text_.empty())
          text_[place()] = static_cast<char>(text_[place()] + (below(2) == 0 ? 1 : -1));
    }
    if (text_.size() > kLongestInput) text_.resize(kLongestInput);
  }
  std::string take() { return std::move(text_); }

 private:
  std::size_t below(std::size_t end) { return end == 0 ? 0 : random_() % end; }
  std::size_t place() { return below(text_.size()); }
  std::size_t gap() { return below(text_.size() + 1); }

  void flip() {
    if (text_.empty()) return;
    char& byte = text_[place()];
    byte = static_cast<char>(byte ^ (1 << below(8)));
  }
  void leave_out() {
    if (text_.empty()) return;
    const std::size_t from = place();
    text_.erase(from, 1 + below(std::min<std::size_t>(text_.size() - from, 1 + below(64))));
  }
  void copy(std::string_view from) {
    if (from.empty()) return;
    const std::size_t first = below(from.size());
    const std::string piece(
        from.substr(first, 1 + below(std::min<std::size_t>(from.size() - first, 256))));
    put(piece);
  }
  /// Into, or over what is there.
  void put(std::string_view piece) {
    const std::size_t at = gap();
    if (below(2) == 0)
      text_.insert(at, piece);
    else
      text_.replace(at, std::min(piece.size(), text_.size() - at), piece);
  }
  /// A run of digits becomes another number.
  void change_digits() {
    std::size_t at = gap();
    while (at < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at])) == 0) ++at;
    std::size_t end = at;
    while (end < text_.size() && std::isdigit(static_cast<unsigned char>(text_[end])) != 0) ++end;
    if (at == end) return;
    text_.replace(at, end - at, kNumbers[below(kNumbers.size())]);
  }
  void put_bytes(std::uint64_t value, std::size_t width) {
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    put(std::string_view(bytes.data(), width));
  }
  void put_number() {
    const std::uint64_t high = std::uint64_t{1} << below(64);
    put_bytes(below(2) == 0 ? high : high - 1, std::size_t{1} << below(4));
  }
  void put_constant() {
    if (constants_.empty()) return;
    const std::uint64_t value = constants_[below(constants_.size())];
    if (below(4) == 0)
      put(std::to_string(value));
    else
      put_bytes(value, value > 0xFFFFFFFFU ? 8 : value > 0xFFFF ? 4 : 1 + below(2));
  }

  std::string text_;
  std::string_view other_;
  std::span<const std::uint64_t> constants_;
  Random& random_;
};

}  // namespace

std::string mutated(std::string_view input, std::string_view other,
                    std::span<const std::uint64_t> constants, Random& random) {
  Mutation mutation(std::string(input), other, constants, random);
  const std::uint64_t changes = 1 + random() % 8;
  for (std::uint64_t change = 0; change < changes; ++change) mutation.once();
  return mutation.take();
}

}  // namespace penchant::fuzz
