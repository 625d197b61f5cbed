// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/waiting_objects.hpp - what the models of the objects of src/sync share.
#include <memory>

#include "model/holds.hpp"
#include "model/waiting_env.hpp"

namespace weft::model {

inline options with_switches(int n) {
  options few;
  few.preemptions = n;
  few.reorder_stores = false;
  few.spurious_failures = 0;
  return few;
}
// Three: those with few switches all, the others by sample.
inline void holds_widely(const program& p) {
  holds(p, with_switches(1));
  holds_in_sample(p);
}

template <class Object>
struct world {
  std::shared_ptr<waiting_world> base = new_world();
  std::unique_ptr<Object> object = std::make_unique<Object>();
  plain<int> data{0};
  agent a, b, c;
  int got[3] = {};
};

}  // namespace weft::model
