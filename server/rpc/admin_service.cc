#include "server/rpc/admin_service.h"

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/log/log.h"
#include "common/wire/token.h"
#include "server/rpc/admin_values.h"
#include "server/rpc/grpc_status.h"

namespace tutti::rpc {
namespace {
constexpr std::uint32_t kLongestTokenLife = 31'536'000;  // seconds: a year
}

Status AdminService::Authorize(const grpc::ServerContextBase& context) {
  if (settings_.identity == nullptr) {
    return OkStatus();
  }
  if (settings_.insecure) {
    return PermissionDenied(
        "without certificates operators use the unix socket on the coordinator's machine");
  }
  TUTTI_ASSIGN(const Peer peer, settings_.identity->OfNewStream(context));
  if (peer.role != "operator") {
    return PermissionDenied(Join("client ", peer.name, " has role ", peer.role,
                                 "; this call needs an operator's certificate"));
  }
  return OkStatus();
}

grpc::ServerUnaryReactor* AdminService::Run(grpc::CallbackServerContext* context,
                                            std::function<Status()> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (const Status allowed = Authorize(*context); !allowed.ok()) {
    reactor->Finish(ToGrpc(allowed));
  } else if (!settings_.disk.TryPost(
                 [reactor, work = std::move(work)] { reactor->Finish(ToGrpc(work())); })) {
    reactor->Finish(ToGrpc(ResourceExhausted("too many calls are waiting; try again in a second")));
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::StatusRequest*,
                                                  v1::StatusReply* reply) {
  return Run(context, [this, reply] {
    reply->set_version(TUTTI_VERSION);
    reply->set_started_at(settings_.started_at);
    reply->set_clients_enrolled(static_cast<std::uint32_t>(settings_.directory.Enrolled()));
    reply->set_clients_attached(
        static_cast<std::uint32_t>(settings_.port.AttachedClients().size()));
    std::uint32_t running = 0;
    for (const JobStatus& job : settings_.port.AllJobs()) {
      running += job.record.state == round::JobState::kRunning ? 1U : 0U;
    }
    reply->set_jobs_running(running);
    reply->set_ca_sha256(settings_.insecure ? "" : ToHex(settings_.ca_sha256));
    reply->set_address(settings_.address);
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminService::CreateToken(grpc::CallbackServerContext* context,
                                                    const v1::CreateTokenRequest* request,
                                                    v1::CreateTokenReply* reply) {
  return Run(context, [this, request, reply] { return IssueToken(*request, reply); });
}

Status AdminService::IssueToken(const v1::CreateTokenRequest& request,
                                v1::CreateTokenReply* reply) {
  if (settings_.insecure) {
    return FailedPrecondition(
        "this coordinator runs with insecure_loopback: clients need no token");
  }
  const std::string role = request.role().empty() ? "trainer" : request.role();
  if (role != "trainer" && role != "evaluator" && role != "operator") {
    return InvalidArgument(
        Join("role is \"", Escaped(role, 32), "\", expected trainer, evaluator or operator"));
  }
  if (!request.name().empty() && !IsSafeName(request.name())) {
    return InvalidArgument(
        Join("client name \"", Escaped(request.name(), 80),
             "\" must be 1 to 64 of a-z 0-9 . _ - and start with a letter or digit"));
  }
  const std::uint32_t lifetime = request.lifetime_seconds() == 0 ? settings_.token_lifetime_seconds
                                                                 : request.lifetime_seconds();
  if (lifetime > kLongestTokenLife) {
    return InvalidArgument(Join("token lifetime is ", lifetime, " seconds, at most ",
                                kLongestTokenLife, " (a year) are allowed"));
  }
  wire::JoinToken token;
  token.enrolment_address = settings_.enrolment_address;
  token.address = settings_.address;
  token.ca_sha256 = settings_.ca_sha256;
  crypto::SystemRng().Fill(token.secret);
  store::TokenRecord record;
  record.secret_hash = crypto::Sha256(token.secret);
  record.name = request.name();
  record.role = role;
  record.created_at = settings_.clock.Wall();
  record.expires_at = record.created_at + lifetime;
  TUTTI_TRY(settings_.store.AddToken(record));
  log::Info("join token created",
            {{"role", role}, {"name", record.name}, {"expires_at", record.expires_at}});
  reply->set_token(wire::EncodeToken(token));
  reply->set_expires_at(record.expires_at);
  reply->set_role(role);
  reply->set_name(record.name);
  return OkStatus();
}

grpc::ServerUnaryReactor* AdminService::ListClients(grpc::CallbackServerContext* context,
                                                    const v1::ListClientsRequest*,
                                                    v1::ListClientsReply* reply) {
  return Run(context, [this, reply]() -> Status {
    TUTTI_TRY(settings_.port.FlushActivity());
    TUTTI_ASSIGN(const auto clients, settings_.store.Clients());
    const std::set<std::string> attached = settings_.port.AttachedClients();
    for (const store::ClientRecord& client : clients) {
      ToProto(client, attached.contains(client.name), reply->add_clients());
    }
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminService::RevokeClient(grpc::CallbackServerContext* context,
                                                     const v1::RevokeClientRequest* request,
                                                     v1::RevokeClientReply*) {
  return Run(context, [this, request] { return settings_.port.RevokeClient(request->name()); });
}

grpc::ServerUnaryReactor* AdminService::ReadmitClient(grpc::CallbackServerContext* context,
                                                      const v1::ReadmitClientRequest* request,
                                                      v1::ReadmitClientReply*) {
  return Run(context, [this, request] { return settings_.port.ReadmitClient(request->name()); });
}

Status AdminService::FillJob(const JobStatus& status, bool with_rounds, v1::JobReply* reply) {
  ToProto(status, reply->mutable_job());
  const Bytes& config = status.record.config;
  if (!reply->mutable_config()->ParseFromArray(config.data(), static_cast<int>(config.size()))) {
    return DataLoss(
        Join("the stored configuration of job ", status.record.name, " cannot be read"));
  }
  if (with_rounds) {
    TUTTI_ASSIGN(const auto rounds, settings_.store.Rounds(status.record.name));
    for (const store::RoundRecord& round : rounds) {
      ToProto(round, reply->add_rounds());
    }
  }
  return OkStatus();
}

grpc::ServerUnaryReactor* AdminService::SubmitJob(grpc::CallbackServerContext* context,
                                                  const v1::SubmitJobRequest* request,
                                                  v1::JobReply* reply) {
  return Run(context, [this, request, reply]() -> Status {
    TUTTI_ASSIGN(const JobStatus status,
                 settings_.port.SubmitJob(request->job(), AsBytes(request->warm_start())));
    return FillJob(status, false, reply);
  });
}

grpc::ServerUnaryReactor* AdminService::ListJobs(grpc::CallbackServerContext* context,
                                                 const v1::ListJobsRequest*,
                                                 v1::ListJobsReply* reply) {
  return Run(context, [this, reply] {
    for (const JobStatus& job : settings_.port.AllJobs()) {
      ToProto(job, reply->add_jobs());
    }
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* AdminService::GetJob(grpc::CallbackServerContext* context,
                                               const v1::GetJobRequest* request,
                                               v1::JobReply* reply) {
  return Run(context, [this, request, reply]() -> Status {
    TUTTI_ASSIGN(const JobStatus status, settings_.port.JobCalled(request->name()));
    return FillJob(status, request->with_rounds(), reply);
  });
}

grpc::ServerUnaryReactor* AdminService::StopJob(grpc::CallbackServerContext* context,
                                                const v1::StopJobRequest* request,
                                                v1::JobReply* reply) {
  return Run(context, [this, request, reply]() -> Status {
    TUTTI_ASSIGN(const JobStatus status, settings_.port.StopJob(request->name()));
    return FillJob(status, false, reply);
  });
}

grpc::ServerUnaryReactor* AdminService::ResumeJob(grpc::CallbackServerContext* context,
                                                  const v1::ResumeJobRequest* request,
                                                  v1::JobReply* reply) {
  return Run(context, [this, request, reply]() -> Status {
    TUTTI_ASSIGN(const JobStatus status, settings_.port.ResumeJob(request->name()));
    return FillJob(status, false, reply);
  });
}

grpc::ServerUnaryReactor* AdminService::ListModels(grpc::CallbackServerContext* context,
                                                   const v1::ListModelsRequest* request,
                                                   v1::ListModelsReply* reply) {
  return Run(context, [this, request, reply]() -> Status {
    if (!request->job().empty()) {
      TUTTI_TRY(settings_.store.Job(request->job()).status());
    }
    TUTTI_ASSIGN(const auto models, settings_.store.Models(request->job()));
    for (const store::ModelRecord& model : models) {
      ToProto(model, settings_.checkpoints.FullPath(model), reply->add_models());
    }
    return OkStatus();
  });
}

StatusOr<store::ModelRecord> AdminService::FindModel(const std::string& job, std::uint64_t round) {
  TUTTI_TRY(settings_.store.Job(job).status());
  TUTTI_ASSIGN(const auto models, settings_.store.Models(job));
  for (const store::ModelRecord& model : models) {
    if (round == 0 || model.round == round) {
      return model;
    }
  }
  return NotFound(Join("job ", job, " has no checkpoint of round ", round,
                       "; tutti model list shows what is kept"));
}

}  // namespace tutti::rpc
