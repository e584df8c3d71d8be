// SPDX-License-Identifier: Apache-2.0
#include "graph/mapped_file.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/files.h"

namespace penchant::graph {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file = open_regular(path);
  const auto failure = [&] {
    return InputError(fmt::format("{}: cannot be mapped: {}", path.string(), std::strerror(errno)));
  };
  struct stat status {};
  if (fstat(file.get(), &status) != 0) throw failure();
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return;
  void* const memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) throw failure();
  memory_ = {memory, Unmap{size}};
}

void MappedFile::Unmap::operator()(void* memory) const noexcept { munmap(memory, size); }

}  // namespace penchant::graph
