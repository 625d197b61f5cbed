// SPDX-License-Identifier: BSL-1.0
// docs/problems/lost_close.cpp - never ends. docs/finding-problems.md finds out why.
#include <weft/weft.hpp>

#include <cstdio>
#include <string>

namespace {

bool is_valid(const std::string& line) { return line.find('?') == std::string::npos; }

// Sends every line, then says that there are no more.
void read_lines(weft::channel<std::string>& lines) {
  for (int i = 0; i < 1000; ++i) {
    std::string line = i == 700 ? "???" : "line " + std::to_string(i);
    if (!is_valid(line)) return;
    lines.send(std::move(line));
  }
  lines.close();
}

}  // namespace

int main() {
  return weft::run([] {
    weft::channel<std::string> lines(16);
    weft::attributes a;
    a.name = "reader";
    auto reader = weft::spawn(a, [&] { read_lines(lines); });
    a.name = "counter";
    auto counter = weft::spawn(a, [&] {
      std::size_t letters = 0;
      for (const std::string& line : lines) letters += line.size();
      return letters;
    });
    reader.join();
    std::printf("%zu letters\n", counter.join());
    return 0;
  });
}
