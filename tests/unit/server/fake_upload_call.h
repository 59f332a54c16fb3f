// gRPC's side of one upload call without a network. What gRPC must do by its contract this does: a
// finished call ends its read, then it is done. Thread safety: confined to one thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <utility>

#include "common/base/status.h"

namespace tutti::test {

class FakeUploadCall final : public grpc::ServerCallbackReader<grpc::ByteBuffer> {
 public:
  // What rpc::Upload::Start gave for this call's context and response.
  void Bind(grpc::ServerReadReactor<grpc::ByteBuffer>* reactor) {
    reactor_ = reactor;
    BindReactor(reactor);
    Settle();
  }
  grpc::CallbackServerContext* context() { return &context_; }
  grpc::ByteBuffer* response() { return &response_; }
  bool open() const { return reactor_ != nullptr; }
  bool reading() const { return open() && wanted_ != nullptr; }
  bool metadata_sent() const { return metadata_; }
  const std::optional<grpc::Status>& status() const { return status_; }  // once it has ended

  void Deliver(const std::string& message) {
    if (!reading()) return;
    const grpc::Slice slice(message);
    *std::exchange(wanted_, nullptr) = grpc::ByteBuffer(&slice, 1);
    reactor_->OnReadDone(true);
    Settle();
  }
  void EndOfStream() {
    if (!reading()) return;
    wanted_ = nullptr;
    reactor_->OnReadDone(false);
    Settle();
  }
  void Cancel() {
    if (!open()) return;
    reactor_->OnCancel();
    Settle();
  }
  // To be called when somebody else may have ended the call.
  void Settle() {
    if (!open() || !status_.has_value()) return;
    if (std::exchange(wanted_, nullptr) != nullptr) reactor_->OnReadDone(false);
    std::exchange(reactor_, nullptr)->OnDone();
  }

  void Finish(grpc::Status status) override {
    TUTTI_CHECK(!status_.has_value());
    status_ = std::move(status);
  }
  void SendInitialMetadata() override { TUTTI_CHECK(!std::exchange(metadata_, true)); }
  void Read(grpc::ByteBuffer* message) override {
    TUTTI_CHECK(wanted_ == nullptr);
    wanted_ = message;
  }

 private:
  grpc::internal::ServerReactor* reactor() override { return nullptr; }
  void CallOnDone() override {}

  grpc::CallbackServerContext context_;
  grpc::ByteBuffer response_;
  grpc::ServerReadReactor<grpc::ByteBuffer>* reactor_ = nullptr;
  grpc::ByteBuffer* wanted_ = nullptr;
  std::optional<grpc::Status> status_;
  bool metadata_ = false;
};

}  // namespace tutti::test
