// SPDX-License-Identifier: BSL-1.0
// sched/service_stand_in.cpp - see the header.
#include "sched/service_stand_in.hpp"

#include <exception>

#include "os/os.hpp"
#include "sched/hooks.hpp"

namespace weft::detail {

service_stand_in::service_stand_in() noexcept {
  try {
    word_ = &register_wake_word();  // [WAKEWORD-2]
    const os::block_signals blocked;
    thread_ = std::thread([this] { main(); });
  } catch (const std::exception&) {  // no memory, no thread
  }
}

service_stand_in::~service_stand_in() {
  if (thread_.joinable()) {
    ends_.store(true, std::memory_order_release);  // then rings: main
    word_->ring();
    thread_.join();
  }
  if (word_ != nullptr) take_down(*word_);
}

void service_stand_in::main() noexcept {
  os::set_thread_name("weft-standin");
  for (;;) {
    const std::uint32_t heard = word_->hear();  // [SERVICE-1]
    if (ends_.load(std::memory_order_acquire)) return;
    upper.answer_tool_requests();
    word_->sleep(heard, [](const std::atomic<std::uint32_t>& word, std::uint32_t value) {
      os::futex_wait(word, value);
    });
  }
}

}  // namespace weft::detail
