// SPDX-License-Identifier: Apache-2.0
// A fiber of the SIMT emulation: a stack of its own and a job that it runs again each time it is
// asked to. Switches go through Boost.Context and are announced to AddressSanitizer, so that stack
// errors inside kernels are found too.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <boost/context/fiber.hpp>

namespace penchant::simt {

class Fiber {
 public:
  /// `body` is called once per run(); it may call pause() any number of times.
  explicit Fiber(std::function<void()> body);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Starts the body, or continues behind its pause(). Returns when it pauses or ends.
  void resume();
  /// Back to resume()'s caller. Only from inside the body.
  void pause();

 private:
  static constexpr std::size_t kStackBytes = std::size_t{128} << 10;

  void enter();
  void leave();

  std::function<void()> body_;
  std::unique_ptr<std::byte[]> stack_;
  boost::context::fiber inside_;
  boost::context::fiber outside_;
  bool ending_ = false;
  // Bookkeeping for AddressSanitizer: fake stacks of both sides and the bounds of the outer stack.
  void* inside_fake_stack_ = nullptr;
  void* outside_fake_stack_ = nullptr;
  const void* outside_bottom_ = nullptr;
  std::size_t outside_size_ = 0;
};

}  // namespace penchant::simt
