// SPDX-License-Identifier: BSL-1.0
// screenshot PAGE WIDTH HEIGHT EXPRESSION - shows the page PAGE in Chromium, evaluates the
// expression in it, and prints what is on display then: a PNG, in base64. WEFT_CHROMIUM names the
// browser.
//
// For tools/pictures, which knows the pages; the driver is the tests'.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include "../test/trace/browser.hpp"

namespace {

int run(char** arguments) {
  const std::string chromium = weft::test::browser::find();
  if (chromium.empty()) {
    std::fputs("there is no Chromium; apt-get install chromium, or set WEFT_CHROMIUM\n", stderr);
    return 1;
  }
  std::string home = std::filesystem::temp_directory_path() / "weft-screenshot-XXXXXX";
  if (mkdtemp(home.data()) == nullptr) {
    std::perror(home.c_str());
    return 1;
  }
  std::string picture;
  {
    weft::test::browser browser(chromium, home, std::atoi(arguments[2]), std::atoi(arguments[3]));
    browser.open(std::filesystem::absolute(arguments[1]));
    browser.evaluate(arguments[4]);
    browser.frame();
    picture = browser.screenshot();
    for (const std::string& text : browser.complaints) std::fprintf(stderr, "%s\n", text.c_str());
  }
  std::error_code still_written;
  std::filesystem::remove_all(home, still_written);
  std::puts(picture.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 5) return run(argv);
  std::fprintf(stderr, "usage: %s PAGE WIDTH HEIGHT EXPRESSION\n", argv[0]);
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
