// SPDX-License-Identifier: BSL-1.0
// unit/process_streams_test.cpp - children of a process that has closed its own standard streams,
// as daemons do. A file of its own: it forks, and so must come before the first runtime.
#include <weft/process.hpp>

#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/descriptors.hpp"
#include "support/in_child.hpp"

using namespace weft::test;
using weft::process;
using weft::stdio;

namespace {

// What came through the pipes, for each kind of stream; how much was wrong.
int with_closed_streams() {
  int wrong = 0;
  weft::run([&] {
    static_cast<void>(process({.program = "sleep", .arguments = {"0.1"}}).wait());
    for (const int n : {0, 1, 2}) ::close(n);  // now: what weft itself has opened is elsewhere
    constexpr stdio kinds[] = {stdio::inherit, stdio::null, stdio::pipe};
    for (const stdio in : kinds)
      for (const stdio out : kinds)
        for (const stdio error : kinds) {
          process p({.program = "sh",
                     .arguments = {"-c", "read line; echo \"$line\"; echo \"$line\" >&2"},
                     .input = in,
                     .output = out,
                     .error = error});
          if (in == stdio::pipe) p.input().write_all("word\n");
          p.input().close();
          const std::string line = in == stdio::pipe ? "word\n" : "\n";
          if (out == stdio::pipe && read_all(p.output()) != line) ++wrong;
          // without a standard output the shell complains, too
          if (error == stdio::pipe && !read_all(p.error()).ends_with(line)) ++wrong;
          if (!p.wait().exited()) ++wrong;
        }
  });
  return wrong;
}

}  // namespace

// Their numbers are free: a pipe gets them, and the child opens and duplicates one after the other.
TEST_CASE("process: standard streams that are closed here are in no child's way") {
  CHECK(in_child(with_closed_streams).exit_code == 0);
}
