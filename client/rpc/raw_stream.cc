#include "client/rpc/raw_stream.h"

namespace tutti::client_rpc {

RawStream::RawStream(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                     const std::string& method)
    : call_(grpc::GenericStub(channel).PrepareCall(&context, method, &queue_)) {
  call_->StartCall(this);
  Await();
}

RawStream::~RawStream() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool RawStream::Await() {
  void* tag = nullptr;
  bool ok = false;
  return queue_.Next(&tag, &ok) && ok;
}

bool RawStream::ReadInitialMetadata() {
  call_->ReadInitialMetadata(this);
  return Await();
}

bool RawStream::Write(const grpc::ByteBuffer& message) {
  call_->Write(message, this);
  return Await();
}

bool RawStream::WritesDone() {
  call_->WritesDone(this);
  return Await();
}

bool RawStream::Read(grpc::ByteBuffer& message) {
  call_->Read(&message, this);
  return Await();
}

grpc::Status RawStream::Finish() {
  grpc::Status status;
  call_->Finish(&status, this);
  Await();
  return status;
}

}  // namespace tutti::client_rpc
