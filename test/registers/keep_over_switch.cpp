// SPDX-License-Identifier: BSL-1.0
// Compiled, not run (test/tools/switch_registers.py): many values live over a switch. Those that
// the switch does not keep must be in memory meanwhile.
#include <cstdint>

#include "fiber/switch.hpp"

// clang-format off
#define EACH(M)                                                                         \
  M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15) \
  M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) M(24) M(25) M(26) M(27)
// clang-format on

extern "C" void keep_over_switch(weft::detail::context to, double* values, std::uint16_t* masks) {
#define LOAD(i)            \
  double v##i = values[i]; \
  asm volatile("" : "+v"(v##i));  // made here, and so not to be loaded again
#define STORE(i) values[i] = v##i;
#define MASK(i)                  \
  std::uint16_t m##i = masks[i]; \
  asm volatile("" : "+Yk"(m##i));
#define STORE_MASK(i)             \
  asm volatile("" : "+Yk"(m##i)); \
  masks[i] = m##i;
  EACH(LOAD)
#if defined(__AVX512F__)
  // clang-format off
  MASK(0)
  MASK(1) MASK(2) MASK(3) MASK(4) MASK(5)
#endif
  weft::detail::jump_balanced(to, values);
  // clang-format on
  EACH(STORE)
#if defined(__AVX512F__)
  STORE_MASK(0) STORE_MASK(1) STORE_MASK(2) STORE_MASK(3) STORE_MASK(4) STORE_MASK(5)
#endif
}
