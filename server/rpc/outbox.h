// A server stream that is written in order from any thread: messages queue up to a bound while one
// is being written. A reader that falls behind further loses the stream, not the coordinator's
// memory. Thread safety: safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace tutti::rpc {

template <typename Message>
class Outbox : public std::enable_shared_from_this<Outbox<Message>> {
 public:
  // `on_done` runs once, when the call is over. Give reactor() to gRPC right away.
  static std::shared_ptr<Outbox> Open(std::size_t limit, std::function<void()> on_done) {
    auto box = std::shared_ptr<Outbox>(new Outbox(limit, std::move(on_done)));
    box->reactor_ = new Reactor(box);
    return box;
  }

  grpc::ServerWriteReactor<Message>* reactor() {
    const std::lock_guard lock(mutex_);
    return reactor_;
  }

  // False when the stream has ended or ends now because its reader is too slow.
  bool Push(Message message) {
    const std::lock_guard lock(mutex_);
    if (closing_) {
      return false;
    }
    if (waiting_.size() >= limit_) {
      CloseLocked(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                               "this stream is read too slowly; attach again"),
                  true);
      return false;
    }
    waiting_.push_back(std::move(message));
    WriteNext();
    return true;
  }

  // Ends the stream after what is queued, or at once.
  void Close(const grpc::Status& status, bool drop_queued = false) {
    const std::lock_guard lock(mutex_);
    CloseLocked(status, drop_queued);
  }

 private:
  class Reactor final : public grpc::ServerWriteReactor<Message> {
   public:
    explicit Reactor(std::shared_ptr<Outbox> box) : box_(std::move(box)) {}
    void OnWriteDone(bool ok) override { box_->Written(ok); }
    void OnCancel() override { box_->Close(grpc::Status::CANCELLED, true); }
    void OnDone() override {
      const std::shared_ptr<Outbox> box = std::move(box_);
      delete this;
      box->Done();
    }

   private:
    std::shared_ptr<Outbox> box_;
  };

  Outbox(std::size_t limit, std::function<void()> on_done)
      : limit_(limit), on_done_(std::move(on_done)) {}

  void WriteNext() {  // with mutex_ held
    if (writing_ || finished_ || reactor_ == nullptr) {
      return;
    }
    if (!waiting_.empty()) {
      writing_ = true;
      current_ = std::move(waiting_.front());
      waiting_.pop_front();
      reactor_->StartWrite(&current_);
    } else if (closing_) {
      finished_ = true;
      reactor_->Finish(status_);
    }
  }

  void CloseLocked(const grpc::Status& status, bool drop_queued) {  // with mutex_ held
    if (drop_queued) {
      waiting_.clear();
    }
    if (!closing_) {
      closing_ = true;
      status_ = status;
    }
    WriteNext();
  }

  void Written(bool ok) {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    current_ = Message();
    if (!ok) {
      CloseLocked(grpc::Status::CANCELLED, true);
    } else {
      WriteNext();
    }
  }

  void Done() {
    {
      const std::lock_guard lock(mutex_);
      reactor_ = nullptr;
      closing_ = true;
      waiting_.clear();
    }
    on_done_();
  }

  const std::size_t limit_;
  const std::function<void()> on_done_;
  std::mutex mutex_;
  Reactor* reactor_ = nullptr;   // guarded by mutex_; null once the call is over
  std::deque<Message> waiting_;  // guarded by mutex_
  Message current_;              // gRPC reads it while writing_
  grpc::Status status_;          // guarded by mutex_
  bool writing_ = false;         // guarded by mutex_
  bool closing_ = false;         // guarded by mutex_
  bool finished_ = false;        // guarded by mutex_
};

}  // namespace tutti::rpc
