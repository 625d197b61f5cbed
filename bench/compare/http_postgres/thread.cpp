// SPDX-License-Identifier: BSL-1.0
// http_postgres: a thread per connection, libpq as it is.
#include <condition_variable>
#include <mutex>

#include "common/thread_server.hpp"
#include "http_postgres/people.hpp"

namespace {

class pool {
 public:
  explicit pool(std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) free_.push_back(bench::connect_to_people());
  }
  bench::pq_result query(const std::string& id) {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [&] { return !free_.empty(); });
    bench::pq_connection c = std::move(free_.back());
    free_.pop_back();
    lock.unlock();
    bench::pq_result result = bench::ask(c.get(), id);
    lock.lock();
    free_.push_back(std::move(c));
    lock.unlock();
    given_back_.notify_one();
    return result;
  }

 private:
  std::mutex mutex_;  // guards free_
  std::condition_variable given_back_;
  std::vector<bench::pq_connection> free_;
};

void serve(int fd, pool& people) {
  bench::people_requests requests;
  char buffer[4096];
  for (bool alive = true; alive;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    requests.add({buffer, std::size_t(n)});
    for (std::string id; alive && !(id = requests.next()).empty();)
      alive = bench::write_all(fd, bench::answer_of(people.query(id)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {"POOL"});
  bench::begin_threads(arguments);
  pool people(arguments[0]);
  return bench::run_thread_server([&people](int fd) { serve(fd, people); });
}
