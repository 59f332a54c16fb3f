// Threads that run tasks in the order they were posted.
// Thread safety: safe. Destruction runs what was posted before, then joins.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tutti::platform {

class Executor {
 public:
  // With one thread tasks never overlap. `name` (at most 15 characters) shows in top and gdb.
  // `limit` bounds the tasks waiting; 0: no bound.
  Executor(std::string name, std::size_t threads, std::size_t limit = 0);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // False when `limit` tasks wait already, or after Stop: the task was not taken.
  bool TryPost(std::function<void()> task);
  // Takes no more tasks, runs what is waiting and joins. Not from a task.
  void Stop();
  std::size_t threads() const { return thread_count_; }

 private:
  void Work(const std::string& name);

  const std::size_t thread_count_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable waiting_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

// Calls part(i) for i in [0, parts): one part on the calling thread, the others on `executor`;
// returns when all are done. Must not be called from a task of the same executor.
void RunInParallel(Executor& executor, std::size_t parts,
                   const std::function<void(std::size_t)>& part);

}  // namespace tutti::platform
