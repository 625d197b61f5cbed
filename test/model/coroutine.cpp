// SPDX-License-Identifier: BSL-1.0
// test/model/coroutine.cpp - see coroutine.hpp. The one place of the checker that knows
// Boost.Context and ASan.
#include "coroutine.hpp"

#include <boost/context/detail/fcontext.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_MODEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_MODEL_ASAN 1
#endif
#endif
#if defined(WEFT_MODEL_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace weft::model {

namespace {

namespace fctx = boost::context::detail;

void before_switch([[maybe_unused]] void** fake, [[maybe_unused]] const void* bottom,
                   [[maybe_unused]] std::size_t size) {
#if defined(WEFT_MODEL_ASAN)
  __sanitizer_start_switch_fiber(fake, bottom, size);
#endif
}

void after_switch([[maybe_unused]] void* fake, [[maybe_unused]] const void** bottom,
                  [[maybe_unused]] std::size_t* size) {
#if defined(WEFT_MODEL_ASAN)
  __sanitizer_finish_switch_fiber(fake, bottom, size);
#endif
}

}  // namespace

struct coroutine::entry {
  struct passing {
    coroutine* from;
    coroutine* to;
  };

  // Every arrival stores the suspended context of whoever jumped, and learns where its stack is
  // (the root's is known in no other way).
  static void arrive(fctx::transfer_t t, void* fake) {
    coroutine* from = static_cast<passing*>(t.data)->from;
    from->context_ = t.fctx;
    after_switch(fake, &from->bottom_, &from->size_);
  }

  static void run(fctx::transfer_t t) {
    coroutine* self = static_cast<passing*>(t.data)->to;
    arrive(t, nullptr);
    self->body_(self->argument_);
    __builtin_trap();
  }
};

void coroutine::start(void (*body)(void*), void* argument) {
  if (!stack_) stack_.reset(new std::byte[stack_size]);
#if defined(WEFT_MODEL_ASAN)
  // The frames of the last body were left, not returned from: their poison is still there.
  __asan_unpoison_memory_region(stack_.get(), stack_size);
#endif
  bottom_ = stack_.get();
  size_ = stack_size;
  body_ = body;
  argument_ = argument;
  context_ = fctx::make_fcontext(stack_.get() + stack_size, stack_size, entry::run);
}

void coroutine::jump(coroutine& from, coroutine& to) {
  entry::passing pair{&from, &to};
  before_switch(&from.fake_stack_, to.bottom_, to.size_);
  entry::arrive(fctx::jump_fcontext(to.context_, &pair), from.fake_stack_);
}

}  // namespace weft::model
