// One masked vector coming in: header, the core's leave, then bytes into a spool. Each chunk's
// digest is compared with the header's as soon as the chunk is there; the vector is handed over
// only when it is whole. Thread safety: safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <set>

#include "common/crypto/hash.h"
#include "common/secagg/layout.h"
#include "server/http/metrics.h"
#include "server/rpc/partial_uploads.h"
#include "server/rpc/ports.h"

namespace tutti::rpc {

// What all uploads share; everything is borrowed.
struct UploadContext {
  CoordinatorPort& port;
  SpoolPool& pool;
  PartialUploads& partial;
  http::Metrics& metrics;
  const Clock& clock;
  Milliseconds stall;  // an upload without a chunk for this long is ended
};

class UploadWatch;

class Upload final : public IncomingUpload, public std::enable_shared_from_this<Upload> {
 public:
  // Starts reading; give the reactor to gRPC right away. `response` is gRPC's.
  static grpc::ServerReadReactor<grpc::ByteBuffer>* Start(const UploadContext& context,
                                                          UploadWatch& watch, ClientId client,
                                                          grpc::CallbackServerContext* call,
                                                          grpc::ByteBuffer* response);

  void Accept(const secagg::RingLayout& layout) override;
  void Answer(const Status& status, Milliseconds retry) override;
  Status Visit(std::size_t unit, const PartVisitor& visitor) override;
  void Discard() override;

  // Ends the call when it receives and nothing came for too long.
  void EndIfStalled(Instant now);

 private:
  class Reactor;
  enum class Step { kHeader, kWaiting, kReceiving, kReceived, kFinished };

  Upload(const UploadContext& context, ClientId client, grpc::CallbackServerContext* call,
         grpc::ByteBuffer* response)
      : context_(context), client_(std::move(client)), call_(call), response_(response) {}

  void OnRead(bool ok);
  void OnDone();
  void GotSpool(StatusOr<std::unique_ptr<Spool>> spool);
  // With mutex_ held:
  Status OpenFromHeader();
  void Begin(std::unique_ptr<Spool> spool);
  void Break(const Status& status);
  void EndUnless(const Status& status);
  Status Consume();
  Status CheckChunks(BytesView data);
  Status CheckPadding(BytesView data, std::uint64_t first) const;
  void ReadMore();
  void Finish(const Status& status, Milliseconds retry);
  std::unique_ptr<Spool> TakeSpool() { return std::move(spool_); }

  const UploadContext context_;
  const ClientId client_;
  std::mutex mutex_;                   // guards everything below
  grpc::CallbackServerContext* call_;  // valid until OnDone
  grpc::ByteBuffer* response_;         // valid until OnDone
  Reactor* reactor_ = nullptr;         // null after OnDone
  Step step_ = Step::kHeader;
  std::optional<round::CallId> id_;
  protocol::UploadHeader header_;
  bool resume_ = false;
  grpc::ByteBuffer chunk_;
  secagg::RingLayout layout_;
  std::uint64_t bytes_ = 0;  // of the vector
  std::unique_ptr<Spool> spool_;
  crypto::Sha256Stream hash_;  // of the chunk that is coming in
  Instant last_chunk_{0};
};

// Looks at all open uploads now and then: ends stalled ones, sends waiting ones to files.
class UploadWatch {
 public:
  explicit UploadWatch(SpoolPool& pool) : pool_(pool) {}
  void Add(const std::shared_ptr<Upload>& upload);
  void Remove(const Upload* upload);
  // Call every 100 ms or so.
  void Look(Instant now);

 private:
  SpoolPool& pool_;
  std::mutex mutex_;
  std::map<const Upload*, std::weak_ptr<Upload>> open_;  // guarded by mutex_
};

}  // namespace tutti::rpc
