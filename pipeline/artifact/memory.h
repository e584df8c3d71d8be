// SPDX-License-Identifier: Apache-2.0
// How much memory there is to take, how much was taken, and the refusal to take more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <new>
#include <string>
#include <utility>

namespace penchant::pipeline {

/// Work that was refused because it does not fit; the message has the numbers. The program exits 4.
class NotEnoughMemory : public std::bad_alloc {
 public:
  explicit NotEnoughMemory(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

/// Bytes that this process may still take: the least of the machine's available memory, what is
/// left of its control groups, and of its address space (ulimit -v).
std::int64_t available_memory();
/// Of the control group of this process (v1 or v2) and of each around it, the least that is left; the
/// largest number without a limit. `root`: of the file system that says so.
std::int64_t left_in_control_groups(const std::filesystem::path& root);

/// Resident size now.
std::int64_t resident_memory();

/// Gives memory that was freed back to the system, so that the resident size is of what is held.
void release_freed_memory();

/// Largest resident size since the start or the last reset_peak_memory(), where the kernel lets a
/// process reset it.
std::int64_t peak_memory();
void reset_peak_memory();

/// "12G", "500M", "64K" or a number of bytes (powers of 1024), from 1 to 2^63 - 1. Throws
/// InputError that names `key`.
std::int64_t parse_bytes(const std::string& text, const char* key);
/// "1.50 GiB".
std::string bytes_text(std::int64_t bytes);

}  // namespace penchant::pipeline
