// Who watches which job. A watcher that cannot keep up loses its stream (its outbox is bounded),
// never a round's time. Thread safety: safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/rpc/ports.h"

namespace tutti::server {

class Watchers {
 public:
  void Add(const std::string& job, std::shared_ptr<rpc::JobWatcher> watcher);
  void Remove(const rpc::JobWatcher* watcher);
  void Tell(const rpc::JobEvent& event);  // to those who watch event.job
  void End(const std::string& job);       // nothing follows

 private:
  std::vector<std::shared_ptr<rpc::JobWatcher>> Of(const std::string& job);
  std::mutex mutex_;
  std::multimap<std::string, std::shared_ptr<rpc::JobWatcher>> by_job_;  // guarded by mutex_
};

}  // namespace tutti::server
