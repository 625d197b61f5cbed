// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/thread_safety.hpp - which lock protects what, for clang's -Wthread-safety; nothing for other
// compilers. The test variant/thread_safety compiles the library so.
//
//   member    WEFT_GUARDED_BY(lock_)   is read and written with the lock only
//   function  WEFT_REQUIRES(lock_)     its caller has the lock
//             WEFT_EXCLUDES(lock_)     it takes the lock itself
//             WEFT_ACQUIRE(), WEFT_RELEASE(), WEFT_TRY_ACQUIRE(true)   of a lock, and of a guard
//             WEFT_RETURN_CAPABILITY(lock_)   it returns a reference to that lock
//             WEFT_NO_THREAD_SAFETY_ANALYSIS  the analysis cannot follow; a comment says why
//   class     WEFT_CAPABILITY("...") a lock, WEFT_SCOPED_CAPABILITY a guard (base/lock_guard.hpp)
//
// The analysis looks at one function at a time, and not into constructors and destructors. It
// compares the names of locks, so it cannot know a lock that a pointer to its owner would name.
// A member that is only read without the lock for a hint, or that a nested struct has whose owner
// has the lock, keeps a comment instead.

#if defined(__clang__)
#define WEFT_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define WEFT_THREAD_SAFETY(attribute)
#endif

#define WEFT_CAPABILITY(name) WEFT_THREAD_SAFETY(capability(name))
#define WEFT_SCOPED_CAPABILITY WEFT_THREAD_SAFETY(scoped_lockable)
#define WEFT_GUARDED_BY(lock) WEFT_THREAD_SAFETY(guarded_by(lock))
#define WEFT_REQUIRES(...) WEFT_THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define WEFT_EXCLUDES(...) WEFT_THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define WEFT_ACQUIRE(...) WEFT_THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define WEFT_RELEASE(...) WEFT_THREAD_SAFETY(release_capability(__VA_ARGS__))
#define WEFT_TRY_ACQUIRE(...) WEFT_THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define WEFT_RETURN_CAPABILITY(lock) WEFT_THREAD_SAFETY(lock_returned(lock))
#define WEFT_NO_THREAD_SAFETY_ANALYSIS WEFT_THREAD_SAFETY(no_thread_safety_analysis)
