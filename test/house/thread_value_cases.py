# SPDX-License-Identifier: BSL-1.0
"""What the rule thread_values must find, and must not: name -> (is a fault, code)."""

CASES = {
    "kept over enter [f1]": (
        True,
        """void scope_core::run_children_here(stoppable st) noexcept {
        std::optional<listening> heard;
        for (;;) {
          const worker* here = this_worker();
          if (here == nullptr || here->current == nullptr) return;
          worker* w = enter();
          fiber_record* f = w->held->local.pop();
          if (st == stoppable::yes && !heard) { leave(*w); heard.emplace(*here->current, *this);
                                               continue; }
          run_inline(*w, *f);
        } }""",
    ),
    "kept over a wait": (
        True,
        "void f(fiber_record& s) { worker* w = this_worker(); finish_park(s); w->tick(); }",
    ),
    "kept over a loop": (
        True,
        "void f() { worker* w = this_worker(); for (;;) { w->tick(); yield(); } }",
    ),
    "kept through another function": (
        True,
        "void g() { yield(); } void f() { worker* w = this_worker(); g(); w->tick(); }",
    ),
    "a parameter, over a wait": (
        True,
        "void f(worker& w, fiber_record& s) { finish_park(s); w.tick(); }",
    ),
    "used after it left weft and came back": (
        True,
        "void f() { worker* w = enter(); leave(*w); enter(); w->tick(); }",
    ),
    "the address of errno": (
        True,
        "void f(fiber_record& s) { int* e = &errno; finish_park(s); *e = 0; }",
    ),
    "asked for again": (
        False,
        "void f() { worker* w = this_worker(); yield(); w = this_worker(); w->tick(); }",
    ),
    "the way that waits has ended": (
        False,
        "void f() { worker* w = this_worker(); if (w == nullptr) { yield(); return; } w->tick(); }",
    ),
    "handed to enter": (
        False,
        "void f() { worker* w = this_worker(); w = enter(w); w->tick(); leave(*w); }",
    ),
    "handed back by the wait": (
        False,
        "void f(fiber_record& s, worker* w) { finish_park_inside(s, w, 1); leave(*w); }",
    ),
    "inside weft, entering changes nothing": (
        False,
        "void f() { worker* w = enter(); make(); w->tick(); leave(*w); } void make() { enter(); }",
    ),
}
