#include "client/rpc/enrol.h"

#include <chrono>

#include "client/rpc/grpc_status.h"
#include "common/base/text.h"
#include "tutti/v1/enrolment.grpc.pb.h"

namespace tutti::client_rpc {
namespace {

constexpr std::chrono::seconds kPatience{15};
constexpr std::size_t kMaxPemBytes = 16 * 1024;

}  // namespace

StatusOr<Enrolled> Enrol(const std::string& address, const std::string& ca_pem, BytesView token,
                         const std::string& csr_pem, const std::string& name) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ca_pem;
  const auto channel =
      grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), ChannelOptions(address));
  const auto stub = v1::Enrolment::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  context.set_wait_for_ready(true);
  v1::EnrolRequest request;
  request.set_token(token.data(), token.size());
  request.set_csr_pem(csr_pem);
  request.set_name(name);
  v1::EnrolReply reply;
  const grpc::Status status = stub->Enrol(&context, request, &reply);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return Unavailable(
        Join("nobody answers at ", address, " with a certificate of the token's CA"));
  }
  TUTTI_TRY(FromGrpc(status));
  if (reply.certificate_pem().size() > kMaxPemBytes || reply.ca_pem().size() > kMaxPemBytes) {
    return InvalidArgument("the enrolment reply holds a certificate of more than 16 KiB");
  }
  return Enrolled{.certificate_pem = reply.certificate_pem(),
                  .ca_pem = reply.ca_pem(),
                  .name = reply.name(),
                  .role = reply.role()};
}

}  // namespace tutti::client_rpc
