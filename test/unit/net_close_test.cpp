// SPDX-License-Identifier: BSL-1.0
// unit/net_close_test.cpp - how waits end that nothing comes for: deadlines, stop requests, a
// close; and limits.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fiber/record.hpp"
#include "support/in_child.hpp"
#include "support/net.hpp"
#include "support/ubsan.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
using weft::net::endpoint;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

namespace {

std::error_code read_one(tcp_stream& s) {
  std::byte one;
  std::error_code ec;
  static_cast<void>(s.read_some({&one, 1}, ec));
  return ec;
}

std::error_code fill(tcp_stream& s) {
  const auto data = pattern(1 << 20);
  std::error_code ec;
  while (!ec) s.write_all(data, ec);
  return ec;
}

// Is the fiber off its stack, waiting?
template <class T>
bool is_parked(const weft::fiber<T>& f) {
  using word = weft::detail::fiber_word;
  const auto& record = weft::detail::record_of(*f.native_task());
  return word::state_of(record.word.snapshot()) == weft::detail::fiber_state::parked;
}

// A listener whose backlog is full: connecting to it stays under way.
struct full_listener {
  tcp_listener listener{any_port, 0};
  std::vector<int> waiting;
  bool full = false;
  full_listener() {
    sockaddr_storage at{};
    const auto size = static_cast<socklen_t>(listener.local_endpoint().to_native(at));
    for (int i = 0; i < 16 && !full; ++i) {
      waiting.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
      ::connect(waiting.back(), reinterpret_cast<sockaddr*>(&at), size);
      pollfd p{waiting.back(), POLLOUT, 0};
      full = ::poll(&p, 1, 200) == 0;
    }
  }
  ~full_listener() {
    for (const int s : waiting) ::close(s);
  }
};

}  // namespace

TEST_CASE("tcp: a deadline ends a read, a write and an accept, and can be taken back") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream &a = ab.first, &b = ab.second;
    a.set_read_deadline(clock::now() + 5ms);
    CHECK(read_one(a) == std::errc::timed_out);
    CHECK(read_one(a) == std::errc::timed_out);  // it stays
    b.write_all(bytes("12"));
    yield_until([&] { return !read_one(a); });  // what is there comes in spite of it
    a.set_read_deadline(tcp_stream::no_deadline);
    CHECK_FALSE(read_one(a));
    a.set_write_deadline(clock::now() + 5ms);
    CHECK(fill(a) == std::errc::timed_out);
    std::string what;
    a.set_deadline(clock::now() - 1h);
    CHECK(thrown_by([&a] { a.write_all(pattern(1 << 20)); }, &what) == std::errc::timed_out);
    CHECK(what.find(a.remote_endpoint().to_string()) != std::string::npos);
    tcp_listener listener(any_port);
    listener.set_deadline(clock::now() + 5ms);
    std::error_code ec;
    CHECK_FALSE(listener.accept(ec).is_open());
    CHECK(ec == std::errc::timed_out);
    listener.set_deadline(tcp_listener::no_deadline);
    auto client = weft::spawn([&] { return tcp_stream(listener.local_endpoint()); });
    CHECK(listener.accept().is_open());
    client.join();
  });
}

TEST_CASE("tcp: deadlines on a plain thread") {
  std::optional<std::pair<tcp_stream, tcp_stream>> pair;
  weft::runtime r;
  r.spawn([&] { pair.emplace(connected_pair()); }).join();
  pair->first.set_deadline(clock::now() + 5ms);
  CHECK(read_one(pair->first) == std::errc::timed_out);
  CHECK(fill(pair->first) == std::errc::timed_out);
}

TEST_CASE("tcp: a deadline or a stop request ends a connect") {
  full_listener busy;
  if (!busy.full) {
    MESSAGE("skipped: this kernel takes connections beyond the backlog");
    return;
  }
  at_worker_counts([&] {
    const endpoint at = busy.listener.local_endpoint();
    std::error_code ec;
    CHECK_FALSE(tcp_stream::connect(at, clock::now() + 5ms, ec).is_open());
    CHECK(ec == std::errc::timed_out);
    auto f = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(tcp_stream::connect(at, why));
      return why;
    });
    yield_until([&] { return is_parked(f); });
    f.request_stop();
    CHECK(f.join() == std::errc::operation_canceled);
  });
}

TEST_CASE("tcp: a stop request ends a read, a write and an accept, before or during the wait") {
  at_worker_counts([] {
    for (const bool before : {true, false}) {
      auto ab = connected_pair();
      tcp_stream& a = ab.first;
      tcp_listener listener(any_port);
      auto reading = weft::spawn([&a] { return read_one(a); });
      auto writing = weft::spawn([&a] { return fill(a); });
      auto accepting = weft::spawn([&] {
        std::error_code ec;
        static_cast<void>(listener.accept(ec));
        return ec;
      });
      yield_until([&] {
        return before || (is_parked(reading) && is_parked(writing) && is_parked(accepting));
      });
      reading.request_stop();
      writing.request_stop();
      accepting.request_stop();
      CHECK(reading.join() == std::errc::operation_canceled);
      CHECK(writing.join() == std::errc::operation_canceled);
      CHECK(accepting.join() == std::errc::operation_canceled);
      CHECK(a.is_open());
    }
  });
}

TEST_CASE("tcp: close from another fiber ends every wait; later calls say it is closed") {
  at_worker_counts([] {
    for (const bool before : {true, false}) {
      auto ab = connected_pair();
      tcp_stream &a = ab.first, &b = ab.second;
      tcp_listener listener(any_port);
      std::vector<weft::fiber<std::error_code>> waits;
      // Two of each direction: one in the slot, one in the extra waiters.
      for (int i = 0; i < 2; ++i) {
        waits.push_back(weft::spawn([&a] { return read_one(a); }));
        waits.push_back(weft::spawn([&a] { return fill(a); }));
        waits.push_back(weft::spawn([&] {
          std::error_code ec;
          static_cast<void>(listener.accept(ec));
          return ec;
        }));
      }
      yield_until([&] {
        return before || std::all_of(waits.begin(), waits.end(), is_parked<std::error_code>);
      });
      a.close();
      listener.close();
      a.close();  // twice is no error
      for (auto& w : waits) {
        const std::error_code ec = w.join();
        // Those that had not begun find it closed.
        CHECK((ec == std::errc::operation_canceled || ec == std::errc::bad_file_descriptor));
        if (!before) CHECK(ec == std::errc::operation_canceled);
      }
      CHECK(read_one(a) == std::errc::bad_file_descriptor);
      CHECK(thrown_by([&] { static_cast<void>(listener.accept()); }) ==
            std::errc::bad_file_descriptor);
      CHECK_FALSE(a.is_open());
      CHECK(a.native_handle() == -1);
      std::byte one;
      std::error_code ec;
      CHECK(b.read_some({&one, 1}, ec) <= 1);  // what was sent, or the end, or a reset; no hang
    }
  });
}

TEST_CASE("tcp: close from a fiber ends the wait of a plain thread") {
  at_worker_counts([] {
    auto ab = connected_pair();
    tcp_stream& a = ab.first;
    tcp_listener listener(any_port);
    std::error_code reading, accepting;
    std::thread reader([&a, &reading] { reading = read_one(a); });
    std::thread acceptor([&] { static_cast<void>(listener.accept(accepting)); });
    weft::this_fiber::sleep_for(5ms);
    a.close();
    listener.close();
    reader.join();
    acceptor.join();
    const auto ended = [](std::error_code ec) {
      return ec == std::errc::operation_canceled || ec == std::errc::bad_file_descriptor;
    };
    CHECK(ended(reading));
    CHECK(ended(accepting));
  });
}

TEST_CASE("tcp: nobody reads from a number the kernel has given away") {
  // A reader holds on to its number until it is out; the next socket gets another, or the same
  // afterwards.
  at_worker_counts([] {
    for (int round = 0; round < 20; ++round) {
      auto ab = connected_pair();
      tcp_stream& a = ab.first;
      auto reading = weft::spawn([&a] { return read_one(a); });
      weft::this_fiber::yield();
      a.close();
      auto cd = connected_pair();
      tcp_stream &c = cd.first, &d = cd.second;
      d.write_all(bytes("for c only"));
      CHECK(reading.join() != std::error_code{});
      std::array<std::byte, 10> buffer;
      c.read_exactly(buffer);
      CHECK(text(buffer) == "for c only");
    }
  });
}

TEST_CASE("tcp: the end of a runtime ends its fibers' waits") {
  for (const std::size_t workers : {1, 2, 8}) {
    weft::options o;
    o.workers = workers;
    weft::runtime r(o);
    tcp_listener listener(any_port);
    auto accepting = r.spawn([&] {
      std::error_code ec;
      static_cast<void>(listener.accept(ec));
      return ec;
    });
    CHECK(r.shutdown() == 0);
    CHECK(accepting.join() == std::errc::operation_canceled);
  }
}

TEST_CASE("tcp: out of descriptors, connect says so; accept waits, and loses no connection") {
  if (ubsan_needs_descriptors()) return;
  const auto end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.retake = false;
    ::alarm(60);
    return weft::run(o, [] {
      // Both workers are up: none comes later, and takes the descriptor that is closed below.
      std::atomic<int> up{0};
      const auto meet = [&] {
        ++up;
        while (up < 2) continue;
      };
      auto other = weft::spawn(meet);
      meet();
      other.join();
      tcp_listener listener(any_port);
      std::vector<tcp_stream> clients;
      for (int i = 0; i < 3; ++i) clients.emplace_back(listener.local_endpoint());
      tcp_stream extra(listener.local_endpoint());
      tcp_stream extra_end = listener.accept();  // of clients[0], to be closed below
      const int next = ::open("/dev/null", O_RDONLY);
      ::close(next);
      rlimit limit{static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
      ::setrlimit(RLIMIT_NOFILE, &limit);
      std::error_code ec;
      static_cast<void>(listener.accept_for(5ms, ec));
      if (ec != std::errc::timed_out) return 1;
      std::string text;
      if (thrown_by([&] { tcp_stream more(listener.local_endpoint()); }, &text) !=
          std::errc::too_many_files_open)
        return 2;
      if (text.find("ulimit -n") == std::string::npos) return 3;
      ::close(STDIN_FILENO);  // room for one, of which weft hears nothing
      tcp_stream first = listener.accept();
      if (!first.is_open()) return 4;
      auto second = weft::spawn([&] { return listener.accept(); });
      auto third = weft::spawn([&] { return listener.accept(); });
      weft::this_fiber::sleep_for(3ms);
      extra_end.close();  // these two are heard of
      first.close();
      const tcp_stream two = second.join(), three = third.join();
      if (!two.is_open() || !three.is_open()) return 5;
      // After them: of several that accept, any may get the next connection.
      auto stopped = weft::spawn([&] {
        std::error_code why;
        static_cast<void>(listener.accept(why));
        return why;
      });
      stopped.request_stop();
      if (stopped.join() != std::errc::operation_canceled) return 6;
      auto closed = weft::spawn([&] {
        std::error_code why;
        static_cast<void>(listener.accept(why));
        return why;
      });
      weft::this_fiber::sleep_for(3ms);
      listener.close();
      return closed.join() == std::errc::operation_canceled ? 0 : 7;
    });
  });
  CHECK_MESSAGE(end.exit_code == 0, end.errors);
  // One line, with the address and the limit to raise, however many attempts there were.
  CHECK(end.errors.find("weft: accept at 127.0.0.1:") != std::string::npos);
  CHECK(end.errors.find("ulimit -n") != std::string::npos);
  CHECK(end.errors.find("weft: accept") == end.errors.rfind("weft: accept"));
}

TEST_CASE("tcp: a plain thread that accepts without descriptors waits, too") {
  if (ubsan_needs_descriptors()) return;
  const auto end = in_child([] {
    tcp_listener listener(any_port);
    tcp_stream client(listener.local_endpoint());
    tcp_stream other(listener.local_endpoint());
    const int next = ::open("/dev/null", O_RDONLY);
    ::close(next);
    rlimit limit{static_cast<rlim_t>(next), static_cast<rlim_t>(next)};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    std::error_code ec;
    static_cast<void>(listener.accept_for(5ms, ec));
    if (ec != std::errc::timed_out) return 1;
    std::thread closes([&] {
      std::this_thread::sleep_for(3ms);
      other.close();
    });
    const bool open = listener.accept().is_open();
    closes.join();
    return open ? 0 : 2;
  });
  CHECK_MESSAGE(end.exit_code == 0, end.errors);
}
