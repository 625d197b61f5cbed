// SPDX-License-Identifier: BSL-1.0
// late: what is late beside what. HOGS fibers that do not let others run, beside one thing that
// wants to run every millisecond, or, the pair, all the time.
//   HOG      0 a loop without a call   1 blocking calls of 2 ms   2 try_ operations   3 a mutex of
//            its own 4 spawn and join   5 20 us of work, then a yield
//   WATCHED  0 a 1 ms ticker: from when it was due   1 a channel pair: its round trip
//            2 a new fiber: from its spawn by a plain thread to its start   3 a socket: from the
//              write by a plain thread to the read
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "common/weft.hpp"

namespace {

// relaxed throughout: it publishes nothing, the joins order
std::atomic<bool> stop{false};
bool running() { return !stop.load(std::memory_order_relaxed); }

void pause_thread(std::chrono::nanoseconds t) {
  const timespec pause{0, static_cast<long>(t.count())};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

void hog(std::int64_t kind) {
  using namespace std::chrono_literals;
  switch (kind) {
    case 0:
      while (running()) continue;
      return;
    case 1:
      while (running()) pause_thread(2ms);
      return;
    case 2: {
      weft::channel<int> c(1);
      while (running()) {
        static_cast<void>(c.try_send(1));
        static_cast<void>(c.try_receive());
      }
      return;
    }
    case 3: {
      weft::mutex m;
      while (running()) {
        m.lock();
        m.unlock();
      }
      return;
    }
    case 4:
      while (running()) weft::spawn([] {}).join();
      return;
    default:
      while (running()) {
        for (const auto end = bench::clock::now() + 20us; bench::clock::now() < end;) continue;
        weft::this_fiber::yield();
      }
  }
}

void watch(weft::runtime& rt, std::int64_t kind, bench::lateness& late) {
  using namespace std::chrono_literals;
  const auto tick = 1ms;
  switch (kind) {
    case 0:
      for (auto due = bench::clock::now() + tick; running(); due = bench::clock::now() + tick) {
        weft::this_fiber::sleep_until(due);
        late.add(due, bench::clock::now());
      }
      return;
    case 1: {
      weft::channel<int> there(0), back(0);
      auto echo = weft::spawn([&] {
        while (const auto v = there.receive()) static_cast<void>(back.send(*v));
      });
      for (auto at = bench::clock::now(); running();) {
        static_cast<void>(there.send(1));
        static_cast<void>(back.receive());
        const auto now = bench::clock::now();
        late.add(at, now);
        at = now;
      }
      there.close();
      echo.join();
      return;
    }
    case 2: {
      std::thread outside([&] {
        while (running()) {
          pause_thread(tick);
          const auto now = bench::clock::now();
          late.add(now, rt.spawn([] { return bench::clock::now(); }).join());
        }
      });
      weft::offload([&] { outside.join(); });
      return;
    }
    default: {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
      std::thread outside([&] {
        while (running()) {
          pause_thread(tick);
          const auto now = bench::clock::now();
          if (::write(ends[1], &now, sizeof now) != sizeof now) break;
        }
        ::close(ends[1]);
      });
      auto stream = weft::net::tcp_stream::adopt(ends[0]);
      bench::clock::time_point sent;
      std::error_code ec;
      while (stream.read_exactly(std::as_writable_bytes(std::span(&sent, 1)), ec) == sizeof sent)
        late.add(sent, bench::clock::now());
      outside.join();
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"HOGS", "HOG", "WATCHED", "MS"});
  bench::version(WEFT_COMPARE_VERSION);
  weft::options options;
  options.workers = size.workers;
  weft::runtime rt(options);
  bench::lateness late;
  std::atomic<std::int64_t> ended{0};
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(size[3]));
    stop.store(true, std::memory_order_relaxed);
  });
  auto watcher = rt.spawn([&] { watch(rt, size[2], late); });
  std::vector<weft::fiber<void>> hogs;
  for (std::int64_t i = 0; i < size[0]; ++i)
    hogs.push_back(rt.spawn([&] {
      hog(size[1]);
      ended.fetch_add(1, std::memory_order_relaxed);
    }));
  watcher.join();
  for (auto& h : hogs) h.join();
  stopper.join();
  late.report(double(size[3]));
  bench::answer(ended.load(std::memory_order_relaxed));
  return 0;
}
