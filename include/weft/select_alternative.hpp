// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/select_alternative.hpp - what every case of a select is.

#include <concepts>
#include <cstddef>
#include <type_traits>

#include <weft/detail/export.hpp>
#include <weft/detail/select.hpp>

namespace WEFT_API weft {

/// One thing that a select waits for, and the function to call if it is taken.
///
/// The on_... functions of weft/select.hpp make it. It refers to the channel, fiber, timer or
/// socket.
/// Lifetime: what it refers to must outlive it.
class select_alternative {
 public:
  /// Destroys the function.
  virtual ~select_alternative() = default;

 protected:
  /// For weft's own templates, as all below.
  select_alternative() = default;
  /// Moves the function.
  select_alternative(select_alternative&&) = default;
  /// Moves the function.
  select_alternative& operator=(select_alternative&&) = default;

  /// The case as the machinery sees it.
  detail::select_case raw_;

 private:
  template <class... Cases>
    requires(sizeof...(Cases) > 0 &&
             (std::derived_from<std::remove_cvref_t<Cases>, select_alternative> && ...))
  friend std::size_t select(Cases&&... cases);
  friend class selector;
  virtual void prepare() {}
  // False: what made it ready is gone already, and the select goes on.
  virtual bool take() { return true; }
  virtual void finish() = 0;
};

}  // namespace WEFT_API weft
