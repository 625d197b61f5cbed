// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/file_calls.hpp - the kernel surface of files, pipes and child processes. Results are the
// kernel's own, or -errno. None is ever inlined, because of errno (calls.hpp). All retry EINTR.

#include <sys/types.h>
#include <cstdint>

#include "net/calls.hpp"
#include "net/message_window.hpp"

namespace weft::detail {

/// Close-on-exec.
[[gnu::noinline]] int call_open(const char* path, int flags, unsigned mode) noexcept;
/// -EAGAIN, -EOPNOTSUPP: not all in the page cache, or the file system does not say.
[[gnu::noinline]] ssize_t call_read_cached(int f, const message_window& to,
                                           std::int64_t at) noexcept;
[[gnu::noinline]] ssize_t call_read_at(int f, const message_window& to, std::int64_t at) noexcept;
[[gnu::noinline]] ssize_t call_write_at(int f, const message_window& from,
                                        std::int64_t at) noexcept;
[[gnu::noinline]] std::int64_t call_file_size(int f) noexcept;
[[gnu::noinline]] int call_resize(int f, std::int64_t size) noexcept;
[[gnu::noinline]] int call_sync(int f) noexcept;
[[gnu::noinline]] int call_sync_data(int f) noexcept;

[[gnu::noinline]] ssize_t call_readv(int f, const message_window& to) noexcept;
/// Raises no SIGPIPE.
[[gnu::noinline]] ssize_t call_writev(int f, const message_window& from) noexcept;
[[gnu::noinline]] int call_non_blocking(int f) noexcept;
[[gnu::noinline]] int call_pidfd_open(pid_t child) noexcept;

}  // namespace weft::detail
