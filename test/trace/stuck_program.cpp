// SPDX-License-Identifier: BSL-1.0
// test/trace/stuck_program.cpp - fibers in known places, then an abort, for gdb_test.cpp.
#include <weft/weft.hpp>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

namespace {

weft::mutex lock;
weft::channel<int> numbers(4);
weft::fiber<int>* volatile reader_handle = nullptr;

[[gnu::noinline]] int wait_in_here() {
  volatile int local = 42;
  const std::optional<int> n = numbers.receive();
  return n.value_or(0) + local;
}
[[gnu::noinline]] void lock_in_here(int& count) {
  const std::lock_guard guard(lock);
  ++count;
}

}  // namespace

int main() {
  weft::options o;
  o.workers = 2;
  o.dump_on_crash = false;
  weft::runtime rt(o);
  weft::event locked, all_there;
  auto first = rt.spawn([&] {
    const std::lock_guard guard(lock);
    locked.set();
    all_there.wait();
    // Both are where they shall be when they are seen there.
    while (weft::debug::dump_fibers().find("parked, mutex") == std::string::npos ||
           weft::debug::dump_fibers().find("parked, channel receive") == std::string::npos)
      weft::this_fiber::yield();
    std::abort();
  });
  locked.wait();
  // Spawned by this thread, they are fibers 2 and 3. Each worker has a thousand numbers of its own,
  // and the first fiber may be moved from one to another.
  weft::attributes a;
  a.name = "reader";
  auto reader = rt.spawn(a, [] { return wait_in_here(); });
  reader_handle = &reader;
  int count = 0;
  a.name = std::string("locker\n\xff\0", 9);
  auto locker = rt.spawn(a, [&] { lock_in_here(count); });
  all_there.set();
  first.join();
}
