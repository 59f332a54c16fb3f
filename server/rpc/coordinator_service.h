// The client-facing service: identity, bounds, then the event queue. No decision about a round is
// taken here. Thread safety: safe; gRPC's threads call it.
#pragma once

#include <memory>

#include "common/platform/executor.h"
#include "server/rpc/identity.h"
#include "server/rpc/upload.h"
#include "server/store/model_shelf.h"
#include "tutti/v1/coordinator.grpc.pb.h"

namespace tutti::rpc {

// Everything is borrowed and must outlive the server.
struct CoordinatorServiceSettings {
  CoordinatorPort& port;
  Identity& identity;
  store::ModelShelf& shelf;
  platform::Executor& disk;  // reads checkpoints that are not in memory
  http::Metrics& metrics;
  SpoolPool& pool;
  PartialUploads& partial;
  const Clock& clock;
  Milliseconds stall;
};

// Vectors and models bypass protobuf's parser: see chunk.h.
using CoordinatorServiceBase = v1::Coordinator::WithRawCallbackMethod_FetchModel<
    v1::Coordinator::WithRawCallbackMethod_Upload<v1::Coordinator::WithCallbackMethod_Attach<
        v1::Coordinator::WithCallbackMethod_Join<v1::Coordinator::WithCallbackMethod_Share<
            v1::Coordinator::WithCallbackMethod_Commit<v1::Coordinator::WithCallbackMethod_Unmask<
                v1::Coordinator::WithCallbackMethod_Decline<
                    v1::Coordinator::WithCallbackMethod_ReportEvaluation<
                        v1::Coordinator::Service>>>>>>>>>;

class CoordinatorService final : public CoordinatorServiceBase {
 public:
  explicit CoordinatorService(const CoordinatorServiceSettings& settings);

  grpc::ServerWriteReactor<v1::Notice>* Attach(grpc::CallbackServerContext* context,
                                               const v1::AttachRequest* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* FetchModel(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override;
  grpc::ServerReadReactor<grpc::ByteBuffer>* Upload(grpc::CallbackServerContext* context,
                                                    grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context,
                                 const v1::JoinRequest* request, v1::StepReply* reply) override;
  grpc::ServerUnaryReactor* Share(grpc::CallbackServerContext* context,
                                  const v1::ShareRequest* request, v1::StepReply* reply) override;
  grpc::ServerUnaryReactor* Commit(grpc::CallbackServerContext* context,
                                   const v1::CommitRequest* request, v1::StepReply* reply) override;
  grpc::ServerUnaryReactor* Unmask(grpc::CallbackServerContext* context,
                                   const v1::UnmaskRequest* request, v1::StepReply* reply) override;
  grpc::ServerUnaryReactor* Decline(grpc::CallbackServerContext* context,
                                    const v1::DeclineRequest* request,
                                    v1::StepReply* reply) override;
  grpc::ServerUnaryReactor* ReportEvaluation(grpc::CallbackServerContext* context,
                                             const v1::EvaluationRequest* request,
                                             v1::StepReply* reply) override;

  UploadWatch& upload_watch() { return watch_; }

 private:
  template <typename Message>
  grpc::ServerUnaryReactor* Step(grpc::CallbackServerContext* context, const Message& request,
                                 v1::StepReply* reply);
  StatusOr<Attachment> CheckAttach(grpc::CallbackServerContext* context,
                                   const v1::AttachRequest& request);

  const CoordinatorServiceSettings settings_;
  UploadWatch watch_;
};

}  // namespace tutti::rpc
