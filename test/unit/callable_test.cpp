// SPDX-License-Identifier: BSL-1.0
// unit/callable_test.cpp - what may be spawned, returned and sent: types that are only moved, that
// overload `&`, whose destructors throw.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weft/weft.hpp>

namespace {

struct handle {  // trivially copyable, and only moved
  int value;
  explicit handle(int v) : value(v) {}
  handle(handle&&) = default;
  handle& operator=(handle&&) = default;
};
static_assert(std::is_trivially_copyable_v<handle> && !std::is_copy_constructible_v<handle>);

struct fixed {  // made, and moved into what is new; never assigned
  const int value;
  explicit fixed(int v) : value(v) {}
  fixed(fixed&&) = default;
};

template <int padding>
struct no_address {
  int value = 0;
  char more[padding] = {};
  no_address* operator&() = delete;
  const no_address* operator&() const = delete;
  int operator()() const { return value; }
};

struct counted {
  static inline std::atomic<int> alive{0};  // a caller destroys its argument meanwhile
  int value;
  explicit counted(int v) : value(v) { ++alive; }
  counted(counted&& other) noexcept : value(other.value) { ++alive; }
  ~counted() { --alive; }
};

// A callable whose destructor throws, if it was called.
struct throws_at_its_end {
  static inline std::atomic<int> alive{0};  // a caller destroys its argument meanwhile
  bool called = false;
  throws_at_its_end() { ++alive; }
  throws_at_its_end(throws_at_its_end&& other) noexcept : called(other.called) { ++alive; }
  ~throws_at_its_end() noexcept(false) {
    --alive;
    if (called) throw std::runtime_error("at its end");
  }
  counted operator()() {
    called = true;
    return counted(7);
  }
};

}  // namespace

TEST_CASE("a result that is only moved is joined, small or large, by either way") {
  weft::run([] {
    CHECK(weft::spawn([] { return handle(1); }).join().value == 1);  // inline
    auto child = weft::spawn([](int v) { return handle(v); }, 2);
    while (!child.join_for(std::chrono::seconds(1))) {
    }
    CHECK(child.join().value == 2);
    CHECK(weft::spawn([] { return fixed(3); }).join().value == 3);
    CHECK(*weft::spawn([] { return std::make_unique<int>(4); }).join() == 4);
    CHECK(weft::offload([] { return handle(5); }).value == 5);
  });
}

TEST_CASE("values that are only moved, or never assigned, go through channels and selects") {
  weft::run([] {
    weft::channel<handle> handles(2);
    weft::channel<fixed> all_fixed(2);
    CHECK(handles.try_send(handle(1)));
    CHECK(handles.receive()->value == 1);
    CHECK(all_fixed.send(fixed(2)));
    CHECK(all_fixed.receive_for(std::chrono::hours(1)).value().value == 2);
    CHECK(all_fixed.send(fixed(3)));
    int got = 0;
    weft::select(weft::on_receive(all_fixed, [&](std::optional<fixed> f) { got = f->value; }));
    CHECK(got == 3);
    CHECK(all_fixed.send(fixed(4)));
    all_fixed.close();
    for (const fixed& f : all_fixed) got = f.value;
    CHECK(got == 4);
  });
}

TEST_CASE("nobody asks a type for its address by `&`") {
  const auto with = []<class T>(std::type_identity<T>) {
    weft::run([] {
      CHECK(weft::spawn(T{1}).join() == 1);
      CHECK(weft::spawn([](T t) { return t; }, T{2}).join().value == 2);
      weft::channel<T> c(1);
      CHECK(c.send(T{3}));
      CHECK(c.receive()->value == 3);
      T kept{4};
      CHECK(c.send(kept));
      for (T& t : c) {
        CHECK(t.value == 4);
        c.close();
      }
      weft::channel<T> d(1);
      weft::select(weft::on_send(d, T{5}, [](bool sent) { CHECK(sent); }));
      weft::select(weft::on_receive(d, [](std::optional<T> t) { CHECK(t->value == 5); }));
      CHECK(weft::offload([] { return T{6}; }).value == 6);
      static weft::fiber_local<T> local;
      local->value = 7;
      CHECK((*local).value == 7);
      weft::scope s;
      s.spawn(T{8});
      s.join();
    });
  };
  with(std::type_identity<no_address<1>>());
  with(std::type_identity<no_address<200>>());
}

TEST_CASE(
    "what a callable's destructor throws is what the fiber threw, and its result is destroyed") {
  weft::run([] {
    CHECK_THROWS_WITH(weft::spawn(throws_at_its_end()).join(), "at its end");
    auto child = weft::spawn(throws_at_its_end());
    while (!child.join_for(std::chrono::seconds(1))) {
    }
    CHECK_THROWS_WITH(child.join(), "at its end");
    weft::scope s;
    s.spawn(throws_at_its_end());
    CHECK_THROWS_WITH(s.join(), "at its end");
  });
  CHECK(counted::alive == 0);
  CHECK(throws_at_its_end::alive == 0);
}
