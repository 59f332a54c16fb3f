// The two streams of the admin service: watching a job, exporting a checkpoint.
#include <algorithm>

#include "common/base/text.h"
#include "server/rpc/admin_service.h"
#include "server/rpc/admin_values.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/outbox.h"

namespace tutti::rpc {
namespace {

constexpr std::size_t kOutboxUpdates = 1024;
constexpr std::size_t kExportChunk = 1 << 20;  // bytes

class Watcher final : public JobWatcher {
 public:
  explicit Watcher(std::shared_ptr<Outbox<v1::JobUpdate>> box) : box_(std::move(box)) {}
  void OnEvent(const JobEvent& event) override {
    v1::JobUpdate update;
    ToProto(event, &update);
    box_->Push(std::move(update));
  }
  void OnEnd() override { box_->Close(grpc::Status::OK); }

 private:
  const std::shared_ptr<Outbox<v1::JobUpdate>> box_;
};

// Sends a checkpoint that was read and verified; memory is given back with the call.
class Export final : public grpc::ServerWriteReactor<v1::ExportChunk> {
 public:
  // From the disk's thread, once.
  void Begin(const Status& status, const store::ModelRecord& model, const std::string& path,
             std::string manifest, Bytes bytes) {
    const std::lock_guard lock(mutex_);
    if (finished_) {
      return;
    }
    if (!status.ok()) {
      End(status);
      return;
    }
    bytes_ = std::move(bytes);
    ToProto(model, path, chunk_.mutable_model());
    chunk_.set_manifest_json(std::move(manifest));
    WriteNext();
  }
  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    chunk_.Clear();
    if (finished_) {
      return;
    }
    if (!ok || sent_ == bytes_.size()) {
      End(ok ? OkStatus() : Aborted("the export was broken off"));
      return;
    }
    WriteNext();
  }
  void OnCancel() override {
    const std::lock_guard lock(mutex_);
    End(Aborted("the export was broken off"));
  }
  void OnDone() override { const std::shared_ptr<Export> last = std::move(self_); }
  void KeepAlive(std::shared_ptr<Export> self) { self_ = std::move(self); }

 private:
  void WriteNext() {  // with mutex_ held
    const std::size_t count = std::min(kExportChunk, bytes_.size() - sent_);
    chunk_.set_data(bytes_.data() + sent_, count);
    sent_ += count;
    StartWrite(&chunk_);
  }
  void End(const Status& status) {  // with mutex_ held
    if (!finished_) {
      finished_ = true;
      Finish(ToGrpc(status));
    }
  }

  std::mutex mutex_;
  Bytes bytes_;            // guarded by mutex_
  std::size_t sent_ = 0;   // guarded by mutex_
  v1::ExportChunk chunk_;  // gRPC reads it while a write is under way
  bool finished_ = false;  // guarded by mutex_
  std::shared_ptr<Export> self_;
};

}  // namespace

grpc::ServerWriteReactor<v1::JobUpdate>* AdminService::WatchJob(
    grpc::CallbackServerContext* context, const v1::WatchJobRequest* request) {
  const Status allowed = Authorize(*context);
  auto watcher = std::make_shared<std::shared_ptr<Watcher>>();
  auto box = Outbox<v1::JobUpdate>::Open(kOutboxUpdates, [this, watcher] {
    if (*watcher != nullptr) {
      settings_.port.Unwatch(watcher->get());
      watcher->reset();
    }
  });
  grpc::ServerWriteReactor<v1::JobUpdate>* const reactor = box->reactor();
  if (!allowed.ok()) {
    box->Close(ToGrpc(allowed));
    return reactor;
  }
  *watcher = std::make_shared<Watcher>(box);
  if (!settings_.disk.TryPost([this, box, held = *watcher, job = request->name()] {
        if (const Status status = settings_.port.Watch(job, held); !status.ok()) {
          box->Close(ToGrpc(status));
        }
      })) {
    box->Close(ToGrpc(ResourceExhausted("too many calls are waiting; try again in a second")));
  }
  return reactor;
}

grpc::ServerWriteReactor<v1::ExportChunk>* AdminService::ExportModel(
    grpc::CallbackServerContext* context, const v1::ExportModelRequest* request) {
  auto out = std::make_shared<Export>();
  out->KeepAlive(out);
  if (const Status allowed = Authorize(*context); !allowed.ok()) {
    out->Begin(allowed, {}, "", "", {});
    return out.get();
  }
  const bool posted = settings_.disk.TryPost([this, out, job = request->job(),
                                              round = request->round()] {
    const StatusOr<store::ModelRecord> model = FindModel(job, round);
    if (!model.ok()) {
      out->Begin(model.status(), {}, "", "", {});
      return;
    }
    StatusOr<Bytes> bytes = settings_.checkpoints.Read(*model);
    const StatusOr<std::string> manifest = settings_.checkpoints.ReadManifest(*model);
    out->Begin(bytes.status(), *model, settings_.checkpoints.FullPath(*model),
               manifest.ok() ? *manifest : std::string(), bytes.ok() ? *std::move(bytes) : Bytes());
  });
  if (!posted) {
    out->Begin(ResourceExhausted("too many calls are waiting; try again in a second"), {}, "", "",
               {});
  }
  return out.get();
}

}  // namespace tutti::rpc
