// SPDX-License-Identifier: BSL-1.0
// Sockets, pipes, descriptors, files, names and signals while everything happens at once
// (support/lives.hpp). What one side sends the other gets, or its beginning; no descriptor is lost.
#include "support/lives.hpp"

#include <array>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <span>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using bytes = std::vector<std::byte>;

const weft::net::endpoint any_port("127.0.0.1", 0);

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// The nth byte of every stream.
std::byte byte_at(std::size_t n) { return static_cast<std::byte>(n * 7 % 251); }

bytes numbered(std::size_t from, std::size_t size) {
  bytes all(size);
  for (std::size_t i = 0; i < size; ++i) all[i] = byte_at(from + i);
  return all;
}

class world {
 public:
  explicit world(choices&) {}
  void step(choices& pick, int depth);
  void before_shutdown() {}
  void settle() {
    CHECK(wrong_ == 0);
    // Threads that look up names may have some, and a set of signals keeps one for the next.
    CHECK(open_descriptors() < 100);
  }

 private:
  void meet(choices& pick);
  void pass_messages(choices& pick);
  void pass_descriptors(choices& pick);
  void pipe_through(choices& pick);
  void watch(choices& pick);
  void close_meanwhile(choices& pick);
  void send_datagrams(choices& pick);
  void read_file(choices& pick);
  void look_up(choices& pick);
  void hear_signals(choices& pick);
  void expect(bool right) noexcept { add(wrong_, right ? 0 : 1); }

  template <class Stream>
  std::size_t send(Stream& to, choices& pick);
  template <class Stream>
  std::size_t take_all(Stream& from, std::error_code& ec);

  count wrong_{0};
};

/// In pieces; how much was taken.
template <class Stream>
std::size_t world::send(Stream& to, choices& pick) {
  std::size_t sent = 0;
  std::error_code ec;
  for (std::uint64_t n = 1 + pick.below(6); n > 0 && !ec; --n) {
    const bytes piece = numbered(sent, 1 + pick.below(20'000));
    sent += pick.below(2) == 0
                ? to.write_all(piece, ec)
                : to.write_all_for(piece, std::chrono::microseconds(pick.below(800)), ec);
  }
  return sent;
}

template <class Stream>
std::size_t world::take_all(Stream& from, std::error_code& ec) {
  std::array<std::byte, 4000> buffer;
  std::size_t got = 0;
  bool right = true;
  while (const std::size_t n = from.read_some(buffer, ec)) {
    for (std::size_t i = 0; i < n; ++i) right &= buffer[i] == byte_at(got + i);
    got += n;
  }
  expect(right);
  return got;
}

void world::meet(choices& pick) {
  weft::net::tcp_listener here(any_port);
  std::size_t got = 0, sent = 0;
  std::error_code ec, end;
  const bool resets = pick.below(4) == 0, leaves = pick.below(4) == 0;
  {
    weft::scope both;
    both.spawn([&] {
      weft::net::tcp_stream one = here.accept_for(20ms, ec);
      if (ec) return;
      if (leaves) one.set_read_deadline(std::chrono::steady_clock::now() + 100us);
      got = take_all(one, end);
      if (!end) one.write_all("end", ec);
    });
    std::error_code why;
    auto there = weft::net::tcp_stream::connect_for(here.local_endpoint(), 20ms, why);
    if (!why) {
      sent = send(there, pick);
      if (resets) {
        there.set_linger(0s);
      } else {
        there.shutdown_send(why);
        std::array<char, 3> answer;
        if (there.read_exactly(answer, why); !why) expect(answer == std::array{'e', 'n', 'd'});
      }
    }
  }
  expect(got <= sent);
  expect(ec || end || resets || got == sent);
}

/// Their boundaries are kept, and none is lost between two that live.
void world::pass_messages(choices& pick) {
  auto [here, there] = weft::net::unix_seqpacket::pair();
  std::size_t got = 0, sent = 0;
  std::error_code ec;
  {
    weft::scope both;
    both.spawn([&, to = std::move(there), n = 1 + pick.below(30)]() mutable {
      std::error_code why;
      for (; sent < n; ++sent) {
        to.send(numbered(sent, 1 + sent), why);
        if (why) return;
      }
    });
    std::array<std::byte, 64> room;
    for (;; ++got) {
      const auto message = here.receive_for(room, 20ms, ec);
      if (ec || !message) break;
      expect(message.size == got + 1 && room[got] == byte_at(2 * got));
    }
  }
  expect(got <= sent);
  expect(ec || got == sent);
}

void world::pass_descriptors(choices& pick) {
  auto [here, there] = weft::net::unix_stream::pair();
  weft::io::pipe_pair ends = weft::io::make_pipe();
  const std::array send{ends.read.native_handle()};
  std::error_code ec;
  if (pick.below(2) == 0)
    here.send_descriptors("x", send, ec);
  else
    here.send_descriptors_for("x", send, 300us, ec);
  if (ec) return;
  ends.read.close();
  std::array<weft::net::received_descriptor, 2> received;
  std::array<char, 4> text;
  const auto what = there.receive_descriptors(text, received);
  expect(what.bytes == 1 && what.descriptors == 1);
  weft::io::pipe_end read = weft::io::pipe_end::adopt(received[0].get());
  static_cast<void>(received[0].release());
  ends.write.write_all("through", ec);
  ends.write.close();
  std::array<char, 16> buffer;
  const std::size_t n = ec ? 0 : read.read_some(buffer, ec);
  expect(ec || std::string_view(buffer.data(), n) == "through");
}

void world::pipe_through(choices& pick) {
  weft::io::pipe_pair ends = weft::io::make_pipe();
  std::size_t got = 0, sent = 0;
  std::error_code ec;
  {
    weft::scope both;
    both.spawn([&, to = std::move(ends.write), stream = pick.below(~0ULL)]() mutable {
      choices own(stream);
      sent = this->send(to, own);
    });
    if (pick.below(3) == 0) ends.read.set_read_deadline(std::chrono::steady_clock::now() + 200us);
    got = take_all(ends.read, ec);
    ends.read.close();
  }
  expect(got <= sent);
  expect(ec || got == sent);
}

/// An eventfd that another fiber counts up: no wait ends too early, and none sleeps through it.
void world::watch(choices& pick) {
  const auto event = weft::io::descriptor::adopt(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  const auto stop = weft::this_fiber::stop_token();
  const std::uint64_t times = 1 + pick.below(20);
  std::uint64_t seen = 0;
  const auto read = [&] {
    std::uint64_t n = 0;
    if (::read(event.native_handle(), &n, sizeof n) == sizeof n) seen += n;
    return n > 0;
  };
  weft::scope both;
  both.spawn([&] {
    const std::uint64_t one = 1;
    for (std::uint64_t i = 0; i < times; ++i) {
      expect(::write(event.native_handle(), &one, sizeof one) == sizeof one);
      weft::this_fiber::yield();
    }
  });
  while (seen < times && !stop.stop_requested()) {
    switch (pick.below(3)) {
      case 0:
        if (event.wait_readable_for(10ms, stop)) expect(read());
        break;
      case 1:
        if (event.wait_readable(stop)) expect(read());
        break;
      default: {
        bool ready = false;
        weft::select(weft::on_readable(event, [&] { ready = true; }), weft::on_stop(stop, [] {}),
                     weft::on_timeout(5ms, [] {}));
        if (ready) read();  // another case may have been the one before
      }
    }
  }
}

/// Who waits hears of the close.
void world::close_meanwhile(choices& pick) {
  auto event = weft::io::descriptor::adopt(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  auto pair = weft::net::unix_stream::pair();
  weft::net::unix_stream& here = pair.first;
  weft::scope all;
  for (std::uint64_t i = pick.below(4); i > 0; --i) {
    all.spawn([&] {
      expect(event.wait(weft::io::readiness::readable) == std::errc::operation_canceled ||
             !event.is_open() || weft::this_fiber::stop_requested());
    });
    all.spawn([&] {
      std::array<std::byte, 8> buffer;
      std::error_code ec;
      expect(here.read_some(buffer, ec) == 0 && ec);
    });
  }
  if (pick.below(2) == 0) weft::this_fiber::yield();
  event.close();
  here.close();
}

void world::send_datagrams(choices& pick) {
  weft::net::udp_socket here(any_port), there(any_port);
  there.connect(here.local_endpoint());
  const std::size_t n = 1 + pick.below(10);
  std::error_code ec;
  for (std::size_t i = 0; i < n && !ec; ++i) there.send(numbered(i, 1 + i), ec);
  std::array<std::byte, 64> room;
  for (std::size_t i = 0; i < n && !ec; ++i) {
    const auto message = here.receive_for(room, 1h, ec);
    expect(ec || (message.size == 1 + i && room[i] == byte_at(2 * i)));
  }
  expect(!ec || ec == std::errc::operation_canceled);
}

void world::read_file(choices& pick) {
  const auto f = weft::io::file::adopt(::memfd_create("storm", MFD_CLOEXEC));
  const bytes all = numbered(0, 1 + pick.below(5000));
  std::error_code ec;
  if (f.write_at(all, 100, ec); ec) return;
  bytes read(all.size() + 10);
  const std::size_t n = f.read_at(read, 100, ec);
  read.resize(n);
  expect(ec || read == all);
}

void world::look_up(choices& pick) {
  std::error_code ec;
  const auto found = weft::net::resolve_for("127.0.0.1", 80 + static_cast<int>(pick.below(2)),
                                            std::chrono::microseconds(pick.below(3000)), ec);
  expect(ec ? found.empty() : found.size() == 1 && found[0].port() / 2 == 40);
}

void world::hear_signals(choices& pick) {
  weft::signal_set set{SIGUSR1};
  const bool own = pick.below(2) == 0;
  if (own) ::kill(::getpid(), SIGUSR1);
  if (const auto heard = own ? set.wait(weft::this_fiber::stop_token())
                             : set.wait_for(std::chrono::microseconds(pick.below(500))))
    expect(*heard == SIGUSR1);
}

void world::step(choices& pick, int) {
  switch (pick.below(12)) {
    case 0:
    case 1:
      return meet(pick);
    case 2:
      return pass_messages(pick);
    case 3:
      return pass_descriptors(pick);
    case 4:
      return pipe_through(pick);
    case 5:
    case 6:
      return watch(pick);
    case 7:
      return close_meanwhile(pick);
    case 8:
      return send_datagrams(pick);
    case 9:
      return read_file(pick);
    case 10:
      return look_up(pick);
    default:
      return hear_signals(pick);
  }
}

}  // namespace

TEST_CASE("the network at once, and a shutdown in the middle: nothing is lost") {
  std::signal(SIGUSR1, SIG_IGN);  // one may come when the set it was sent for is gone
  lives<world>();
}
