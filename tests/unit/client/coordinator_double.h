// The coordinator's end of several links in one process, played by the test: what clients send is
// kept and waited for. Thread safety: safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/rpc/link.h"

namespace tutti::client {

class CoordinatorDouble {
 public:
  struct Uploaded {
    protocol::UploadHeader header;
    Bytes vector;
  };

  // A line of one client.
  class Line final : public client_rpc::Link {
   public:
    Line(CoordinatorDouble& coordinator, std::string name)
        : coordinator_(coordinator), name_(std::move(name)) {}
    Status Send(const protocol::Request& request, std::stop_token) override {
      return coordinator_.Take(name_, request);
    }
    StatusOr<Bytes> FetchModel(const Digest&, std::uint64_t, std::stop_token) override {
      const std::lock_guard lock(coordinator_.mutex_);
      ++coordinator_.fetches_;
      coordinator_.changed_.notify_all();
      return coordinator_.model;
    }
    Status Upload(const protocol::UploadHeader& header, client_rpc::SharedBytes vector,
                  std::stop_token) override {
      return coordinator_.TakeUpload(name_, {header, *vector});
    }
    void SetBudget(const protocol::BudgetReport& budget) override {
      const std::lock_guard lock(coordinator_.mutex_);
      coordinator_.budgets[name_] = budget;
    }

   private:
    CoordinatorDouble& coordinator_;
    std::string name_;
  };

  // The next request of `client` of this kind that was not taken yet; nullopt after a minute.
  template <typename Request>
  std::optional<Request> Wait(const std::string& client) {
    std::unique_lock lock(mutex_);
    std::optional<Request> found;
    changed_.wait_for(lock, std::chrono::minutes(1), [&] {
      auto& waiting = requests_[client];
      for (auto it = waiting.begin(); it != waiting.end(); ++it) {
        if (const Request* request = std::get_if<Request>(&*it)) {
          found = *request;
          waiting.erase(it);
          return true;
        }
      }
      return false;
    });
    return found;
  }
  std::optional<Uploaded> WaitUpload(const std::string& client) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::minutes(1), [&] { return uploads_.count(client) > 0; });
    const auto found = uploads_.find(client);
    if (found == uploads_.end()) return std::nullopt;
    Uploaded uploaded = std::move(found->second);
    uploads_.erase(found);
    return uploaded;
  }
  // Until clients asked for a model so many times: training follows.
  void WaitFetch(int fetches = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::minutes(1), [&] { return fetches_ >= fetches; });
  }
  void SetModel(Bytes bytes) {
    const std::lock_guard lock(mutex_);
    model = std::move(bytes);
  }
  // Called on the client's thread before an upload is taken.
  std::function<void(const std::string& client, const protocol::SessionHash&)> on_upload;
  std::map<std::string, protocol::BudgetReport> budgets;  // guarded by mutex_

 private:
  Status Take(const std::string& client, const protocol::Request& request) {
    {
      const std::lock_guard lock(mutex_);
      requests_[client].push_back(request);
    }
    changed_.notify_all();
    return OkStatus();
  }
  Status TakeUpload(const std::string& client, Uploaded uploaded) {
    if (on_upload) on_upload(client, uploaded.header.session);
    {
      const std::lock_guard lock(mutex_);
      uploads_.insert_or_assign(client, std::move(uploaded));
    }
    changed_.notify_all();
    return OkStatus();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int fetches_ = 0;                                                 // guarded by mutex_
  Bytes model;                                                      // guarded by mutex_
  std::map<std::string, std::vector<protocol::Request>> requests_;  // guarded by mutex_
  std::map<std::string, Uploaded> uploads_;                         // guarded by mutex_
};

}  // namespace tutti::client
