// SPDX-License-Identifier: BSL-1.0
// tls/bio.cpp - the BIO below OpenSSL's object: memory on both sides, so nothing in it can wait.
//
// Rejected: BIO_s_mem (a copy more each way, and it never gives memory back).
#include <algorithm>
#include <cstring>
#include <new>

#include <openssl/bio.h>

#include "tls/engine_state.hpp"

namespace weft::tls::detail {
namespace {

engine_state& state_of_bio(::BIO* b) noexcept {
  return *static_cast<engine_state*>(::BIO_get_data(b));
}

int take_input(::BIO* b, char* to, std::size_t size, std::size_t* taken) noexcept {
  ::BIO_clear_retry_flags(b);
  input_buffer& in = state_of_bio(b).input;
  if (in.size() == 0) {
    *taken = 0;
    ::BIO_set_retry_read(b);
    return 0;
  }
  *taken = std::min(size, in.size());
  std::memcpy(to, in.data.get() + in.begin, *taken);
  in.begin += *taken;
  return 1;
}

int add_output(::BIO* b, const char* from, std::size_t size, std::size_t* added) noexcept {
  ::BIO_clear_retry_flags(b);
  engine_state& s = state_of_bio(b);
  try {
    const auto* bytes = reinterpret_cast<const std::byte*>(from);
    s.output.insert(s.output.end(), bytes, bytes + size);
  } catch (const std::bad_alloc&) {
    s.out_of_memory = true;
    *added = 0;
    return 0;
  }
  *added = size;
  return 1;
}

long control(::BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH; }

const ::BIO_METHOD* method() noexcept {
  static const ::BIO_METHOD* const it = [] {
    ::BIO_METHOD* m = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weft");
    if (m == nullptr) return m;
    ::BIO_meth_set_read_ex(m, take_input);
    ::BIO_meth_set_write_ex(m, add_output);
    ::BIO_meth_set_ctrl(m, control);
    return m;
  }();
  return it;
}

}  // namespace

::BIO* make_bio(engine_state& s) noexcept {
  if (method() == nullptr) return nullptr;
  ::BIO* b = ::BIO_new(method());
  if (b == nullptr) return nullptr;
  ::BIO_set_data(b, &s);
  ::BIO_set_init(b, 1);
  return b;
}

}  // namespace weft::tls::detail
