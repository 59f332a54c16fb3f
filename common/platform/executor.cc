#include "common/platform/executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace tutti::platform {

Executor::Executor(std::string name, std::size_t threads, std::size_t limit)
    : thread_count_(std::max<std::size_t>(threads, 1)), limit_(limit) {
  threads_.reserve(thread_count_);
  for (std::size_t i = 0; i < thread_count_; ++i) {
    threads_.emplace_back([this, name] { Work(name); });
  }
}

Executor::~Executor() { Stop(); }

bool Executor::TryPost(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || (limit_ > 0 && tasks_.size() >= limit_)) {
      return false;
    }
    tasks_.push_back(std::move(task));
  }
  waiting_.notify_one();
  return true;
}

void Executor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  waiting_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

void Executor::Work(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  while (true) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      waiting_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void RunInParallel(Executor& executor, std::size_t parts,
                   const std::function<void(std::size_t)>& part) {
  std::mutex mutex;
  std::condition_variable all_done;
  std::size_t left = 0;  // guarded by mutex
  for (std::size_t i = 1; i < parts; ++i) {
    {
      const std::lock_guard lock(mutex);
      ++left;
    }
    const auto task = [&, i] {
      part(i);
      const std::lock_guard lock(mutex);
      if (--left == 0) {
        all_done.notify_one();
      }
    };
    if (!executor.TryPost(task)) {
      task();
    }
  }
  if (parts > 0) {
    part(0);
  }
  std::unique_lock lock(mutex);
  all_done.wait(lock, [&] { return left == 0; });
}

}  // namespace tutti::platform
