// SPDX-License-Identifier: BSL-1.0
#pragma once
// redis.hpp - a client of Redis: hiredis formats, parses and moves bytes; the fiber waits for the
// socket, and no thread does. A command that takes longer than `patience` fails, and with it the
// connection: what comes later on it would be the answer to another one.
#include <hiredis/hiredis.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include <weft/weft.hpp>

namespace redis {

using reply = std::unique_ptr<redisReply, decltype(&::freeReplyObject)>;

/// One connection, for one fiber at a time. What Redis calls an error is thrown, too.
class client {
 public:
  static constexpr std::chrono::seconds patience{5};

  client(const std::string& host, int port)
      : context_(::redisConnectNonBlock(host.c_str(), port), &::redisFree) {
    if (context_ == nullptr || context_->err != 0) fail();
    socket_ = weft::io::descriptor::borrow(context_->fd);
  }
  template <class... A>
  reply command(const char* format, A... arguments) {
    if (::redisAppendCommand(context_.get(), format, arguments...) != REDIS_OK) fail();
    const auto end = std::chrono::steady_clock::now() + patience;
    const auto in_time = [](bool ready) {
      if (!ready) throw std::runtime_error("redis: no answer in time");
    };
    for (int sent = 0; sent == 0;) {
      in_time(socket_.wait_writable_until(end));
      if (::redisBufferWrite(context_.get(), &sent) != REDIS_OK) fail();
    }
    void* got = nullptr;
    while (::redisReaderGetReply(context_->reader, &got) == REDIS_OK && got == nullptr) {
      in_time(socket_.wait_readable_until(end));
      if (::redisBufferRead(context_.get()) != REDIS_OK) fail();
    }
    reply r(static_cast<redisReply*>(got), &::freeReplyObject);
    if (r == nullptr) throw std::runtime_error("redis: what came is no answer");
    if (r->type == REDIS_REPLY_ERROR) throw std::runtime_error(std::string("redis: ") + r->str);
    return r;
  }

 private:
  [[noreturn]] void fail() const {
    throw std::runtime_error(std::string("redis: ") +
                             (context_ == nullptr ? "no memory" : context_->errstr));
  }
  std::unique_ptr<redisContext, decltype(&::redisFree)> context_;
  weft::io::descriptor socket_;  // ends before it
};

}  // namespace redis
