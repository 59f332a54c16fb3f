// Closures for one thread, in order. Thread safety: safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "common/base/clock.h"

namespace tutti::client {

class WorkQueue {
 public:
  using Work = std::function<void()>;

  // False after Close: the work was not taken.
  bool Push(Work work) { return Add(std::move(work), 0); }
  // Waits while `limit` or more are queued: a peer that sends faster than we work is slowed down.
  bool PushBounded(Work work, std::size_t limit) { return Add(std::move(work), limit); }

  // False when `limit` or more are queued (or after Close): for work a peer can ask for without
  // end.
  bool TryPush(Work work, std::size_t limit) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || queue_.size() >= limit) return false;
      queue_.push_back(std::move(work));
    }
    changed_.notify_all();
    return true;
  }

  // The next one; waits up to `timeout` (nullopt: for ever). Empty work: nothing came in time.
  // nullopt: closed.
  std::optional<Work> Take(std::optional<Milliseconds> timeout = std::nullopt) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return closed_ || !queue_.empty(); };
    if (timeout) {
      changed_.wait_for(lock, *timeout, ready);
    } else {
      changed_.wait(lock, ready);
    }
    if (closed_) return std::nullopt;
    if (queue_.empty()) return Work();
    Work work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return work;
  }

  // What waits is dropped.
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      queue_.clear();
    }
    changed_.notify_all();
  }

 private:
  bool Add(Work work, std::size_t limit) {
    {
      std::unique_lock lock(mutex_);
      if (limit > 0) changed_.wait(lock, [&] { return closed_ || queue_.size() < limit; });
      if (closed_) return false;
      queue_.push_back(std::move(work));
    }
    changed_.notify_all();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;  // guarded by mutex_
  bool closed_ = false;     // guarded by mutex_
};

}  // namespace tutti::client
