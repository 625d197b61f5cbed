// SPDX-License-Identifier: BSL-1.0
// worker_pool - so many workers, a queue with so much room, and an end that loses nothing.
//
//   back-pressure:  the queue is a channel with a capacity; whoever submits waits while it is full
//   shutdown:       close the queue; the workers finish what is in it and leave; the scope waits
//                   for them
//   in a hurry:     at the scope's deadline, jobs that still run are asked to stop
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

#include <weft/weft.hpp>

namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;

class worker_pool {
 public:
  using job = std::function<void()>;

  worker_pool(int workers, std::size_t room, clock_type::time_point deadline)
      : queue_(room), workers_(weft::scope_deadline{deadline}) {
    for (int i = 0; i < workers; ++i)
      workers_.spawn([this] {
        for (auto& work : queue_) work();
      });
  }
  /// Waits while the queue is full. False: the pool is shutting down.
  bool submit(job work) { return queue_.send(std::move(work)); }
  /// No more jobs; returns when all that were submitted are done.
  void shut_down() {
    queue_.close();
    workers_.join();
  }
  ~worker_pool() { queue_.close(); }

 private:
  weft::channel<job> queue_;  // before the workers that use it
  weft::scope workers_;
};

}  // namespace

int main(int argc, char** argv) {
  int workers = 8, jobs = 200, ms = 2, patience = 10'000;
  std::size_t room = 16;
  CLI::App app("A worker pool with back-pressure and graceful shutdown");
  app.add_option("--workers", workers, "fibers that work")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--room", room, "jobs that may wait")->capture_default_str();
  app.add_option("--jobs", jobs, "jobs to do")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--ms", ms, "how long a job takes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--patience", patience, "milliseconds until jobs are asked to stop")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  return weft::run([&] {
    std::atomic<int> done{0}, cut_short{0};
    milliseconds waited{0};
    const auto start = clock_type::now();
    worker_pool pool(workers, room, start + milliseconds(patience));
    for (int i = 0; i < jobs; ++i) {
      const auto asked = clock_type::now();
      pool.submit([&] {
        // stands for work that waits
        const auto end = weft::this_fiber::sleep_for(milliseconds(ms));
        ++(end == weft::wait_result::timeout ? done : cut_short);
      });
      waited += std::chrono::duration_cast<milliseconds>(clock_type::now() - asked);
    }
    pool.shut_down();
    fmt::print("{} done, {} asked to stop; {} ms, of which the submitter waited {} ms for room\n",
               done.load(), cut_short.load(),
               std::chrono::duration_cast<milliseconds>(clock_type::now() - start).count(),
               waited.count());
    return done + cut_short == jobs ? 0 : 1;
  });
}
