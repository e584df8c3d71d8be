// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/field_ends.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

TEST(FieldEnds, AreThoseOfAPlainLoop) {
  std::mt19937 random(1);
  std::vector<std::uint32_t> ends;
  for (const std::size_t size : {0, 1, 63, 64, 65, 127, 128, 4095, 4096, 4097, 9000}) {
    for (const char* letters : {",\n", "ab,\n\r\xFF", "aaaaaaaaaaaaaaaaaaaaaaaaaaa,"}) {
      const std::size_t kinds = std::string_view(letters).size();
      std::string text;
      while (text.size() < size) text += letters[random() % kinds];
      std::vector<std::uint32_t> want;
      for (std::uint32_t i = 0; i < size; ++i) {
        if (text[i] == ',' || text[i] == '\n') want.push_back(i);
      }
      const std::string padded = text + std::string(kTextPadding, ',');
      const std::size_t count = list_field_ends({padded.data(), size}, ',', ends);
      EXPECT_EQ(std::vector<std::uint32_t>(ends.begin(),
                                           ends.begin() + static_cast<std::ptrdiff_t>(count)),
                want)
          << size << " bytes of '" << letters << "'";
    }
  }
}

// Positions within a vector, the separator itself may be any byte, and what lies behind the text
// counts for nothing.
TEST(FieldEnds, EveryPlaceAndSeparator) {
  std::vector<std::uint32_t> ends;
  for (const char separator : {',', '\t', '\0', '\xFF', '\n'}) {
    for (std::size_t size = 1; size < 130; ++size) {
      for (std::size_t place = 0; place < size; ++place) {
        std::string text(size + kTextPadding, separator);
        std::fill(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size), 'a');
        text[place] = separator;
        ASSERT_EQ(list_field_ends({text.data(), size}, separator, ends), 1U) << size;
        ASSERT_EQ(ends[0], place);
      }
    }
  }
}

}  // namespace
}  // namespace penchant::pipeline
