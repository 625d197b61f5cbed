// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/check.hpp - broken invariants end the process with one line that says what to do.
//   WEFT_CHECK(cond, "what to do")   always on: misuse by the application, impossible answers
//   WEFT_ASSERT(cond, "what broke")  debug builds only: weft's own invariants
// The report is one write(2), so it also works in a signal handler and does not mix with others.
// Rejected: assert() (no advice, goes through stdio), exceptions (the state is already wrong).

namespace weft::base {

[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const char* file, int line,
                                                         const char* condition,
                                                         const char* what) noexcept;

}  // namespace weft::base

#define WEFT_CHECK(cond, what)                    \
  (static_cast<bool>(cond) ? static_cast<void>(0) \
                           : ::weft::base::check_failed(__FILE__, __LINE__, #cond, what))

#ifdef NDEBUG
// Unevaluated, so that names used only in assertions do not become "unused".
#define WEFT_ASSERT(cond, what) static_cast<void>(sizeof(static_cast<bool>(cond)))
#else
#define WEFT_ASSERT(cond, what) WEFT_CHECK(cond, what)
#endif
