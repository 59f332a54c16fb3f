#include "server/rpc/fetch_model.h"

#include <algorithm>
#include <mutex>

#include "common/base/text.h"
#include "common/protocol/messages.h"
#include "common/rpc/chunk.h"
#include "server/rpc/grpc_status.h"

namespace tutti::rpc {
namespace {

// What one download may have encrypted and unsent at once: with a hundred downloads it is what
// counts.
constexpr std::size_t kServedChunk = 256 * 1024;  // bytes
static_assert(kServedChunk <= protocol::kMaxChunkBytes);

struct Request {
  Digest sha256{};
  std::uint64_t offset = 0;
};

StatusOr<Request> ReadRequest(const grpc::ByteBuffer& bytes) {
  if (bytes.Length() > 1024) {
    return InvalidArgument("the request for a model is longer than 1024 bytes");
  }
  grpc::Slice slice;
  if (!grpc::ByteBuffer(bytes).DumpToSingleSlice(&slice).ok()) {
    return InvalidArgument("the request for a model cannot be read");
  }
  v1::FetchModelRequest message;
  if (!message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return InvalidArgument("the request for a model is not a FetchModelRequest");
  }
  Request request;
  TUTTI_ASSIGN(request.sha256, ToArray<32>(AsBytes(message.model_sha256()), "model_sha256"));
  request.offset = message.offset();
  return request;
}

class Fetch final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit Fetch(http::Metrics& metrics) : metrics_(metrics) {}

  // Once, from any thread.
  void Begin(StatusOr<store::ModelBytes> model, std::uint64_t offset) {
    const std::lock_guard lock(mutex_);
    if (finished_) {
      return;
    }
    if (!model.ok()) {
      End(model.status());
      return;
    }
    model_ = *std::move(model);
    offset_ = offset;
    if (offset_ > model_->size()) {
      End(OutOfRange(Join("offset ", offset_, " lies behind the model's ", model_->size(),
                          " bytes; start again at 0")));
      return;
    }
    WriteNext();
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    if (finished_) {
      return;
    }
    if (!ok) {
      End(Aborted("the download was broken off"));
      return;
    }
    WriteNext();
  }
  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    End(Aborted("the download was broken off"));
  }
  void OnDone() override {
    // Begin may still be on its way from the disk's thread.
    std::shared_ptr<Fetch> last = std::move(self_);
  }
  void KeepAlive(std::shared_ptr<Fetch> self) { self_ = std::move(self); }

 private:
  void WriteNext() {  // with mutex_ held
    const std::size_t count = std::min<std::uint64_t>(kServedChunk, model_->size() - offset_);
    if (count == 0) {
      End(OkStatus());
      return;
    }
    chunk_ = MakeChunk(model_, BytesView(*model_).subspan(offset_, count), offset_);
    offset_ += count;
    metrics_.AddBytesDown(count);
    StartWrite(&chunk_);
  }
  void End(const Status& status) {  // with mutex_ held
    if (!finished_) {
      finished_ = true;
      Finish(ToGrpc(status));
    }
  }

  http::Metrics& metrics_;
  std::mutex mutex_;
  store::ModelBytes model_;   // guarded by mutex_
  std::uint64_t offset_ = 0;  // guarded by mutex_
  grpc::ByteBuffer chunk_;    // gRPC reads it while a write is under way
  bool finished_ = false;     // guarded by mutex_
  std::shared_ptr<Fetch> self_;
};

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* StartFetch(store::ModelShelf& shelf,
                                                       platform::Executor& disk,
                                                       http::Metrics& metrics,
                                                       const grpc::ByteBuffer& request) {
  const StatusOr<Request> wanted = ReadRequest(request);
  if (!wanted.ok()) {
    return FailedFetch(wanted.status());
  }
  auto fetch = std::make_shared<Fetch>(metrics);
  fetch->KeepAlive(fetch);
  if (store::ModelBytes model = shelf.Find(wanted->sha256)) {
    fetch->Begin(std::move(model), wanted->offset);
  } else if (!disk.TryPost([&shelf, fetch, sha256 = wanted->sha256, offset = wanted->offset] {
               fetch->Begin(shelf.Load(sha256), offset);
             })) {
    fetch->Begin(ResourceExhausted("too many reads wait for the disk; try again"), 0);
  }
  return fetch.get();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* FailedFetch(const Status& status) {
  class Refusal final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
   public:
    explicit Refusal(const Status& why) { Finish(ToGrpc(why)); }
    void OnDone() override { delete this; }
  };
  return new Refusal(status);
}

}  // namespace tutti::rpc
