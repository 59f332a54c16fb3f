#include "server/watchers.h"

namespace tutti::server {

void Watchers::Add(const std::string& job, std::shared_ptr<rpc::JobWatcher> watcher) {
  const std::lock_guard lock(mutex_);
  by_job_.emplace(job, std::move(watcher));
}

void Watchers::Remove(const rpc::JobWatcher* watcher) {
  const std::lock_guard lock(mutex_);
  std::erase_if(by_job_, [watcher](const auto& entry) { return entry.second.get() == watcher; });
}

std::vector<std::shared_ptr<rpc::JobWatcher>> Watchers::Of(const std::string& job) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<rpc::JobWatcher>> watchers;
  for (auto [entry, end] = by_job_.equal_range(job); entry != end; ++entry) {
    watchers.push_back(entry->second);
  }
  return watchers;
}

void Watchers::Tell(const rpc::JobEvent& event) {
  for (const auto& watcher : Of(event.job.record.name)) {
    watcher->OnEvent(event);
  }
}

void Watchers::End(const std::string& job) {
  for (const auto& watcher : Of(job)) {
    watcher->OnEnd();
    Remove(watcher.get());
  }
}

}  // namespace tutti::server
