// SPDX-License-Identifier: BSL-1.0
// test/trace/many_threads_test.cpp - a process that has had more threads than the recorder's table
// has entries (4096) knows the threads of now.
#include <weft/trace.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include "reader/reader.hpp"

using namespace weft;

namespace {

// The name of the thread that logged `text`.
std::string logger_of(const tools::trace& t, const std::string& text) {
  const auto e = std::find_if(t.events.begin(), t.events.end(),
                              [&](const auto& x) { return t.texts[x.text] == text; });
  return e == t.events.end() ? "" : t.threads[e->thread].name;
}

}  // namespace

TEST_CASE("trace: after thousands of threads the recorder knows the living and the latest") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("weft-threads-" + std::to_string(getpid())))
          .string();
  std::string own(16, '\0');
  pthread_getname_np(pthread_self(), own.data(), own.size());
  own.resize(own.find('\0'));
  for (int session = 0; session < 2; ++session) {
    trace::options o;
    o.path = path;
    o.memory = std::size_t{256} << 20;  // a thread that ends gives up a block
    trace::start(o);
    trace::log("here");
    for (int i = 0; i < 5000; ++i) std::thread([] { trace::log("on the way"); }).join();
    std::thread([] {
      pthread_setname_np(pthread_self(), "the last");
      trace::log("there");
    }).join();
    trace::stop();
    const tools::trace t = tools::read_trace_file(path);
    CHECK(t.problems.empty());
    CHECK(logger_of(t, "here") == own);
    CHECK(logger_of(t, "there") == "the last");
    CHECK(std::none_of(t.threads.begin(), t.threads.end(), [](const tools::trace_thread& x) {
      return x.name.starts_with("thread of ring");
    }));
  }
  std::filesystem::remove(path);
}
