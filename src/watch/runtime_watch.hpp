// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/runtime_watch.hpp - everything that looks after a runtime's processors and holds none: two
// threads, and what they do in rounds or when asked.
//
//   monitor         looks at every processor, in rounds    asks the others for what it finds
//   service_thread  what the monitor must not do: allocate, block, call the user
//   spares          workers to give processors to
//   retaker         takes one from a worker that is blocked in the kernel
//   preempter       takes one from a worker that computes past its slice
//   thawer          lets a preempted thread go on that somebody may wait for
//   stalls          tells the user of fibers that keep their thread
//   resizer         as many processors as there are CPUs
//   compensator     and more while fibers block for moments, again and again
//   stack_trimmer   gives back the memory of idle stacks
//   schedtrace      prints a line now and then
// Each holds its own state and a scheduler&; none reaches into another's.

#include <weft/metrics.hpp>

#include "sched/watcher.hpp"
#include "watch/monitor.hpp"
#include "watch/schedtrace.hpp"

namespace weft::detail {

class runtime_watch final : public watcher {
 public:
  /// Throws as preempter and service_thread.
  explicit runtime_watch(scheduler& s);
  void start() override;
  void end() noexcept override;
  [[nodiscard]] std::size_t threads() const noexcept override;
  [[nodiscard]] bool is_still_used() const noexcept override;

  /// What it has counted.
  void add_to(runtime_metrics& m) const noexcept;
  [[nodiscard]] preempter& preemption() noexcept { return preempter_; }

 private:
  std::int64_t serve();

  friend struct watch_probe;  // tests

  scheduler& s_;
  service_thread service_;
  spares spares_;
  stalls stalls_;
  retaker retaker_;
  preempter preempter_;
  thawer thawer_;
  resizer resizer_;
  stack_trimmer trimmer_;
  schedtrace schedtrace_;
  monitor monitor_;
};

}  // namespace weft::detail
