// SPDX-License-Identifier: BSL-1.0
// docs/problems/convoy.cpp - more workers do not make it faster. docs/finding-problems.md finds out
// why.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdio>
#include <mutex>

namespace {

using namespace std::chrono_literals;

struct journal {
  weft::mutex lock;
  int lines = 0;
};

// A disk that takes a millisecond.
void write_to_disk() { weft::this_fiber::sleep_for(1ms); }

void add_line(journal& j) {
  const std::lock_guard guard(j.lock);
  ++j.lines;
  write_to_disk();
}

void handle(journal& j, int requests) {
  for (int i = 0; i < requests; ++i) {
    weft::this_fiber::sleep_for(1ms);  // asks a database
    add_line(j);
  }
}

}  // namespace

int main() {
  return weft::run([] {
    journal j;
    const auto begin = std::chrono::steady_clock::now();
    {
      weft::scope handlers;
      for (int i = 0; i < 16; ++i) {
        weft::attributes a;
        a.name = "handler";
        handlers.spawn(a, [&j] { handle(j, 25); });
      }
      handlers.join();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%d requests in %.2f s, with 16 handlers that need 2 ms for each\n", j.lines,
                took.count());
    return 0;
  });
}
