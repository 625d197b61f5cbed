// SPDX-License-Identifier: BSL-1.0
#include "base/intrusive_list.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

using namespace weft::base;

struct other_tag;
struct node : list_hook<>, list_hook<other_tag>, forward_hook<> {
  explicit node(int v) : value(v) {}
  int value;
};

std::vector<int> values(intrusive_list<node>& list) {
  std::vector<int> out;
  for (node& n : list) out.push_back(n.value);
  return out;
}

TEST_CASE("list: order, both ends, unlink from the middle without the list") {
  node a(1), b(2), c(3);
  intrusive_list<node> list;
  CHECK(list.empty());
  CHECK(list.pop_front() == nullptr);
  list.push_back(b);
  list.push_back(c);
  list.push_front(a);
  CHECK(values(list) == std::vector{1, 2, 3});
  b.list_hook<>::unlink();
  CHECK_FALSE(b.list_hook<>::linked());
  CHECK(a.list_hook<>::linked());
  CHECK(values(list) == std::vector{1, 3});
  CHECK(list.pop_back() == &c);
  CHECK(list.pop_front() == &a);
  CHECK(list.empty());
  CHECK_FALSE(a.list_hook<>::linked());
}

TEST_CASE("list: one element in two lists by tag") {
  node a(1);
  intrusive_list<node> first;
  intrusive_list<node, other_tag> second;
  first.push_back(a);
  second.push_back(a);
  first.erase(a);
  CHECK(first.empty());
  CHECK(second.front() == &a);
  CHECK(second.pop_front() == &a);
}

TEST_CASE("list: splice keeps order, empties the source, accepts empty lists on either side") {
  node a(1), b(2), c(3);
  intrusive_list<node> x, y;
  x.splice_back(y);
  CHECK(x.empty());
  y.push_back(a);
  y.push_back(b);
  x.splice_back(y);
  CHECK(y.empty());
  y.push_back(c);
  x.splice_back(y);
  CHECK(values(x) == std::vector{1, 2, 3});
  while (x.pop_front() != nullptr) {
  }
}

TEST_CASE("queue: fifo, push_front, splice, reuse after emptying") {
  node a(1), b(2), c(3);
  intrusive_queue<node> q, r;
  CHECK(q.pop_front() == nullptr);
  q.push_back(b);
  q.push_front(a);
  r.push_back(c);
  q.splice_back(r);
  CHECK(r.empty());
  CHECK(q.pop_front() == &a);
  CHECK(q.pop_front() == &b);
  CHECK(q.pop_front() == &c);
  CHECK(q.empty());
  q.push_back(c);
  intrusive_queue<node> moved(std::move(q));
  CHECK(moved.pop_front() == &c);
  moved.push_front(a);
  moved.push_back(b);
  CHECK(moved.pop_front() == &a);
  CHECK(moved.pop_front() == &b);
}

}  // namespace
