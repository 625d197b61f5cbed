// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/service_stand_in.hpp - answers signal handlers and tools while the service thread calls a
// function of the application, which may take its time, wait for ever, or crash: the dump of that
// crash is written by another thread.
//
// Only while such a call lasts, and only for what handlers ask
// (upper_layers::answer_tool_requests): what the monitor asks waits for the call's end.
// Rejected: that thread for as long as the runtime lives (one more in every process, for what is
// rare).

#include <atomic>
#include <thread>

#include "sched/wake_word.hpp"

namespace weft::detail {

class service_stand_in {
 public:
  /// Without memory or a thread there is none.
  service_stand_in() noexcept;
  ~service_stand_in();
  service_stand_in(const service_stand_in&) = delete;
  service_stand_in& operator=(const service_stand_in&) = delete;

 private:
  void main() noexcept;

  wake_word* word_ = nullptr;
  std::atomic<bool> ends_{false};
  std::thread thread_;
};

}  // namespace weft::detail
