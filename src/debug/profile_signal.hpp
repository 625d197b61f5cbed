// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/profile_signal.hpp - the half of the profiler that runs in the signal handler.
//
// It reads the thread's own worker and the fiber it runs, and follows frame pointers within the
// stack it is on; it takes no lock and asks for no memory. The fiber's name is read only outside of
// weft, where the fiber cannot end under it; samples within weft get it from the others of the same
// fiber.

#include <atomic>

#include <sys/types.h>

#include "debug/profile_ring.hpp"
#include "os/os.hpp"

namespace weft::detail {

struct sampled_thread {
  std::atomic<pid_t> thread{0};  // 0: free to be used again
  os::thread_timer timer;        // collector
  profile_ring ring;
  bool seen = false;               // collector
  sampled_thread* next = nullptr;  // constant once it is in the chain
};
// never freed; release by the collector, acquire by handlers
extern constinit std::atomic<sampled_thread*> sampled_threads;
extern constinit std::atomic<bool> sampling;

/// The handler of profile::options::signal. Returns false for another owner's timer.
bool on_profile_signal(int signal, siginfo_t* info, void* context);

}  // namespace weft::detail
