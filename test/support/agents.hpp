// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/agents.hpp - the same body from fibers of one runtime, of two, from plain threads, and
// from all at once.

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <weft/fiber.hpp>
#include <weft/runtime.hpp>

namespace weft::test {

/// Where execution agents come from; `start(f)` runs f on the next one in turn, `join` waits for
/// all of them.
class agents {
 public:
  enum class kind { one_worker, two_workers, eight_workers, two_runtimes, threads, mixed };
  static constexpr kind all[] = {kind::one_worker,   kind::two_workers, kind::eight_workers,
                                 kind::two_runtimes, kind::threads,     kind::mixed};

  explicit agents(kind k) {
    const auto add = [this](std::size_t workers) {
      options o;
      o.workers = workers;
      runtimes_.push_back(std::make_unique<runtime>(o));
    };
    if (k == kind::one_worker || k == kind::two_runtimes || k == kind::mixed) add(1);
    if (k == kind::two_workers || k == kind::two_runtimes || k == kind::mixed) add(2);
    if (k == kind::eight_workers) add(8);
    with_threads_ = k == kind::threads || k == kind::mixed;
  }
  ~agents() { join(); }
  agents(const agents&) = delete;
  agents& operator=(const agents&) = delete;

  template <class F>
  void start(F f) {
    const std::size_t sources = runtimes_.size() + (with_threads_ ? 1 : 0);
    const std::size_t source = turn_++ % sources;
    if (source < runtimes_.size())
      fibers_.push_back(runtimes_[source]->spawn(std::move(f)));
    else
      threads_.emplace_back(std::move(f));
  }
  void join() {
    for (auto& f : fibers_) f.join();
    for (auto& t : threads_) t.join();
    fibers_.clear();
    threads_.clear();
  }

  static std::string name(kind k) {
    constexpr const char* names[] = {"one worker",   "two workers", "eight workers",
                                     "two runtimes", "threads",     "mixed"};
    return names[static_cast<int>(k)];
  }

 private:
  std::vector<std::unique_ptr<runtime>> runtimes_;
  bool with_threads_ = false;
  std::size_t turn_ = 0;
  std::vector<fiber<void>> fibers_;
  std::vector<std::thread> threads_;
};

/// body(execution agents&), once for each kind.
template <class Body>
void on_all_agents(Body&& body) {
  for (const agents::kind k : agents::all) {
    CAPTURE(agents::name(k));
    agents s(k);
    body(s);
  }
}

}  // namespace weft::test
