#include "server/rpc/enrolment_service.h"

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/failpoint/failpoint.h"
#include "common/log/log.h"
#include "server/rpc/grpc_status.h"

namespace tutti::rpc {
namespace {
constexpr std::size_t kMaxRequestPem = 8 * 1024;
}

void FailureLimit::Roll(Instant now) {
  const std::int64_t second = now.count() / 1000;
  if (second != second_) {
    second_ = second;
    failures_ = 0;
  }
}

bool FailureLimit::Exceeded(Instant now) {
  const std::lock_guard lock(mutex_);
  Roll(now);
  return failures_ >= limit_;
}

void FailureLimit::Count(Instant now) {
  const std::lock_guard lock(mutex_);
  Roll(now);
  ++failures_;
}

grpc::ServerUnaryReactor* EnrolmentService::Enrol(grpc::CallbackServerContext* context,
                                                  const v1::EnrolRequest* request,
                                                  v1::EnrolReply* reply) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  if (!settings_.disk.TryPost(
          [this, request, reply, reactor] { reactor->Finish(ToGrpc(Answer(*request, reply))); })) {
    reactor->Finish(ToGrpc(ResourceExhausted("too many calls are waiting; try again in a second")));
  }
  return reactor;
}

Status EnrolmentService::Answer(const v1::EnrolRequest& request, v1::EnrolReply* reply) {
  if (limit_.Exceeded(settings_.clock.Now())) {
    return ResourceExhausted("too many failed enrolments; try again in a second");
  }
  Status status = Issue(request, reply);
  if (!status.ok()) {
    limit_.Count(settings_.clock.Now());
    log::Debug("enrolment refused", {{"name", request.name()}, {"reason", status}});
  }
  return status;
}

Status EnrolmentService::Issue(const v1::EnrolRequest& request, v1::EnrolReply* reply) {
  TUTTI_ASSIGN(const auto secret, ToArray<32>(AsBytes(request.token()), "token"));
  if (request.csr_pem().size() > kMaxRequestPem) {
    return InvalidArgument(Join("certificate request has ", request.csr_pem().size(),
                                " bytes, at most ", kMaxRequestPem, " are allowed"));
  }
  // The store knows hashes only: whoever reads its file cannot enrol.
  const Digest secret_hash = crypto::Sha256(secret);
  const StatusOr<store::TokenRecord> token = settings_.store.FindToken(secret_hash);
  if (!token.ok()) {
    return token.status().code() == StatusCode::kNotFound
               ? Unauthenticated("the join token is unknown; ask the operator for a new one")
               : token.status();
  }
  const std::string name = token->name.empty() ? request.name() : token->name;
  if (!IsSafeName(name)) {
    return InvalidArgument(
        Join("client name \"", Escaped(name, 80),
             "\" must be 1 to 64 of a-z 0-9 . _ - and start with a letter or digit"));
  }
  if (settings_.directory.Enrolled() >= settings_.max_clients) {
    return ResourceExhausted(
        Join("limits.max_clients = ", settings_.max_clients,
             " clients are enrolled; the operator must raise it or revoke some"));
  }
  const WallSeconds now = settings_.clock.Wall();
  crypto::IssueSettings issue;
  issue.name = name;
  issue.role = token->role;
  issue.now = now;
  issue.days = settings_.certificate_days;
  TUTTI_ASSIGN(const std::string pem,
               crypto::IssueFromRequest(settings_.authority.ca_key, settings_.authority.ca_pem,
                                        request.csr_pem(), issue));
  TUTTI_ASSIGN(const crypto::CertificateInfo info, crypto::ReadCertificatePem(pem));
  store::ClientRecord client;
  client.name = name;
  client.role = token->role;
  client.spki = info.spki_sha256;
  client.certificate_expires_at = info.not_after;
  client.enrolled_at = now;
  TUTTI_TRY(settings_.store.Enrol(secret_hash, client, now));
  Failpoint("server.client_stored");
  settings_.directory.Put(client);
  log::Info("client enrolled", {{"client", name}, {"role", client.role}});
  reply->set_certificate_pem(pem);
  reply->set_ca_pem(settings_.authority.ca_pem);
  reply->set_name(name);
  reply->set_role(client.role);
  return OkStatus();
}

}  // namespace tutti::rpc
