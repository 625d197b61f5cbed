// SPDX-License-Identifier: BSL-1.0
// sched/unhandled.cpp - an exception that leaves a fiber's function, and nobody can observe.
//
// A throw works in two phases: the unwinder first walks up to a handler that matches, and unwinds
// the stack only after that. So while it asks the handlers around a fiber's function, the calls
// that led to the throw are still there. The first of those handlers (run_callable) is for
// throw_witness, a type whose std::type_info is made here: asked whether it matches, it notes the
// calls, and says no.
// Of a fiber that is detached, in a runtime that has no handler of the application's, the fate is
// sealed there: the process ends with the report at that moment, and a debugger or a core file
// shows the throw, not this file.
// Rejected: a noexcept function (it unwinds up to the first frame with a destructor), interposing
// __cxa_throw (costs every throw of the process, and is the application's to do).
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include <cxxabi.h>
#include <unwind.h>

#include <weft/detail/export.hpp>
#include <weft/detail/task.hpp>

#include "base/one_line.hpp"
#include "os/os.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/scheduler.hpp"
#include "sched/user_hook.hpp"

namespace weft::detail {
namespace {

struct throw_calls {
  static constexpr std::size_t most = 64;
  std::size_t count = 0;
  const void* at[most];
};

_Unwind_Reason_Code add_call(_Unwind_Context* context, void* to) {
  auto& calls = *static_cast<throw_calls*>(to);
  calls.at[calls.count++] = reinterpret_cast<const void*>(_Unwind_GetIP(context) - 1);
  return calls.count < throw_calls::most ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// What the C++ library and this file have added to the calls comes first.
std::size_t first_of_user(const throw_calls& calls) noexcept {
  constexpr std::size_t most_added = 12;
  for (std::size_t i = 0; i < std::min(calls.count, most_added); ++i) {
    const void* const function = _Unwind_FindEnclosingFunction(const_cast<void*>(calls.at[i]));
    if (function == reinterpret_cast<void*>(&abi::__cxa_throw) ||
        function == reinterpret_cast<void*>(&abi::__cxa_rethrow))
      return i + 1;
  }
  return 0;
}

std::string name_of(const std::type_info& type) {
  int status = -1;
  const std::unique_ptr<char, decltype(&std::free)> demangled(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? demangled.get() : type.name();
}

std::string text_of(const std::type_info& type, const std::exception* e) {
  return name_of(type) + (e != nullptr ? std::string(": ") + e->what() : " (not a std::exception)");
}

std::string text_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& e) {
    return text_of(*abi::__cxa_current_exception_type(), &e);
  } catch (...) {
    const std::type_info* const type = abi::__cxa_current_exception_type();
    return type != nullptr ? text_of(*type, nullptr) : "an exception of another language";
  }
}

[[noreturn]] void report_and_terminate(const unhandled_exception& what,
                                       const std::string& exception) noexcept {
  std::string text = "weft: fiber " + std::to_string(what.fiber_id);
  if (!what.fiber_name.empty()) text += " \"" + one_line(what.fiber_name) + "\"";
  text +=
      " ended with an exception that nobody can observe, because its handle was detached or "
      "destroyed: " +
      exception + "\n";
  if (!what.calls.empty()) text += "weft: it was thrown by\n" + what.stack();
  text += "weft: join the fiber, or set options::on_unhandled_exception; terminating\n";
  os::write_stderr(text);
  std::terminate();
}

void fill_name(unhandled_exception& what, const fiber_extras* x) noexcept try {
  if (x != nullptr) what.fiber_name = x->name;
} catch (const std::bad_alloc&) {  // the exception is what counts
}

}  // namespace

void hook_threw(const char* name) noexcept {
  const std::exception_ptr exception = std::current_exception();
  std::string text;
  try {
    text = std::string("weft: options::") + name +
           " threw an exception, which it must not: " + text_of(exception) + "; terminating\n";
  } catch (const std::bad_alloc&) {
    os::write_stderr("weft: a function in weft::options threw an exception; terminating\n");
  }
  os::write_stderr(text);
  std::terminate();
}

// By the unwinder's first phase, on top of the calls that led to the throw.
void scheduler::witness_throw(const std::type_info& type, void* object) noexcept {
  const worker* const w = this_worker();
  fiber_record* const f = w != nullptr ? w->current : nullptr;
  // A scope rethrows, so its children's exceptions are observed.
  if (f == nullptr || f->has(fiber_record::in_scope)) return;
  throw_calls calls;
  _Unwind_Backtrace(&add_call, &calls);
  const std::size_t first = first_of_user(calls);
  try {
    std::vector<const void*> found(calls.at + first, calls.at + calls.count);
    if (f->join.is_detached() && !f->home->options_.on_unhandled_exception) {
      unhandled_exception what{f->id, {}, nullptr, std::move(found)};
      fill_name(what, f->extras.load(std::memory_order_relaxed));
      void* e = object;
      const bool standard = typeid(std::exception).__do_catch(&type, &e, 1);
      report_and_terminate(
          what, text_of(type, standard ? static_cast<const std::exception*>(e) : nullptr));
    }
    f->need_extras().thrown_by = std::move(found);
  } catch (const std::bad_alloc&) {  // then it is told without them
  }
}

class throw_witness_type : public std::type_info {
 public:
  explicit throw_witness_type(const char* name) : std::type_info(name) {}
  ~throw_witness_type() override;
  bool __do_catch(const std::type_info* thrown, void** object, unsigned) const override {
    if (*thrown != typeid(abi::__forced_unwind) && *thrown != typeid(abi::__foreign_exception))
      scheduler::witness_throw(*thrown, *object);
    return false;
  }
};
throw_witness_type::~throw_witness_type() = default;

// The name that a compiler gives the std::type_info of throw_witness. It leaves the object to the
// file that defines the destructor, and there is none. Made before all other objects: they may
// throw.
WEFT_API extern const throw_witness_type type_of_throw_witness asm(
    "_ZTIN4weft6detail13throw_witnessE");
[[gnu::init_priority(101)]] const throw_witness_type type_of_throw_witness(
    "N4weft6detail13throw_witnessE");

void scheduler::unhandled(fiber_record& f) noexcept {
  unhandled_exception what{f.id, {}, std::exchange(f.error, nullptr), {}};
  fiber_extras* const x = f.extras.load(std::memory_order_relaxed);
  fill_name(what, x);
  if (x != nullptr) what.calls = std::move(x->thrown_by);
  const kept_alive home(f.home);
  if (home && f.home->options_.on_unhandled_exception) {
    call_hook("on_unhandled_exception", f.home->options_.on_unhandled_exception, what);
    return;
  }
  report_and_terminate(what, text_of(what.exception));
}

}  // namespace weft::detail
