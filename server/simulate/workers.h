// The learners' threads. Internal to server/simulate. Thread safety: confined to one thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "common/platform/executor.h"
#include "server/simulate/learner.h"

namespace tutti::simulate {

class Workers {
 public:
  explicit Workers(std::vector<std::unique_ptr<Learner>>& learners)  // borrowed, at least one
      : learners_(learners), executor_("learner", std::max<std::size_t>(learners.size(), 2) - 1) {}

  std::size_t size() const { return learners_.size(); }
  Learner& front() { return *learners_.front(); }

  // work(i, w) for i in [0, count), each once, on the threads w of the learners as they are free.
  void ForEach(std::size_t count,
               const std::function<void(std::size_t, std::size_t, Learner&)>& work) {
    std::atomic<std::size_t> next{0};
    platform::RunInParallel(executor_, learners_.size(), [&](std::size_t worker) {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i, worker, *learners_[worker]);
      }
    });
  }

 private:
  std::vector<std::unique_ptr<Learner>>& learners_;
  platform::Executor executor_;
};

}  // namespace tutti::simulate
