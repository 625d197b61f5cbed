// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/intrusive_list.hpp - lists whose links live in the elements: no allocation, O(1) unlink.
//   struct waiter : list_hook<> {...};      intrusive_list<waiter> waiters;
// An element in several lists at once derives from several hooks with different tags. Elements are
// not owned: they unlink before they die, and a list dies empty (both asserted).
// Rejected: member hooks (container_of is undefined for most classes), a size counter (every user
// that needs one already counts under its own lock).

#include <utility>

#include "base/check.hpp"

namespace weft::base {

/// The links of one element. linked() is exact: unlinking nulls both pointers.
template <class Tag = void>
class list_hook {
 public:
  list_hook() = default;
  list_hook(const list_hook&) = delete;
  list_hook& operator=(const list_hook&) = delete;
  ~list_hook() { WEFT_ASSERT(!linked(), "an element died while it was still in a list"); }

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }

  /// Leaves whatever list holds this element; needs no reference to that list.
  void unlink() noexcept {
    WEFT_ASSERT(linked(), "unlink() of an element that is in no list");
    prev_->next_ = next_;
    next_->prev_ = prev_;
    next_ = prev_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class intrusive_list;

  list_hook* next_ = nullptr;
  list_hook* prev_ = nullptr;
};

/// Doubly linked, circular through a sentinel (so it does not move). T derives from list_hook<Tag>.
template <class T, class Tag = void>
class intrusive_list {
  using hook = list_hook<Tag>;

 public:
  class iterator {
   public:
    explicit iterator(hook* at) noexcept : at_(at) {}
    T& operator*() const noexcept { return *static_cast<T*>(at_); }
    T* operator->() const noexcept { return static_cast<T*>(at_); }
    iterator& operator++() noexcept { return at_ = at_->next_, *this; }
    bool operator==(const iterator&) const = default;

   private:
    hook* at_;
  };

  intrusive_list() noexcept { head_.next_ = head_.prev_ = &head_; }
  intrusive_list(const intrusive_list&) = delete;
  intrusive_list& operator=(const intrusive_list&) = delete;
  ~intrusive_list() {
    WEFT_ASSERT(empty(), "a list died with elements in it");
    head_.next_ = head_.prev_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }

  void push_back(T& element) noexcept { insert(&head_, &element); }
  void push_front(T& element) noexcept { insert(head_.next_, &element); }

  /// Front and back of an empty list, and popping from one, are null.
  [[nodiscard]] T* front() noexcept { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  [[nodiscard]] T* back() noexcept { return empty() ? nullptr : static_cast<T*>(head_.prev_); }
  T* pop_front() noexcept { return take(front()); }
  T* pop_back() noexcept { return take(back()); }

  void erase(T& element) noexcept { static_cast<hook&>(element).unlink(); }

  /// Moves every element of `other` behind mine, in order, in O(1).
  void splice_back(intrusive_list& other) noexcept {
    if (other.empty()) return;
    hook* first = other.head_.next_;
    hook* last = other.head_.prev_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
    other.head_.next_ = other.head_.prev_ = &other.head_;
  }

  // Erasing the element an iterator stands on invalidates that iterator only.
  iterator begin() noexcept { return iterator(head_.next_); }
  iterator end() noexcept { return iterator(&head_); }

 private:
  static void insert(hook* before, hook* element) noexcept {
    WEFT_ASSERT(!element->linked(), "insertion of an element that is already in a list");
    element->next_ = before;
    element->prev_ = before->prev_;
    before->prev_->next_ = element;
    before->prev_ = element;
  }
  static T* take(T* element) noexcept {
    if (element != nullptr) static_cast<hook*>(element)->unlink();
    return element;
  }

  hook head_;
};

/// One link, for queues that only ever lose their front. Copying would copy the link: forbidden.
template <class Tag = void>
class forward_hook {
 public:
  forward_hook() = default;
  forward_hook(const forward_hook&) = delete;
  forward_hook& operator=(const forward_hook&) = delete;

 private:
  template <class T, class U>
  friend class intrusive_queue;

  forward_hook* next_ = nullptr;
};

/// Singly linked, FIFO by push_back and LIFO by push_front. T derives from forward_hook<Tag>.
template <class T, class Tag = void>
class intrusive_queue {
  using hook = forward_hook<Tag>;

 public:
  intrusive_queue() = default;
  intrusive_queue(intrusive_queue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  intrusive_queue& operator=(intrusive_queue&& other) noexcept {
    WEFT_ASSERT(empty(), "assignment over a queue with elements in it");
    first_ = std::exchange(other.first_, nullptr);
    last_ = std::exchange(other.last_, nullptr);
    return *this;
  }

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] T* front() const noexcept { return static_cast<T*>(first_); }

  void push_back(T& element) noexcept {
    hook* h = &element;
    h->next_ = nullptr;
    (first_ == nullptr ? first_ : last_->next_) = h;
    last_ = h;
  }
  void push_front(T& element) noexcept {
    hook* h = &element;
    h->next_ = first_;
    if (first_ == nullptr) last_ = h;
    first_ = h;
  }
  T* pop_front() noexcept {
    hook* h = first_;
    if (h == nullptr) return nullptr;
    first_ = h->next_;
    if (first_ == nullptr) last_ = nullptr;
    return static_cast<T*>(h);
  }
  void splice_back(intrusive_queue& other) noexcept {
    if (other.empty()) return;
    (first_ == nullptr ? first_ : last_->next_) = other.first_;
    last_ = other.last_;
    other.first_ = other.last_ = nullptr;
  }

 private:
  hook* first_ = nullptr;
  hook* last_ = nullptr;
};

}  // namespace weft::base
