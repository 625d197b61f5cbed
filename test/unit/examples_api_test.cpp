// SPDX-License-Identifier: BSL-1.0
// unit/examples_api_test.cpp - the examples of the classes in the documentation of the headers,
// word for word, with the little they need around them. test/house/examples.py compares the two.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

TEST_CASE("example: handle") {
  weft::run([] {
    std::string reason;
    const auto parse = [](const char* text) -> int {
      if (*text == '\0') throw std::invalid_argument("no number");
      return std::stoi(text);
    };

    weft::fiber<int> good = weft::spawn(parse, "42");
    weft::fiber<int> bad = weft::spawn(parse, "");
    const int n = good.join();  // the result
    try {
      bad.join();  // rethrows what the fiber threw
    } catch (const std::invalid_argument& error) {
      reason = error.what();
    }

    CHECK(n == 42);
    CHECK(reason == "no number");
  });
}

TEST_CASE("example: runtime") {
  int sum = 0;

  weft::options o;
  o.workers = 2;
  o.name = "background";
  weft::runtime background(o);
  auto f = background.spawn([] { return 6 * 7; });  // from any thread
  sum += f.join();
  const std::size_t left_behind = background.shutdown();

  CHECK(sum == 42);
  CHECK(left_behind == 0);
}

TEST_CASE("example: tcp_listener") {
  weft::run([] {
    std::string answer(5, ' ');

    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));  // any free port
    auto server = weft::spawn([&] {
      weft::net::tcp_stream client = listener.accept();
      client.write_all("hello");
    });
    weft::net::tcp_stream stream(listener.local_endpoint());
    stream.set_read_deadline(std::chrono::steady_clock::now() + 30s);
    stream.read_exactly(answer);
    server.join();

    CHECK(answer == "hello");
  });
}

TEST_CASE("example: tcp_stream") {
  weft::run([] {
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    auto server = weft::spawn([&] {
      weft::net::tcp_stream client = listener.accept();
      std::array<std::byte, 64> request{};
      const std::size_t n = client.read_some(request);
      client.write_all(std::span(request).first(n));
    });
    const weft::net::endpoint address = listener.local_endpoint();
    std::string text;

    weft::net::tcp_stream stream = weft::net::tcp_stream::connect_for(address, 30s);
    stream.write_all("ping");
    stream.shutdown_send();
    std::array<char, 64> buffer;
    while (const std::size_t n = stream.read_some(buffer)) text.append(buffer.data(), n);

    CHECK(text == "ping");
    server.join();
  });
}

TEST_CASE("example: endpoint") {
  const weft::net::endpoint web("192.0.2.1", 80);
  const auto same = weft::net::endpoint::parse("192.0.2.1:80");
  const std::string text = weft::net::endpoint("::1", 443).to_string();  // "[::1]:443"

  CHECK(web == same);
  CHECK(text == "[::1]:443");
}

TEST_CASE("example: unix") {
  weft::run([] {
    std::string answer(5, ' ');
    const weft::net::unix_endpoint name("@weft-example-" + std::to_string(::getpid()));

    weft::net::unix_listener listener(name);
    auto server = weft::spawn([&] {
      weft::net::unix_stream client = listener.accept();
      client.write_all("hello");
    });
    weft::net::unix_stream stream(name);
    stream.read_exactly(answer);
    server.join();

    CHECK(answer == "hello");
  });
}

TEST_CASE("example: seqpacket") {
  weft::run([] {
    std::array<char, 64> text;

    auto [parent, child] = weft::net::unix_seqpacket::pair();
    auto worker = weft::spawn([&c = child] {
      std::array<char, 64> room;
      while (const auto command = c.receive(room))
        c.send({"done: ", std::span(room).first(command.size)});
    });
    parent.send("reload");
    const auto answer = parent.receive(text);
    parent.close();
    worker.join();

    CHECK(std::string_view(text.data(), answer.size) == "done: reload");
  });
}

TEST_CASE("example: seqpacket_listener") {
  weft::run([] {
    std::array<char, 64> text;
    const weft::net::unix_endpoint name("@weft-example-packets-" + std::to_string(::getpid()));

    weft::net::unix_seqpacket_listener listener(name);
    auto server = weft::spawn([&] { listener.accept().send("hello"); });
    weft::net::unix_seqpacket client(name);
    const auto greeting = client.receive(text);
    server.join();

    CHECK(std::string_view(text.data(), greeting.size) == "hello");
  });
}

TEST_CASE("example: region") {
  weft::run([] {
    int orders = 0;
    const auto load = [&] { ++orders; };

    {
      const weft::trace::region loading("load orders");
      load();
      weft::trace::log("orders loaded");
    }

    CHECK(orders == 1);
  });
}

TEST_CASE("example: dump") {
  weft::run([] {
    std::FILE* const log = std::tmpfile();

    weft::event never;
    auto waits = weft::spawn({.name = "reader"}, [&] { never.wait(); });
    weft::this_fiber::yield();
    const std::string dump = weft::debug::dump_fibers();  // names "reader" and what it waits for
    std::fputs(dump.c_str(), log);
    never.set();
    waits.join();

    CHECK(dump.find("reader") != std::string::npos);
    std::fclose(log);
  });
}

TEST_CASE("example: metrics") {
  weft::run([] {
    std::vector<std::string> names;

    const weft::process_metrics now = weft::metrics();
    for (const weft::runtime_metrics& rt : now.runtimes) {
      if (rt.wake_latency.quantile(0.99) > 10ms) names.push_back(rt.name);
    }
    const std::string page = weft::to_prometheus(now);

    CHECK(!page.empty());
  });
}

TEST_CASE("example: process") {
  weft::run([] {
    weft::process sort(
        {.program = "sort", .input = weft::stdio::pipe, .output = weft::stdio::pipe});
    sort.input().write_all("b\na\n");
    sort.input().close();
    std::array<std::byte, 64> text;
    const std::size_t n = sort.output().read_some(text);
    const bool sorted = sort.wait().success();
    CHECK(sorted);
    CHECK(std::string(reinterpret_cast<const char*>(text.data()), n) == "a\nb\n");
  });
}

TEST_CASE("example: pipe") {
  weft::run([] {
    weft::io::pipe_pair ends = weft::io::make_pipe();
    auto writer = weft::spawn([&] { ends.write.write_all("through a pipe"); });
    std::array<std::byte, 64> text;
    const std::size_t n = ends.read.read_some(text);
    writer.join();
    CHECK(n == 14);
  });
}
