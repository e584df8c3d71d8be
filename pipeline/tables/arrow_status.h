// SPDX-License-Identifier: Apache-2.0
// Arrow's errors as ours. For the files that include Arrow only.
#pragma once

#include <filesystem>
#include <new>
#include <string>
#include <utility>

#include <arrow/result.h>
#include <arrow/status.h>
#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/memory.h"

namespace penchant::pipeline {

/// Throws NotEnoughMemory for a reason that says nothing about the file: EAGAIN and ENOMEM, threads
/// or memory that the system refused.
inline void throw_if_refused(const std::filesystem::path& path, const std::string& reason) {
  for (const char* refused : {"Failed to launch worker thread", "Resource temporarily unavailable",
                              "Cannot allocate memory", "std::bad_alloc", "malloc of size"}) {
    if (reason.find(refused) != std::string::npos)
      throw NotEnoughMemory(
          fmt::format("out of memory or threads while {} was used: {}", path.string(), reason));
  }
}

/// Throws InputError naming the file and the reason, or bad_alloc (NotEnoughMemory)
/// where memory or threads ran out.
[[noreturn]] inline void fail(const std::filesystem::path& path, const arrow::Status& status) {
  if (status.IsOutOfMemory()) throw std::bad_alloc();
  std::string reason = status.message();
  if (status.detail() != nullptr)
    reason += fmt::format(" {}", status.detail()->ToString());  // errno in words
  throw_if_refused(path, reason);
  if (reason.find("runcated compressed stream") != std::string::npos)
    reason = "the compressed file is cut off";
  throw InputError(fmt::format("{}: {}", path.string(), reason));
}

/// The value, or what `fail` throws.
template <typename T>
T take(arrow::Result<T> result, const std::filesystem::path& path) {
  if (!result.ok()) fail(path, result.status());
  return std::move(result).ValueUnsafe();
}

inline void check(const arrow::Status& status, const std::filesystem::path& path) {
  if (!status.ok()) fail(path, status);
}

}  // namespace penchant::pipeline
