// SPDX-License-Identifier: Apache-2.0
// A file where it lies: what is not looked at is not read. Files of artefacts are replaced, never
// written to, so what is mapped stays as it is.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

namespace penchant::graph {

class MappedFile {
 public:
  MappedFile() = default;
  /// Throws InputError as open_regular() does.
  explicit MappedFile(const std::filesystem::path& path);
  /// On a page boundary.
  std::string_view bytes() const {
    return {static_cast<const char*>(memory_.get()), memory_.get_deleter().size};
  }

 private:
  struct Unmap {
    std::size_t size;
    void operator()(void* memory) const noexcept;
  };
  std::unique_ptr<void, Unmap> memory_{nullptr, Unmap{0}};
};

}  // namespace penchant::graph
