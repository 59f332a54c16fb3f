// One streaming call whose messages stay bytes: what the generated stub would copy into and out of
// protobuf messages goes between gRPC's slices and our vectors at once. Thread safety: confined to
// one thread; its context may be cancelled from any.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace tutti::client_rpc {

class RawStream {
 public:
  // Starts the call. `context` is borrowed. Each call ends with Finish.
  RawStream(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
            const std::string& method);
  ~RawStream();

  // Waits for the initial metadata, which is in the context then; before the first Read only.
  bool ReadInitialMetadata();
  bool Write(const grpc::ByteBuffer& message);  // false: the call is over, Finish says why
  bool WritesDone();
  bool Read(grpc::ByteBuffer& message);  // false: no more messages
  grpc::Status Finish();

 private:
  bool Await();  // the one operation under way

  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

}  // namespace tutti::client_rpc
