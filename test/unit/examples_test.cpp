// SPDX-License-Identifier: BSL-1.0
// unit/examples_test.cpp - the examples in the documentation of the headers, word for word, with the little they need
// around them. test/cmake/examples.cmake compares the two.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

TEST_CASE("example: fiber") {
  weft::run([] {
    std::vector<int> numbers{1, 2, 3, 4};

    auto sum = weft::spawn([&] { return std::accumulate(numbers.begin(), numbers.end(), 0); });
    auto least = weft::spawn([](int a, int b) { return a < b ? a : b; }, 7, 3);
    const int both = sum.join() + least.join();

    CHECK(both == 13);
  });
}

TEST_CASE("example: this_fiber") {
  weft::run([] {
    std::atomic<int> rounds{0};

    auto beat = weft::spawn([&] {
      while (weft::this_fiber::sleep_for(1ms) != weft::wait_result::stopped) ++rounds;
    });
    weft::this_fiber::sleep_for(10ms);
    beat.request_stop();
    beat.join();

    CHECK(rounds > 0);
  });
}

TEST_CASE("example: scope") {
  weft::run([] {
    const std::vector<std::string> names{"a", "bb", "ccc"};
    std::atomic<std::size_t> bytes{0};

    {
      weft::scope work(weft::scope_limit{64});
      for (const auto& name : names) work.spawn([&] { bytes += name.size(); });
    }  // all have ended; the first failure is thrown here

    CHECK(bytes == 6);
  });
}

TEST_CASE("example: scope_deadline") {
  weft::run([] {
    weft::wait_result end{};
    const auto ask = [&] { end = weft::this_fiber::sleep_for(1h); };

    {
      weft::scope work(weft::scope_deadline{std::chrono::steady_clock::now() + 20ms});
      work.spawn(ask);
    }  // whatever it waited in was ended then

    CHECK(end == weft::wait_result::stopped);
  });
}

namespace {
struct connection {
  int queries = 0;
};

weft::fiber_local<connection> database;  // at namespace scope
}  // namespace

TEST_CASE("example: fiber_local") {
  weft::run([] {
    int mine = 0;

    auto f = weft::spawn([] { return ++database->queries; });
    mine = f.join();

    CHECK(mine == 1);
    CHECK(database->queries == 0);
  });
}

TEST_CASE("example: no_preempt") {
  weft::run([] {
    int steps = 0;
    const auto write_registers = [&] { ++steps; };

    {
      const weft::no_preempt together;
      write_registers();
    }

    CHECK(steps == 1);
  });
}

TEST_CASE("example: offload") {
  weft::run([] {
    const auto read_all = [](const std::string& path) { return path.size(); };
    const std::string path = "config";

    const auto text = weft::offload([&] { return read_all(path); });  // a pool's thread reads, this fiber waits

    CHECK(text == 6);
  });
}

TEST_CASE("example: block_in_place") {
  weft::run([] {
    int polls = 0;
    const auto wait_for_device = [&] { ++polls; };

    weft::block_in_place([&] { wait_for_device(); });  // on this thread; its processor goes on elsewhere

    CHECK(polls == 1);
  });
}

TEST_CASE("example: mutex") {
  weft::run([] {
    const std::string word = "weft";

    weft::mutex lock;
    std::map<std::string, int> count;  // under lock
    {
      const std::lock_guard guard(lock);
      ++count[word];
    }

    CHECK(count[word] == 1);
  });
}

namespace {
class account {
 public:
  void add(int n) {
    const std::lock_guard guard(lock_);
    balance_ += n;
  }
  void add_twice(int n) {
    const std::lock_guard guard(lock_);
    add(n);
    add(n);
  }
  int balance() const { return balance_; }

 private:
  weft::recursive_mutex lock_;
  int balance_ = 0;
};
}  // namespace

TEST_CASE("example: recursive_mutex") {
  weft::run([] {
    account a;
    a.add_twice(3);
    CHECK(a.balance() == 6);
  });
}

TEST_CASE("example: shared_mutex") {
  weft::run([] {
    const std::string name = "x", address = "::1";
    std::string found;

    weft::shared_mutex lock;
    std::map<std::string, std::string> table;  // under lock
    {
      const std::lock_guard writer(lock);
      table[name] = address;
    }
    {
      const std::shared_lock reader(lock);
      found = table.at(name);
    }

    CHECK(found == address);
  });
}

TEST_CASE("example: condition_variable") {
  weft::run([] {
    weft::mutex lock;
    weft::condition_variable not_empty;
    std::queue<int> queue;
    auto producer = weft::spawn([&] {
      {
        const std::lock_guard guard(lock);
        queue.push(7);
      }
      not_empty.notify_one();
    });

    std::unique_lock guard(lock);
    not_empty.wait(guard, [&] { return !queue.empty(); });

    CHECK(queue.front() == 7);
    guard.unlock();
    producer.join();
  });
}

TEST_CASE("example: semaphore") {
  weft::run([] {
    int queries = 0;
    const auto query = [&] { ++queries; };

    weft::counting_semaphore<> connections(10);
    connections.acquire();
    query();
    connections.release();

    CHECK(queries == 1);
  });
}

TEST_CASE("example: latch") {
  weft::run([] {
    const int workers = 3;
    std::atomic<int> done{0};
    const auto warm_up = [&] { ++done; };
    std::vector<weft::fiber<>> fibers;

    weft::latch warm(workers);
    for (int i = 0; i < workers; ++i) {
      fibers.push_back(weft::spawn([&] {
        warm_up();
        warm.count_down();
      }));
    }
    warm.wait();

    CHECK(done == workers);
    for (auto& f : fibers) f.join();
  });
}

TEST_CASE("example: barrier") {
  weft::run([] {
    constexpr int n = 3, rounds = 4;
    std::vector<int> now(n, 1), next(n, 0);
    weft::scope all;

    weft::barrier step(n, [&]() noexcept { std::swap(now, next); });
    const auto compute = [&](int i) {
      for (int round = 0; round < rounds; ++round) {
        next[i] = now[i] + now[(i + 1) % n];
        step.arrive_and_wait();
      }
    };
    for (int i = 0; i < n; ++i) all.spawn(compute, i);
    all.join();

    CHECK(now == std::vector<int>(n, 16));
  });
}

TEST_CASE("example: once") {
  weft::run([] {
    int connections = 0, connection = 0;
    const auto connect = [&] { return ++connections; };

    weft::once_flag connected;
    weft::call_once(connected, [&] { connection = connect(); });

    weft::call_once(connected, [&] { connection = connect(); });
    CHECK(connection == 1);
  });
}

TEST_CASE("example: wait_group") {
  weft::run([] {
    struct job {
      std::atomic<bool> has_run{false};
      void run() { has_run = true; }
    };
    std::vector<job> jobs(3);

    weft::wait_group pending;
    for (auto& job : jobs) {
      pending.add();
      weft::spawn([&] {
        job.run();
        pending.done();
      }).detach();
    }
    pending.wait();

    for (auto& j : jobs) CHECK(j.has_run);
  });
}

TEST_CASE("example: event") {
  weft::run([] {
    bool listening = false;
    const auto listen = [&] { listening = true; };
    const auto serve = [] {};

    weft::event ready;
    auto server = weft::spawn([&] {
      listen();
      ready.set();
      serve();
    });
    ready.wait();

    CHECK(listening);
    server.join();
  });
}

TEST_CASE("example: channel") {
  weft::run([] {
    weft::channel<std::string> lines(64);
    auto counter = weft::spawn([&] {
      std::size_t n = 0;
      for (auto& line : lines) n += line.size();  // until closed and drained
      return n;
    });
    lines.send("hello");
    lines.close();
    const std::size_t bytes = counter.join();

    CHECK(bytes == 5);
  });
}

TEST_CASE("example: select") {
  weft::run([] {
    weft::channel<int> jobs(1), results(1);
    jobs.send(3);
    jobs.close();
    int next = 9, done = 0;
    bool open = true;
    const auto work = [&](int n) { done += n; };
    const auto leave = [&] { open = false; };
    const auto say_still_alive = [] {};

    while (open) {
      weft::select(
          weft::on_receive(jobs, [&](std::optional<int> job) { job ? work(*job) : leave(); }),
          weft::on_send(results, next, [&](bool sent) { next += sent; }),
          weft::on_stop(weft::this_fiber::stop_token(), [&] { leave(); }),
          weft::on_timeout(1s, [&] { say_still_alive(); }));
    }

    CHECK(done == 3);
    CHECK(next <= 10);  // there is room for one
  });
}

TEST_CASE("example: select fd") {
  weft::run([] {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const int events = ends[0];
    REQUIRE(::write(ends[1], "x", 1) == 1);
    weft::channel<int> orders(1);
    char buffer[16];
    ssize_t n = 0;

    weft::select(weft::on_readable(events, [&] { n = ::read(events, buffer, sizeof buffer); }),
                 weft::on_receive(orders, [&](std::optional<int> order) { n = order.value_or(-1); }));

    CHECK(n == 1);
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST_CASE("example: selector") {
  weft::run([] {
    std::vector<std::unique_ptr<weft::channel<int>>> channels;
    for (int i = 0; i < 3; ++i) {
      channels.push_back(std::make_unique<weft::channel<int>>(1));
      channels.back()->send(i);
      channels.back()->close();
    }
    int sum = 0;

    weft::selector inputs;
    std::size_t open = channels.size();
    for (auto& c : channels) {
      inputs.add(weft::on_receive(*c, [&, at = inputs.size()](std::optional<int> n) {
        if (n) {
          sum += *n;
        } else {
          inputs.disable(at);
          --open;
        }
      }));
    }
    while (open > 0) inputs.select();

    CHECK(sum == 3);
  });
}

TEST_CASE("example: timer") {
  weft::run([] {
    weft::channel<int> requests(1);
    requests.send(0);
    bool asked = false;
    const auto serve = [&](std::optional<int> r) {
      asked = true;
      return r.has_value() && *r != 0;
    };

    weft::timer idle(30s);
    for (bool open = true; open;) {
      weft::select(weft::on_receive(requests,
                                    [&](auto r) {
                                      idle.reset(30s);
                                      open = serve(r);
                                    }),
                   weft::on_timer(idle, [&] { open = false; }));
    }

    CHECK(asked);
  });
}

TEST_CASE("example: ticker") {
  weft::run([] {
    std::atomic<int> reports{0};
    const auto report = [&] { ++reports; };

    auto reporter = weft::spawn([&] {
      weft::ticker every(5ms);
      while (every.wait(weft::this_fiber::stop_token())) report();
    });

    while (reports < 2) weft::this_fiber::sleep_for(1ms);
    reporter.request_stop();
    reporter.join();
  });
}

TEST_CASE("example: rate_limiter") {
  weft::run([] {
    std::queue<int> waiting({1, 2, 3});
    int sent = 0;
    const auto send = [&](int) { ++sent; };

    weft::rate_limiter limit(100.0, 10);  // 100 requests a second, 10 at once
    for (; !waiting.empty(); waiting.pop()) {
      limit.acquire();
      send(waiting.front());
    }

    CHECK(sent == 3);
  });
}
