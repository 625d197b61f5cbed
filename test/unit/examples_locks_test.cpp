// SPDX-License-Identifier: BSL-1.0
// unit/examples_locks_test.cpp - the examples in the documentation of the headers of locks and
// their friends, word for word, with the little they need around them. test/house/examples.py
// compares the two.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <string>
#include <vector>

#include <weft/weft.hpp>

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

TEST_CASE("example: weighted semaphore") {
  weft::weighted_semaphore megabytes(512);
  megabytes.acquire(200);
  const bool fits = megabytes.try_acquire(400);
  megabytes.release(200);
  CHECK(!fits);
}
