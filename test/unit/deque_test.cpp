// SPDX-License-Identifier: BSL-1.0
// The run queue by itself, on one thread: both ends, growth, claims. Threads:
// stress/deque_stampede_test.cpp; interleavings: model/deque_model.cpp.
#include <cstdint>
#include <deque>

#include <doctest/doctest.h>

#include "sched/deque.hpp"
#include "support/seed.hpp"

using weft::detail::steal_status;
using queue = weft::detail::deque<int*>;

namespace {

int items[100'000];
int* item(std::size_t i) { return &items[i]; }

}  // namespace

TEST_CASE("empty at every end") {
  queue q(4);
  CHECK(q.pop() == nullptr);
  CHECK(q.take() == nullptr);
  CHECK(q.peek() == nullptr);
  CHECK(q.peek_further() == nullptr);
  CHECK(!q.pop(item(1)));
  CHECK(queue::steal_session(q).steal().first == steal_status::empty);
  CHECK(q.size() == 0);
  q.push(item(1));
  CHECK(!q.pop(item(0)));
  CHECK(q.pop(item(1)));
  CHECK(!q.pop(item(1)));  // it still stands in its slot
  CHECK(q.pop() == nullptr);
  q.push(item(2));
  CHECK(q.pop() == item(2));
}

TEST_CASE("pop is newest first, take and steal are oldest first") {
  queue q(4);
  for (std::size_t i = 0; i < 10; ++i) q.push(item(i));
  CHECK(q.pop() == item(9));
  CHECK(queue::steal_session(q).steal().second == item(0));
  CHECK(q.take() == item(1));
  CHECK(!q.pop(item(7)));
  CHECK(q.pop(item(8)));
  CHECK(q.take() == item(2));
}

TEST_CASE("claims keep to a limit, and peek looks beyond them") {
  queue q;
  for (std::size_t i = 0; i < 20; ++i) q.push(item(i));
  q.limit_claims(3);
  CHECK(q.take() == item(0));
  CHECK(q.claimed() == 2);
  CHECK(q.take() == item(1));
  CHECK(q.peek() == item(2));
  CHECK(q.peek_further() == item(3));  // nobody's yet
  CHECK(q.take() == item(2));
  CHECK(q.claimed() == 0);
  CHECK(queue::steal_session(q).steal().second == item(3));
  CHECK(q.peek() == item(4));
  q.limit_claims(1);
  for (std::size_t i = 4; i < 20; ++i) {
    CHECK(q.take() == item(i));
    CHECK(q.claimed() == 0);
  }
  CHECK(q.peek() == nullptr);
}

TEST_CASE("a claim leaves half to the thieves") {
  queue q;
  for (std::size_t i = 0; i < 8; ++i) q.push(item(i));
  CHECK(q.take() == item(0));
  CHECK(q.claimed() == 3);
  CHECK(q.peek() == item(1));
  CHECK(q.peek_further() == item(2));
  CHECK(queue::steal_session(q).steal().second == item(4));
  for (std::size_t i = 100; i < 200; ++i) q.push(item(i));
  while (q.take() != nullptr) CHECK(q.claimed() < queue::longest_claim);
}

TEST_CASE("unclaim puts the run where thieves reach it") {
  queue q;
  for (std::size_t i = 0; i < 4; ++i) q.push(item(i));
  CHECK(q.take() == item(0));
  CHECK(q.claimed() == 1);
  q.unclaim();
  CHECK(q.claimed() == 0);
  CHECK(q.size() == 3);
  CHECK(queue::steal_session(q).steal().second == item(2));
  CHECK(queue::steal_session(q).steal().second == item(3));
  CHECK(queue::steal_session(q).steal().second == item(1));
}

TEST_CASE("growth keeps what is claimed") {
  queue q(4);
  std::size_t pushed = 0, taken = 0;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 7; ++i) q.push(item(pushed++));
    for (int i = 0; i < 3; ++i) REQUIRE(q.take() == item(taken++));
  }
  while (int* got = q.take()) REQUIRE(got == item(taken++));
  CHECK(taken == pushed);
}

TEST_CASE("any mix of operations does what a plain queue does") {
  weft::test::choices pick(0);
  for (int run = 0; run < 200; ++run) {
    queue q(2);
    std::deque<int*> model, claim;
    std::size_t next = 0;
    for (int step = 0; step < 400; ++step) {
      switch (pick.below(6)) {
        case 0:
        case 1:
        case 2:
          q.push(item(next));
          model.push_back(item(next++));
          break;
        case 3: {
          int* expected = model.empty() ? nullptr : model.back();
          if (expected != nullptr) model.pop_back();
          if (pick.below(2) == 0) {
            REQUIRE(q.pop() == expected);
            break;
          }
          // Not what another end has taken, nor what lies deeper.
          if (next > 1 && expected != item(next - 2)) REQUIRE(!q.pop(item(next - 2)));
          const bool there = next > 0 && expected == item(next - 1);
          if (next > 0) REQUIRE(q.pop(item(next - 1)) == there);
          if (!there && expected != nullptr) REQUIRE(q.pop(expected));
          break;
        }
        case 4: {
          if (claim.empty()) {
            auto n = (model.size() + 1) / 2;
            if (n > queue::longest_claim) n = queue::longest_claim;
            for (; n > 0; --n) {
              claim.push_back(model.front());
              model.pop_front();
            }
          }
          int* expected = claim.empty() ? nullptr : claim.front();
          if (expected != nullptr) claim.pop_front();
          REQUIRE(q.take() == expected);
          break;
        }
        default: {
          int* expected = model.empty() ? nullptr : model.front();
          if (expected != nullptr) model.pop_front();
          REQUIRE(queue::steal_session(q).steal().second == expected);
        }
      }
      REQUIRE(q.size() == static_cast<std::int64_t>(model.size()));
      REQUIRE(q.claimed() == static_cast<std::int64_t>(claim.size()));
    }
  }
}
