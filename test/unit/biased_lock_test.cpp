// SPDX-License-Identifier: BSL-1.0
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/bias_owner.hpp"
#include "sync/biased_lock.hpp"

namespace {

using namespace weft::detail;
using weft::base::bias_owner;
using lock_type = basic_biased_lock<>;

held_by pass(lock_type& lock, bias_owner* me) {
  const held_by how = lock.lock(me);
  lock.unlock(how, me);
  return how;
}
// How many steps in a row by word until `me` has the bias; -1: it never comes.
int steps_until_biased(lock_type& lock, bias_owner* me, int most) {
  for (int n = 0; n < most; ++n)
    if (pass(lock, me) == held_by::bias) return n;
  return -1;
}
constexpr int need = biased_lock_env::first_need;

TEST_CASE(
    "biased lock: the bias comes after many steps in a row, and goes when another one comes") {
  weft::os::membarrier_register();
  if (!biased_lock_env::bias_pays()) {
    MESSAGE("no membarrier here: nothing is ever biased");
    return;
  }
  const weft::base::bias_slot one, two;
  lock_type lock;
  CHECK(steps_until_biased(lock, one.owner(), 10 * need) == need + 1);
  CHECK(pass(lock, two.owner()) == held_by::word);
  CHECK(pass(lock, one.owner()) == held_by::word);
  // more reluctant now; one was counted
  CHECK(steps_until_biased(lock, one.owner(), 10 * need) == 2 * need);
  lock.lock_word(one.owner());  // with others: its own bias stays
  lock.unlock_word(one.owner());
  CHECK(pass(lock, one.owner()) == held_by::bias);
  CHECK(pass(lock, nullptr) == held_by::word);  // a plain thread
  CHECK(pass(lock, one.owner()) == held_by::word);
}

TEST_CASE("biased lock: no bias for plain threads, nor for two who take turns") {
  const weft::base::bias_slot one, two;
  lock_type lock;
  CHECK(steps_until_biased(lock, nullptr, 4 * need) == -1);
  for (int i = 0; i < 4 * need; ++i) {
    REQUIRE(pass(lock, one.owner()) == held_by::word);
    REQUIRE(pass(lock, two.owner()) == held_by::word);
  }
}

TEST_CASE("biased lock: excludes, while the bias comes and goes [stampede]") {
  constexpr int threads = 4, rounds = 20, in_a_row = 3000;
  lock_type lock;
  long plain = 0;  // a lost update or a TSan report if two are ever inside
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] {
      const weft::base::bias_slot bias;
      bias_owner* const me = t == 0 ? nullptr : bias.owner();
      for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < (me != nullptr ? in_a_row : 10); ++i) {
          const held_by how = lock.lock(me);
          ++plain;
          lock.unlock(how, me);
        }
        std::this_thread::yield();
      }
    });
  }
  for (auto& thread : all) thread.join();
  CHECK(plain == ((threads - 1L) * in_a_row + 10) * rounds);
}

TEST_CASE("bias owners: used again, never freed") {
  bias_owner* first = nullptr;
  {
    const weft::base::bias_slot bias;
    first = bias.owner();
  }
  const weft::base::bias_slot again;
  CHECK(again.owner() == first);
}

}  // namespace
