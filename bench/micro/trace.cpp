// SPDX-License-Identifier: BSL-1.0
// bench/micro/trace.cpp - what an event costs while nobody listens, and while it is recorded.
#include <benchmark/benchmark.h>

#include <weft/trace.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "trace/clock.hpp"
#include "trace/event.hpp"
#include "trace/recorder.hpp"

namespace {

using namespace weft;
namespace inner = weft::detail::trace;

void event_off(benchmark::State& state) {
  std::uint64_t fiber = 1;
  for (auto _ : state) {
    inner::emit(inner::event::fiber_yield, ++fiber);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(event_off);

// Into a flight recorder: no disk takes part.
template <class Body>
void recorded(benchmark::State& state, Body body) {
  trace::flight_options o;
  o.on_crash = false;
  trace::start_flight_recorder(o);
  std::uint64_t i = 1;
  for (auto _ : state) body(++i);
  trace::stop();
  if (trace::look().dropped != 0) state.SkipWithError("events were dropped");
}

void event_on(benchmark::State& state) {
  recorded(state,
           [](std::uint64_t i) { inner::emit(inner::event::fiber_ready, i & 0xff, 9, i & 0xf); });
}
BENCHMARK(event_on);

void event_on_at_once(benchmark::State& state) {
  recorded(state,
           [](std::uint64_t i) { inner::emit_at_once(inner::event::fiber_resume, i & 0xff); });
}
BENCHMARK(event_on_at_once);

void create_on(benchmark::State& state) {
  recorded(state, [](std::uint64_t i) { inner::record_create(i, 0x1234567, 5); });
}
BENCHMARK(create_on);

void end_on(benchmark::State& state) {
  recorded(state, [](std::uint64_t i) { inner::emit_end(i); });
}
BENCHMARK(end_on);

void log_on(benchmark::State& state) {
  recorded(state, [](std::uint64_t) { trace::log("a line of forty characters, more or less"); });
}
BENCHMARK(log_on);

void clock_alone(benchmark::State& state) {
  inner::prepare_clock();
  for (auto _ : state) benchmark::DoNotOptimize(inner::ticks_now());
}
BENCHMARK(clock_alone);

}  // namespace
