// The operator-facing service. One instance serves the local unix socket (whoever may open it is
// the operator), one the TLS port (certificates with role operator only). Thread safety: safe; the
// work runs on the disk's thread.
#pragma once

#include "common/platform/executor.h"
#include "server/rpc/identity.h"
#include "server/rpc/ports.h"
#include "server/store/checkpoints.h"
#include "server/store/store.h"
#include "tutti/v1/admin.grpc.pb.h"

namespace tutti::rpc {

// References are borrowed and must outlive the service.
struct AdminSettings {
  AdminPort& port;
  store::Store& store;
  const store::Directory& directory;
  const store::Checkpoints& checkpoints;
  platform::Executor& disk;
  Identity* identity = nullptr;  // null: every caller is the operator (unix socket)
  const Clock& clock;
  bool insecure = false;  // no certificates: no tokens either
  std::string address;    // for clients, as in tokens
  std::string enrolment_address;
  Digest ca_sha256{};
  std::uint32_t token_lifetime_seconds = 86400;
  WallSeconds started_at = 0;
};

class AdminService final : public v1::Admin::CallbackService {
 public:
  explicit AdminService(AdminSettings settings) : settings_(std::move(settings)) {}

  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::StatusRequest* request,
                                      v1::StatusReply* reply) override;
  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenReply* reply) override;
  grpc::ServerUnaryReactor* ListClients(grpc::CallbackServerContext* context,
                                        const v1::ListClientsRequest* request,
                                        v1::ListClientsReply* reply) override;
  grpc::ServerUnaryReactor* RevokeClient(grpc::CallbackServerContext* context,
                                         const v1::RevokeClientRequest* request,
                                         v1::RevokeClientReply* reply) override;
  grpc::ServerUnaryReactor* ReadmitClient(grpc::CallbackServerContext* context,
                                          const v1::ReadmitClientRequest* request,
                                          v1::ReadmitClientReply* reply) override;
  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::JobReply* reply) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsReply* reply) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request, v1::JobReply* reply) override;
  grpc::ServerUnaryReactor* StopJob(grpc::CallbackServerContext* context,
                                    const v1::StopJobRequest* request,
                                    v1::JobReply* reply) override;
  grpc::ServerUnaryReactor* ResumeJob(grpc::CallbackServerContext* context,
                                      const v1::ResumeJobRequest* request,
                                      v1::JobReply* reply) override;
  grpc::ServerWriteReactor<v1::JobUpdate>* WatchJob(grpc::CallbackServerContext* context,
                                                    const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const v1::ListModelsRequest* request,
                                       v1::ListModelsReply* reply) override;
  grpc::ServerWriteReactor<v1::ExportChunk>* ExportModel(
      grpc::CallbackServerContext* context, const v1::ExportModelRequest* request) override;

 private:
  Status Authorize(const grpc::ServerContextBase& context);
  // Runs `work` on the disk's thread when the caller is an operator, then answers with its status.
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, std::function<Status()> work);
  Status IssueToken(const v1::CreateTokenRequest& request, v1::CreateTokenReply* reply);
  Status FillJob(const JobStatus& status, bool with_rounds, v1::JobReply* reply);
  StatusOr<store::ModelRecord> FindModel(const std::string& job, std::uint64_t round);

  const AdminSettings settings_;
};

}  // namespace tutti::rpc
