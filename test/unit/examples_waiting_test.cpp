// SPDX-License-Identifier: BSL-1.0
// unit/examples_waiting_test.cpp - the examples in the documentation of the headers of channels,
// select and time, word for word, with the little they need around them. test/house/examples.py
// compares the two.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

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
    const int number = ends[0];
    REQUIRE(::write(ends[1], "x", 1) == 1);
    weft::channel<int> orders(1);
    char buffer[16];
    ssize_t n = 0;

    const auto events = weft::io::descriptor::borrow(number);
    weft::select(
        weft::on_readable(events, [&] { n = ::read(number, buffer, sizeof buffer); }),
        weft::on_receive(orders, [&](std::optional<int> order) { n = order.value_or(-1); }));

    CHECK(n == 1);
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

TEST_CASE("example: descriptor") {
  weft::run([] {
    const int number = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    std::uint64_t sum = 0, count = 0;
    auto poster = weft::spawn([&] {
      const std::uint64_t one = 1;
      for (int i = 0; i < 3; ++i) {
        REQUIRE(::write(number, &one, sizeof one) == sizeof one);
        weft::this_fiber::yield();
      }
    });

    const auto events = weft::io::descriptor::borrow(number);
    while (sum < 3) {
      events.wait_readable();
      if (::read(number, &count, sizeof count) == sizeof count) sum += count;
    }

    poster.join();
    CHECK(sum == 3);
    ::close(number);
  });
}

TEST_CASE("example: file") {
  weft::run([] {
    const std::string path = "/tmp/weft_example_" + std::to_string(::getpid());

    weft::io::file numbers(path, O_RDWR | O_CREAT | O_TRUNC);
    numbers.write_at("one two three", 0);
    char word[3];
    const std::size_t n = numbers.read_at(word, 4);

    CHECK(std::string(word, n) == "two");
    ::unlink(path.c_str());
  });
}

TEST_CASE("example: signal_set") {
  weft::run([] {
    weft::signal_set end{SIGUSR1, SIGTERM};
    auto waiter = weft::spawn([&] { return end.wait(); });
    ::kill(::getpid(), SIGTERM);
    const int signal = waiter.join();

    CHECK(signal == SIGTERM);
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

TEST_CASE("example: stop_callback") {
  weft::run([] {
    weft::channel<std::string> out(0);
    weft::event registered;
    const auto serve = [&] {
      registered.set();
      while (weft::this_fiber::sleep_for(1h) != weft::wait_result::stopped) {
      }
    };
    auto server = weft::spawn([&] {
      // send may wait
      weft::stop_callback farewell(weft::this_fiber::stop_token(), [&] { out.send("good-bye"); });
      serve();
    });
    registered.wait();
    server.request_stop();
    CHECK(out.receive() == "good-bye");
    server.join();
  });
}
