// SPDX-License-Identifier: Apache-2.0
// Where targets put inputs that are read as files, and how they ask for an answer.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "graph/error.h"

namespace penchant::fuzz {

/// A folder of this process, in memory where the system has that; removed at its end.
const std::filesystem::path& work_folder();
/// work_folder()/NAME with these bytes.
std::filesystem::path put_file(std::string_view name, std::string_view bytes);
/// Takes what says that an input is none.
template <typename Action>
void answer(Action action) {
  try {
    action();
  } catch (const InputError&) {
  }
}

/// The first bytes of an input choose options; the rest is the input itself.
class Choices {
 public:
  explicit Choices(std::string_view& input) : input_(input) {}
  /// 0 to end - 1; 0 where the input has ended.
  unsigned below(unsigned end) {
    if (input_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(input_.front());
    input_.remove_prefix(1);
    return byte % end;
  }
  bool flag() { return below(2) == 1; }

 private:
  std::string_view& input_;
};

/// What stands before the first `mark`, which goes too; all of it where there is none.
inline std::string_view take_to(std::string_view& input, char mark) {
  const std::size_t end = input.find(mark);
  const std::string_view head = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return head;
}

}  // namespace penchant::fuzz
