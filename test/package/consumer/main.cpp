// SPDX-License-Identifier: BSL-1.0
// Uses the installed library as an application would: header, scheduler, a value through join().
#include <weft/weft.hpp>

int main() {
  return weft::run([] {
    auto six = weft::spawn([] { return 6; });
    auto seven = weft::spawn([](int n) { return n; }, 7);
    return six.join() * seven.join() == 42 ? 0 : 1;
  });
}
