#include "server/rpc/upload.h"

#include <algorithm>

#include "common/base/text.h"
#include "common/rpc/chunk.h"
#include "common/secagg/chunks.h"
#include "common/wire/conversation.h"
#include "server/rpc/grpc_status.h"
#include "tutti/v1/coordinator.pb.h"

namespace tutti::rpc {
namespace {

grpc::ByteBuffer ReplyBytes(Milliseconds retry) {
  v1::StepReply reply;
  reply.set_retry_milliseconds(static_cast<std::uint64_t>(retry.count()));
  const grpc::Slice slice(reply.SerializeAsString());
  return {&slice, 1};
}

}  // namespace

class Upload::Reactor final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
 public:
  Reactor(std::shared_ptr<Upload> upload, UploadWatch& watch)
      : upload_(std::move(upload)), watch_(watch) {}
  void OnReadDone(bool ok) override { upload_->OnRead(ok); }
  void OnCancel() override {
    upload_->Answer(Aborted("the upload was broken off"), Milliseconds(0));
  }
  void OnDone() override {
    const std::shared_ptr<Upload> upload = std::move(upload_);
    watch_.Remove(upload.get());
    delete this;
    upload->OnDone();
  }

 private:
  std::shared_ptr<Upload> upload_;
  UploadWatch& watch_;
};

grpc::ServerReadReactor<grpc::ByteBuffer>* Upload::Start(const UploadContext& context,
                                                         UploadWatch& watch, ClientId client,
                                                         grpc::CallbackServerContext* call,
                                                         grpc::ByteBuffer* response) {
  std::shared_ptr<Upload> upload(new Upload(context, std::move(client), call, response));
  auto* const reactor = new Reactor(upload, watch);
  const std::lock_guard lock(upload->mutex_);
  upload->reactor_ = reactor;
  upload->last_chunk_ = context.clock.Now();
  watch.Add(upload);
  upload->ReadMore();
  return reactor;
}

void Upload::ReadMore() {
  chunk_.Clear();
  reactor_->StartRead(&chunk_);
}

void Upload::OnRead(bool ok) {
  const std::lock_guard lock(mutex_);
  if (step_ == Step::kFinished || reactor_ == nullptr) {
    return;
  }
  if (!ok) {
    return Break(InvalidArgument(Join("the upload ended after ", spool_ ? spool_->received() : 0,
                                      " of ", bytes_, " bytes; go on or send it again")));
  }
  EndUnless(step_ == Step::kHeader ? OpenFromHeader() : Consume());
}

void Upload::EndUnless(const Status& status) {
  if (status.ok()) {
    return;
  }
  // Before the client hears of it: nothing it sends then finds it still in the round.
  if (status.code() == StatusCode::kInvalidArgument && id_) {
    context_.port.UploadEnded(*id_, status);
  }
  const bool busy = status.code() == StatusCode::kResourceExhausted;
  Finish(status, busy ? context_.port.RetryWindow() : Milliseconds(0));
}

// The first chunk: its data, if any, waits in chunk_ until the core has accepted the header.
Status Upload::OpenFromHeader() {
  grpc::ByteBuffer first(chunk_);
  TUTTI_ASSIGN(const ChunkHead head,
               ParseChunk(&first, [](const ChunkHead&, BytesView) { return OkStatus(); }));
  if (!head.has_header || head.offset != 0) {
    return InvalidArgument("an upload's first chunk must have session and header, at offset 0");
  }
  if (head.fields.resume() && head.data_bytes > 0) {
    return InvalidArgument(
        "the first chunk of a resumed upload must have no data: where to go on comes first");
  }
  resume_ = head.fields.resume();
  TUTTI_ASSIGN(header_, wire::HeaderFromProto(head.fields));
  TUTTI_ASSIGN(id_, context_.port.OpenUpload(client_, header_, shared_from_this()));
  step_ = Step::kWaiting;
  return OkStatus();
}

void Upload::Accept(const secagg::RingLayout& layout) {
  std::unique_ptr<Spool> kept = context_.partial.Take(client_, header_);
  {
    const std::lock_guard lock(mutex_);
    if (step_ != Step::kWaiting) {
      return;
    }
    layout_ = layout;
    bytes_ = layout.wire_bytes();
    if (resume_ && kept != nullptr) {
      context_.metrics.AddResumedUpload();
      return Begin(std::move(kept));
    }
  }
  kept.reset();
  // Outside the lock: the pool may call back at once, or much later.
  context_.pool.Request(layout.wire_bytes(),
                        [upload = shared_from_this()](StatusOr<std::unique_ptr<Spool>> spool) {
                          upload->GotSpool(std::move(spool));
                        });
}

void Upload::GotSpool(StatusOr<std::unique_ptr<Spool>> spool) {
  const std::lock_guard lock(mutex_);
  if (step_ != Step::kWaiting || reactor_ == nullptr) {
    return;  // gone meanwhile; the spool goes back
  }
  if (!spool.ok()) {
    Finish(spool.status(), context_.port.RetryWindow());
    return;
  }
  Begin(*std::move(spool));
}

void Upload::Begin(std::unique_ptr<Spool> spool) {
  if (reactor_ == nullptr) {
    return;
  }
  spool_ = std::move(spool);
  step_ = Step::kReceiving;
  last_chunk_ = context_.clock.Now();
  if (resume_) {
    call_->AddInitialMetadata(kOffsetMetadata, std::to_string(spool_->received()));
    reactor_->StartSendInitialMetadata();
    return ReadMore();  // the first chunk had no data
  }
  EndUnless(Consume());
}

// `data` has just been appended: every chunk that is whole now has the digest its header announced.
Status Upload::CheckChunks(BytesView data) {
  std::uint64_t received = spool_->received() - data.size();
  while (!data.empty()) {
    const std::uint64_t chunk = received / secagg::kChunkBytes;
    const std::uint64_t end = std::min((chunk + 1) * secagg::kChunkBytes, bytes_);
    const BytesView part = data.first(std::min<std::uint64_t>(data.size(), end - received));
    hash_.Update(part);
    data = data.subspan(part.size());
    received += part.size();
    if (received == end && hash_.Finish() != header_.header.chunks.at(chunk)) {
      return InvalidArgument(Join("chunk ", chunk, " of the uploaded vector does not have the ",
                                  "SHA-256 its header announced"));
    }
  }
  return OkStatus();
}

// Before a byte of it counts: a vector with bits behind its last value would spoil the sum
// unnoticed by its digest.
Status Upload::CheckPadding(BytesView data, std::uint64_t first) const {
  const std::uint64_t last = layout_.payload_wire_bytes() - 1;
  if (last < first || last - first >= data.size() ||
      (data[last - first] & layout_.padding_bits()) == 0) {
    return OkStatus();
  }
  return InvalidArgument(Join("the uploaded vector has bits set behind the last of its ",
                              layout_.values, " values of ", layout_.bits, " bits"));
}

Status Upload::Consume() {
  const auto on_data = [this](const ChunkHead& head, BytesView data) -> Status {
    if (data.empty()) {
      return head.offset == spool_->received()
                 ? OkStatus()
                 : InvalidArgument(Join("upload chunk is at byte ", head.offset, ", expected ",
                                        spool_->received(), "; chunks come in order"));
    }
    TUTTI_TRY(CheckPadding(data, spool_->received()));
    TUTTI_TRY(spool_->Append(data));
    return CheckChunks(data);
  };
  TUTTI_ASSIGN(const ChunkHead head, ParseChunk(&chunk_, on_data));
  if (head.data_bytes == 0 && !head.has_header) {
    return InvalidArgument("an upload chunk has no data; only the first one, the header's, may");
  }
  last_chunk_ = context_.clock.Now();
  context_.metrics.AddBytesUp(head.data_bytes);
  chunk_.Clear();
  if (spool_->received() < bytes_) {
    ReadMore();
    return OkStatus();
  }
  step_ = Step::kReceived;
  context_.port.UploadReceived(*id_);
  return OkStatus();
}

void Upload::Answer(const Status& status, Milliseconds retry) {
  const std::lock_guard lock(mutex_);
  if (reactor_ == nullptr) {
    return;
  }
  if (status.code() == StatusCode::kAborted) {
    return Break(status);
  }
  Finish(status, retry);
}

// The call ends, its client may go on in another: whole chunks are kept for it.
void Upload::Break(const Status& status) {
  if (step_ == Step::kReceiving) {
    const std::uint64_t whole = spool_->received() - spool_->received() % secagg::kChunkBytes;
    if (whole > 0 && spool_->Shelve(whole).ok()) {
      context_.partial.Keep(client_, header_, TakeSpool());
    }
  }
  Finish(status, Milliseconds(0));
}

void Upload::Finish(const Status& status, Milliseconds retry) {
  if (step_ == Step::kFinished) {
    return;
  }
  step_ = Step::kFinished;
  if (status.ok()) {
    *response_ = ReplyBytes(retry);
  } else {
    context_.metrics.AddRefusal(CodeName(status.code()));
    if (retry.count() > 0) {
      call_->AddTrailingMetadata(kRetryMetadata, std::to_string(retry.count()));
    }
  }
  reactor_->Finish(ToGrpc(status));
}

Status Upload::Visit(std::size_t unit, const PartVisitor& visitor) {
  std::unique_ptr<Spool> spool;
  {
    const std::lock_guard lock(mutex_);
    spool = TakeSpool();
  }
  if (spool == nullptr) {
    return Internal("an upload was added after it was given up");
  }
  return spool->Visit(unit, visitor);
}

void Upload::Discard() {
  std::unique_ptr<Spool> spool;
  {
    const std::lock_guard lock(mutex_);
    if (step_ == Step::kReceiving || step_ == Step::kWaiting) {
      return;  // still written to; goes with the call
    }
    spool = TakeSpool();
  }
}

void Upload::OnDone() {
  std::unique_ptr<Spool> spool;
  std::optional<round::CallId> id;
  {
    const std::lock_guard lock(mutex_);
    // A vector that was handed over belongs to the core until it is visited or discarded.
    if (step_ != Step::kReceived) {
      step_ = Step::kFinished;
    }
    reactor_ = nullptr;
    call_ = nullptr;
    response_ = nullptr;
    id = id_;
  }
  if (id) {
    context_.port.UploadEnded(*id, OkStatus());
  }
}

void Upload::EndIfStalled(Instant now) {
  const std::lock_guard lock(mutex_);
  if (reactor_ != nullptr && (step_ == Step::kReceiving || step_ == Step::kHeader) &&
      now - last_chunk_ > context_.stall) {
    Break(DeadlineExceeded(
        Join("no chunk came for ", context_.stall.count(), " ms; the upload was ended")));
  }
}

void UploadWatch::Add(const std::shared_ptr<Upload>& upload) {
  const std::lock_guard lock(mutex_);
  open_[upload.get()] = upload;
}

void UploadWatch::Remove(const Upload* upload) {
  const std::lock_guard lock(mutex_);
  open_.erase(upload);
}

void UploadWatch::Look(Instant now) {
  std::vector<std::shared_ptr<Upload>> uploads;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, upload] : open_) {
      if (std::shared_ptr<Upload> alive = upload.lock()) {
        uploads.push_back(std::move(alive));
      }
    }
  }
  for (const std::shared_ptr<Upload>& upload : uploads) {
    upload->EndIfStalled(now);
  }
  pool_.Expire();
}

}  // namespace tutti::rpc
