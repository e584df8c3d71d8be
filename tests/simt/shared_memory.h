// SPDX-License-Identifier: Apache-2.0
// Shared memory of an emulated block. Kernels see an array: name[i] reads, name[i] = v writes,
// &name[i] goes to atomicAdd. Each element remembers who wrote and who read it last and when: a
// read of an element that nothing wrote, or two accesses that no barrier orders and of which one
// writes, is a Violation. A barrier of the block orders all threads, __syncwarp the lanes of a
// warp; shuffles order nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/simt/machine.h"

namespace penchant::simt {

class SharedRegion {
 public:
  enum class Access { read, write, atomic };

  SharedRegion(const char* name, std::size_t element_bytes, std::size_t count);

  std::size_t count() const { return elements_.size(); }
  std::size_t element_bytes() const { return element_bytes_; }
  /// Checks the access of the running thread and returns the element's memory.
  void* touch(std::int64_t index, Access access);

 private:
  static constexpr std::int32_t kNobody = -1;
  static constexpr std::int32_t kOneWarp = -2;  ///< several lanes of `reader_warp`
  static constexpr std::int32_t kSeveral = -3;  ///< threads of several warps

  struct Element {
    bool written = false;
    bool atomic = false;
    Machine::Moment write{kNobody, 0, 0};
    Machine::Moment read{kNobody, 0, 0};
    std::int32_t reader_warp = kNobody;
  };

  static bool ordered(const Machine::Moment& before, const Machine::Moment& now);
  static bool reads_ordered(const Element& element, const Machine::Moment& now);
  static void note_read(Element& element, const Machine::Moment& now);
  [[noreturn]] void violate(const std::string& what, std::int64_t index,
                            const Machine::Moment& now) const;

  std::string name_;
  std::size_t element_bytes_;
  std::vector<Element> elements_;
  std::unique_ptr<std::byte[]> bytes_;
};

template <typename T>
class SharedPointer;

template <typename T>
class SharedReference {
 public:
  SharedReference(SharedRegion* region, std::int64_t index) : region_(region), index_(index) {}
  SharedReference(const SharedReference&) = default;

  operator T() const {  // NOLINT(google-explicit-constructor)
    T value;
    std::memcpy(&value, region_->touch(index_, SharedRegion::Access::read), sizeof(T));
    return value;
  }
  SharedReference& operator=(const T& value) {
    std::memcpy(region_->touch(index_, SharedRegion::Access::write), &value, sizeof(T));
    return *this;
  }
  SharedReference& operator=(const SharedReference& other) { return *this = static_cast<T>(other); }
  SharedReference& operator+=(const T& value) { return *this = static_cast<T>(*this) + value; }
  SharedPointer<T> operator&() const { return {region_, index_}; }  // NOLINT: as a pointer's

 private:
  SharedRegion* region_;
  std::int64_t index_;
};

template <typename T>
class SharedPointer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  SharedPointer(SharedRegion* region, std::int64_t index) : region_(region), index_(index) {}

  SharedReference<T> operator[](std::int64_t i) const { return {region_, index_ + i}; }
  SharedReference<T> operator*() const { return {region_, index_}; }
  SharedPointer operator+(std::int64_t i) const { return {region_, index_ + i}; }
  /// Returns the value before.
  T atomic_add(const T& value) const {
    void* place = region_->touch(index_, SharedRegion::Access::atomic);
    T before;
    std::memcpy(&before, place, sizeof(T));
    const T after = before + value;
    std::memcpy(place, &after, sizeof(T));
    return before;
  }

 private:
  SharedRegion* region_;
  std::int64_t index_;
};

/// What PENCHANT_SHARED declares. `key` differs from declaration to declaration.
template <typename T>
SharedPointer<T> shared_array(const void* key, const char* name, std::size_t count) {
  return {&Machine::running().shared_region(key, name, sizeof(T), count), 0};
}
template <typename T>
SharedPointer<T> dynamic_shared_array(const char* name) {
  return {&Machine::running().shared_region(nullptr, name, sizeof(T), 0), 0};
}

}  // namespace penchant::simt
