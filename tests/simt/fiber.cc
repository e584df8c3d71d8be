// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/fiber.h"

#include <utility>

#include <boost/context/preallocated.hpp>
#include <boost/context/stack_context.hpp>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#else
// Without the sanitizer nobody needs to know of a switch.
static void __sanitizer_start_switch_fiber(void**, const void*, std::size_t) {}
static void __sanitizer_finish_switch_fiber(void*, const void**, std::size_t*) {}
#endif

namespace penchant::simt {

namespace context = boost::context;

namespace {

/// The stack belongs to the Fiber.
struct NoAllocator {
  void deallocate(context::stack_context&) {}
};

}  // namespace

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)), stack_(new std::byte[kStackBytes]) {
  context::stack_context stack;
  stack.size = kStackBytes;
  stack.sp = stack_.get() + kStackBytes;
  inside_ =
      context::fiber(std::allocator_arg, context::preallocated(stack.sp, stack.size, stack),
                     NoAllocator{}, [this](context::fiber&& outside) {
                       outside_ = std::move(outside);
                       enter();
                       while (!ending_) {
                         body_();
                         pause();
                       }
                       // The fake stack is given back: this stack is never entered again.
                       __sanitizer_start_switch_fiber(nullptr, outside_bottom_, outside_size_);
                       return std::move(outside_);
                     });
}

Fiber::~Fiber() {
  ending_ = true;
  resume();
}

void Fiber::enter() {
  __sanitizer_finish_switch_fiber(inside_fake_stack_, &outside_bottom_, &outside_size_);
}

void Fiber::resume() {
  __sanitizer_start_switch_fiber(&outside_fake_stack_, stack_.get(), kStackBytes);
  inside_ = std::move(inside_).resume();
  __sanitizer_finish_switch_fiber(outside_fake_stack_, nullptr, nullptr);
}

void Fiber::pause() {
  __sanitizer_start_switch_fiber(&inside_fake_stack_, outside_bottom_, outside_size_);
  outside_ = std::move(outside_).resume();
  enter();
}

}  // namespace penchant::simt
