#include "server/rpc/coordinator_service.h"

#include <atomic>

#include "common/base/text.h"
#include "common/wire/conversation.h"
#include "common/wire/notice_memory.h"
#include "server/rpc/fetch_model.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/outbox.h"

namespace tutti::rpc {
namespace {

constexpr std::size_t kOutboxNotices =
    64;  // a client that follows a round never has more than a few waiting
constexpr std::size_t kMaxSoftwareBytes = 64;

// The stream's end of Attach, as the coordinator sees it.
class NoticeStream final : public NoticeSink {
 public:
  NoticeStream(std::shared_ptr<Outbox<v1::Notice>> box, http::Metrics& metrics)
      : box_(std::move(box)), metrics_(metrics) {}
  void Send(const protocol::Notice& notice) override {
    v1::Notice message;
    wire::ToProto(notice, &message);
    memory_.Shorten(message);
    metrics_.AddBytesDown(message.ByteSizeLong());
    box_->Push(std::move(message));
  }
  void Close(const Status& status) override { box_->Close(ToGrpc(status)); }

 private:
  const std::shared_ptr<Outbox<v1::Notice>> box_;
  http::Metrics& metrics_;
  wire::NoticeMemory memory_;
};

void FinishUnary(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor,
                 http::Metrics& metrics, const Status& status, Milliseconds retry) {
  if (!status.ok()) {
    metrics.AddRefusal(CodeName(status.code()));
    if (retry.count() > 0) {
      context->AddTrailingMetadata(kRetryMetadata, std::to_string(retry.count()));
    }
  }
  reactor->Finish(ToGrpc(status));
}

}  // namespace

CoordinatorService::CoordinatorService(const CoordinatorServiceSettings& settings)
    : settings_(settings), watch_(settings.pool) {}

StatusOr<Attachment> CoordinatorService::CheckAttach(grpc::CallbackServerContext* context,
                                                     const v1::AttachRequest& request) {
  TUTTI_ASSIGN(const Peer peer, settings_.identity.OfNewStream(*context));
  if (request.protocol_version() != protocol::kVersion) {
    return FailedPrecondition(tutti::Join("client speaks protocol version ",
                                          request.protocol_version(), ", this coordinator ",
                                          protocol::kVersion, "; install matching versions"));
  }
  Attachment attachment;
  if (request.role() == "trainer") {
    attachment.role = round::Role::kTrainer;
  } else if (request.role() == "evaluator") {
    attachment.role = round::Role::kEvaluator;
  } else {
    return InvalidArgument(tutti::Join("role is \"", Escaped(request.role(), 32),
                                       "\", expected trainer or evaluator"));
  }
  if (!settings_.identity.insecure() && request.role() != peer.role) {
    return PermissionDenied(tutti::Join("client ", peer.name, " was enrolled as ", peer.role,
                                        " and cannot attach as ", request.role()));
  }
  if (request.software().size() > kMaxSoftwareBytes) {
    return InvalidArgument(tutti::Join("software has ", request.software().size(),
                                       " bytes, at most ", kMaxSoftwareBytes, " are allowed"));
  }
  TUTTI_ASSIGN(attachment.budget, wire::BudgetFromProto(request));
  attachment.client = peer.name;
  attachment.software = Escaped(request.software());
  return attachment;
}

grpc::ServerWriteReactor<v1::Notice>* CoordinatorService::Attach(
    grpc::CallbackServerContext* context, const v1::AttachRequest* request) {
  settings_.metrics.AddBytesUp(request->ByteSizeLong());
  StatusOr<Attachment> attachment = CheckAttach(context, *request);
  // Filled in below, before the stream can end; null: the coordinator never heard of this stream.
  struct Registration {
    ClientId client;
    std::atomic<const NoticeSink*> sink{nullptr};
  };
  auto registration = std::make_shared<Registration>();
  auto box = Outbox<v1::Notice>::Open(kOutboxNotices, [this, registration] {
    if (const NoticeSink* const sink = registration->sink) {
      settings_.port.Detached(registration->client, sink);
    }
  });
  grpc::ServerWriteReactor<v1::Notice>* const reactor = box->reactor();
  Status status = attachment.status();
  if (status.ok()) {
    auto sink = std::make_shared<NoticeStream>(box, settings_.metrics);
    registration->client = attachment->client;
    registration->sink = sink.get();
    attachment->sink = std::move(sink);
    status = settings_.port.Attach(*std::move(attachment));
    if (!status.ok()) {
      registration->sink = nullptr;
      if (status.code() == StatusCode::kResourceExhausted) {
        context->AddTrailingMetadata(kRetryMetadata,
                                     std::to_string(settings_.port.RetryWindow().count()));
      }
    }
  }
  if (!status.ok()) {
    settings_.metrics.AddRefusal(CodeName(status.code()));
    box->Close(ToGrpc(status));
  }
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* CoordinatorService::FetchModel(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  const StatusOr<Peer> peer = settings_.identity.Of(*context);
  if (!peer.ok()) {
    settings_.metrics.AddRefusal(CodeName(peer.status().code()));
    return FailedFetch(peer.status());
  }
  return StartFetch(settings_.shelf, settings_.disk, settings_.metrics, *request);
}

grpc::ServerReadReactor<grpc::ByteBuffer>* CoordinatorService::Upload(
    grpc::CallbackServerContext* context, grpc::ByteBuffer* response) {
  class Refusal final : public grpc::ServerReadReactor<grpc::ByteBuffer> {
   public:
    explicit Refusal(const Status& status) { Finish(ToGrpc(status)); }
    void OnDone() override { delete this; }
  };
  const StatusOr<Peer> peer = settings_.identity.Of(*context);
  if (!peer.ok()) {
    settings_.metrics.AddRefusal(CodeName(peer.status().code()));
    return new Refusal(peer.status());
  }
  const UploadContext shared{.port = settings_.port,
                             .pool = settings_.pool,
                             .partial = settings_.partial,
                             .metrics = settings_.metrics,
                             .clock = settings_.clock,
                             .stall = settings_.stall};
  return rpc::Upload::Start(shared, watch_, peer->name, context, response);
}

template <typename Message>
grpc::ServerUnaryReactor* CoordinatorService::Step(grpc::CallbackServerContext* context,
                                                   const Message& request, v1::StepReply* reply) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  http::Metrics& metrics = settings_.metrics;
  metrics.AddBytesUp(request.ByteSizeLong());
  const auto ask = [&]() -> Status {
    TUTTI_ASSIGN(const Peer peer, settings_.identity.Of(*context));
    TUTTI_ASSIGN(auto domain, wire::FromProto(request));
    return settings_.port.Ask(
        peer.name, protocol::Request(std::move(domain)),
        [context, reactor, reply, &metrics](const Status& status, Milliseconds retry) {
          reply->set_retry_milliseconds(static_cast<std::uint64_t>(retry.count()));
          FinishUnary(context, reactor, metrics, status, retry);
        });
  };
  if (const Status status = ask(); !status.ok()) {
    const bool busy = status.code() == StatusCode::kResourceExhausted;
    FinishUnary(context, reactor, metrics, status,
                busy ? settings_.port.RetryWindow() : Milliseconds(0));
  }
  return reactor;
}

grpc::ServerUnaryReactor* CoordinatorService::Join(grpc::CallbackServerContext* context,
                                                   const v1::JoinRequest* request,
                                                   v1::StepReply* reply) {
  return Step(context, *request, reply);
}
grpc::ServerUnaryReactor* CoordinatorService::Share(grpc::CallbackServerContext* context,
                                                    const v1::ShareRequest* request,
                                                    v1::StepReply* reply) {
  return Step(context, *request, reply);
}
grpc::ServerUnaryReactor* CoordinatorService::Commit(grpc::CallbackServerContext* context,
                                                     const v1::CommitRequest* request,
                                                     v1::StepReply* reply) {
  return Step(context, *request, reply);
}
grpc::ServerUnaryReactor* CoordinatorService::Unmask(grpc::CallbackServerContext* context,
                                                     const v1::UnmaskRequest* request,
                                                     v1::StepReply* reply) {
  return Step(context, *request, reply);
}
grpc::ServerUnaryReactor* CoordinatorService::Decline(grpc::CallbackServerContext* context,
                                                      const v1::DeclineRequest* request,
                                                      v1::StepReply* reply) {
  return Step(context, *request, reply);
}
grpc::ServerUnaryReactor* CoordinatorService::ReportEvaluation(grpc::CallbackServerContext* context,
                                                               const v1::EvaluationRequest* request,
                                                               v1::StepReply* reply) {
  return Step(context, *request, reply);
}

}  // namespace tutti::rpc
