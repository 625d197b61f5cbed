// SPDX-License-Identifier: BSL-1.0
// unit/io_pipe_test.cpp - pipes as streams.
#include <weft/io/pipe.hpp>

#include <chrono>
#include <csignal>
#include <string>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/agents.hpp"
#include "support/descriptors.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

static_assert(weft::net::stream<weft::io::pipe_end>);

TEST_CASE("io::pipe: more than it holds passes through, from and to all agents") {
  on_all_agents([](agents& a) {
    auto [in, out] = weft::io::make_pipe();
    const std::string sent(300'000, 'x');
    std::string got(300'000, '?');
    a.start([&, &out = out] {
      out.write_all({"head", sent});
      out.close();
    });
    a.start([&, &in = in] {
      std::string head(4, '?');
      in.read_exactly({head, got});
      REQUIRE(head == "head");
      char more;
      REQUIRE(in.read_some(weft::net::mutable_buffer(&more, 1)) == 0);
    });
    a.join();
    CHECK(got == sent);
  });
}

TEST_CASE("io::pipe: deadlines, closing, and a reader that is gone") {
  each_fiber([] {
    auto pipe = weft::io::make_pipe();
    std::string s(10, '?');
    std::error_code ec;
    CHECK(pipe.read.read_some_for(s, 1ms, ec) == 0);
    CHECK(ec == std::errc::timed_out);
    pipe.read.set_read_deadline(std::chrono::steady_clock::now() + 1ms);
    CHECK_THROWS_AS(static_cast<void>(pipe.read.read_some(s)), std::system_error);
    pipe.read.set_read_deadline(weft::io::pipe_end::no_deadline);

    auto f = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(pipe.read.read_some(s, why));
      return why;
    });
    until([&] { return is_parked(f); });
    pipe.read.close();
    CHECK(f.join() == std::errc::operation_canceled);
    std::signal(SIGPIPE, SIG_DFL);  // it would end the process
    CHECK(pipe.write.write_some("x", ec) == 0);
    CHECK(ec == std::errc::broken_pipe);
    CHECK_THROWS_WITH_AS(pipe.write.write_all("x"), doctest::Contains("write to the pipe"),
                         std::system_error);
  });
}
