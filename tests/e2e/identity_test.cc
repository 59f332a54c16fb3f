// Who may do what: join tokens, certificates, TLS versions, revocation, operators.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>

#include "common/crypto/certificate.h"
#include "common/crypto/random.h"
#include "common/wire/token.h"
#include "tests/catch.h"
#include "tests/e2e/world.h"
#include "tutti/v1/coordinator.grpc.pb.h"

namespace tutti::e2e {
namespace {

WallSeconds Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

grpc::SslCredentialsOptions CredentialsOf(const World& world, const std::string& client) {
  const std::string pki = world.ClientState(client) + "/pki/";
  return {.pem_root_certs = ReadText(pki + "ca.pem"),
          .pem_private_key = ReadText(pki + "client.key"),
          .pem_cert_chain = ReadText(pki + "client.pem")};
}

// A certificate with a good name and role, but of a CA the coordinator never heard of.
grpc::SslCredentialsOptions Forged(const World& world, const std::string& ca_pem_to_trust) {
  (void)world;
  crypto::SystemRng rng;
  const crypto::KeyPair ca = crypto::NewKeyPair(rng);
  const crypto::KeyPair own = crypto::NewKeyPair(rng);
  const std::string ca_pem = *crypto::NewCaCertificatePem(ca, "other CA", Now(), 30);
  const crypto::IssueSettings issue{
      .name = "client-0", .role = "operator", .server_names = {}, .now = Now(), .days = 30};
  return {.pem_root_certs = ca_pem_to_trust,
          .pem_private_key = crypto::PrivateKeyPem(own.key),
          .pem_cert_chain = *crypto::IssueForKey(ca.key, ca_pem, own.public_key, issue)};
}

grpc::Status GetStatusWith(const std::string& address, const grpc::SslCredentialsOptions& options) {
  const auto admin =
      v1::Admin::NewStub(grpc::CreateChannel(address, grpc::SslCredentials(options)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::StatusReply reply;
  return admin->GetStatus(&context, {}, &reply);
}

grpc::Status AttachAs(const std::string& address, const grpc::SslCredentialsOptions& options,
                      const std::string& role) {
  const auto stub =
      v1::Coordinator::NewStub(grpc::CreateChannel(address, grpc::SslCredentials(options)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::AttachRequest request;
  request.set_protocol_version(1);
  request.set_role(role);
  const auto stream = stub->Attach(&context, request);
  v1::Notice notice;
  while (stream->Read(&notice)) context.TryCancel();
  return stream->Finish();
}

// `openssl s_client` with the client's certificate; what it says.
std::string Handshake(const World& world, const std::string& address, const std::string& version) {
  const std::string pki = world.ClientState("client-0") + "/pki/";
  const Ran ran =
      Run({"openssl", "s_client", "-connect", address, version, "-CAfile", pki + "ca.pem", "-cert",
           pki + "client.pem", "-key", pki + "client.key", "-alpn", "h2", "-verify_return_error"});
  return ran.out + ran.error;
}

}  // namespace

TEST_CASE("a join token works once, until it expires, as it was written, at its own coordinator",
          "[e2e]") {
  World world;
  world.StartServer();
  const std::string token = world.Token("client-0");
  REQUIRE(world.Join("client-0", token).exit_code == 0);
  const Ran again = world.Join("thief", token);
  INFO(again.error);
  REQUIRE(again.exit_code != 0);
  REQUIRE(Contains(again.error, "used already"));
  REQUIRE_FALSE(std::filesystem::exists(world.ClientState("thief") + "/pki/client.pem"));

  std::string mistyped = world.Token("client-1");
  mistyped[mistyped.size() / 2] = mistyped[mistyped.size() / 2] == 'A' ? 'B' : 'A';
  const Ran typo = world.Join("client-1", mistyped);
  INFO(typo.error);
  REQUIRE(typo.exit_code == 78);
  REQUIRE(Contains(typo.error, "mistyped"));
  REQUIRE_FALSE(std::filesystem::exists(world.ClientState("client-1")));

  wire::JoinToken other = *wire::DecodeToken(world.Token("client-1"));
  other.ca_sha256[0] ^= 1;
  const Ran wrong_ca = world.Join("client-1", wire::EncodeToken(other));
  INFO(wrong_ca.error);
  REQUIRE(wrong_ca.exit_code != 0);
  REQUIRE_FALSE(std::filesystem::exists(world.ClientState("client-1") + "/pki/client.pem"));
  // Its secret was not shown to whoever answered there: it still works where it belongs.
  other.ca_sha256[0] ^= 1;
  REQUIRE(world.Join("client-1", wire::EncodeToken(other)).exit_code == 0);

  v1::CreateTokenRequest request;
  request.set_name("client-2");
  request.set_lifetime_seconds(1);
  grpc::ClientContext context;
  v1::CreateTokenReply reply;
  REQUIRE(world.admin().CreateToken(&context, request, &reply).ok());
  REQUIRE(WaitUntil([&] { return Now() > reply.expires_at(); }));
  const Ran late = world.Join("client-2", reply.token());
  INFO(late.error);
  REQUIRE(late.exit_code != 0);
  REQUIRE(Contains(late.error, "expired"));
}

TEST_CASE("the coordinator speaks TLS 1.3 with certificates of its own CA, and nothing else",
          "[e2e]") {
  World world;
  world.StartServer();
  world.Enrol("client-0");
  const grpc::SslCredentialsOptions good = CredentialsOf(world, "client-0");
  REQUIRE(Contains(Handshake(world, world.address(), "-tls1_3"), "TLSv1.3"));
  for (const std::string& address : {world.address(), world.enrolment_address()}) {
    INFO(address);
    const std::string text = Handshake(world, address, "-tls1_2");
    INFO(text);
    REQUIRE(Contains(text, "no peer certificate available"));
    REQUIRE(Contains(text, "Cipher is (NONE)"));
  }
  REQUIRE(AttachAs(world.address(), good, "trainer").error_code() == grpc::StatusCode::CANCELLED);
  REQUIRE(AttachAs(world.address(), good, "evaluator").error_code() ==
          grpc::StatusCode::PERMISSION_DENIED);

  const grpc::SslCredentialsOptions nobody{
      .pem_root_certs = good.pem_root_certs, .pem_private_key = "", .pem_cert_chain = ""};
  REQUIRE(AttachAs(world.address(), nobody, "trainer").error_code() ==
          grpc::StatusCode::UNAVAILABLE);
  REQUIRE(AttachAs(world.address(), Forged(world, good.pem_root_certs), "trainer").error_code() ==
          grpc::StatusCode::UNAVAILABLE);
  const auto plain =
      v1::Admin::NewStub(grpc::CreateChannel(world.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  v1::StatusReply reply;
  REQUIRE_FALSE(plain->GetStatus(&context, {}, &reply).ok());
  REQUIRE(world.ServerAnswers());
}

TEST_CASE("operators' calls need an operator's certificate on the network", "[e2e]") {
  World world;
  world.StartServer();
  world.Enrol("client-0");
  const grpc::SslCredentialsOptions trainer = CredentialsOf(world, "client-0");
  REQUIRE(GetStatusWith(world.address(), trainer).error_code() ==
          grpc::StatusCode::PERMISSION_DENIED);
  REQUIRE(GetStatusWith(world.address(), Forged(world, trainer.pem_root_certs)).error_code() ==
          grpc::StatusCode::UNAVAILABLE);

  // The one that init made, and one from a token.
  REQUIRE(world.Join("boss", world.Token("boss", "operator")).exit_code == 0);
  const std::string made = world.StateFolder() + "/pki/";
  const std::string joined = world.ClientState("boss") + "/pki/";
  for (const auto& [certificate, key] : {std::pair(made + "operator.pem", made + "operator.key"),
                                         std::pair(joined + "client.pem", joined + "client.key")}) {
    INFO(certificate);
    const Ran ran = Run({Program("tutti"), "--server", world.address(), "--ca", made + "ca.pem",
                         "--cert", certificate, "--key", key, "status", "--json"});
    INFO(ran.error);
    REQUIRE(ran.exit_code == 0);
    REQUIRE(Json::parse(ran.out).at("clients_enrolled").get<int>() >= 1);
  }
  const Ran refused = Run({Program("tutti"), "--server", world.address(), "--ca", made + "ca.pem",
                           "--cert", world.ClientState("client-0") + "/pki/client.pem", "--key",
                           world.ClientState("client-0") + "/pki/client.key", "status"});
  REQUIRE(refused.exit_code == 1);
  REQUIRE(Contains(refused.error, "operator"));
}

TEST_CASE("a revoked client is cut off at once and its certificate opens nothing again", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  REQUIRE(world.Tutti({"clients", "revoke", "client-3"}).exit_code == 0);
  REQUIRE(WaitUntil([&] { return world.ClientInfo("client-3").state() == "revoked"; }));
  const grpc::SslCredentialsOptions credentials = CredentialsOf(world, "client-3");
  const grpc::Status attach = AttachAs(world.address(), credentials, "trainer");
  INFO(attach.error_message());
  REQUIRE(attach.error_code() == grpc::StatusCode::PERMISSION_DENIED);
  REQUIRE(Contains(attach.error_message(), "revoked"));
  REQUIRE(WaitUntil([&] { return Contains(world.ClientLog("client-3"), "revoked"); }));
  world.Submit("trial", {"rounds=1"});
  world.AwaitDone("trial");
  REQUIRE(world.Job("trial").rounds(0).survivors() == 3);
  REQUIRE(world.Job("trial").rounds(0).invited() == 3);
  REQUIRE(world.ClientStatus("client-3").at("ledger_entries") == 0);

  REQUIRE(world.server().Terminate().exit_code == 0);
  world.StartServer();
  REQUIRE(AttachAs(world.address(), credentials, "trainer").error_code() ==
          grpc::StatusCode::PERMISSION_DENIED);
}

}  // namespace tutti::e2e
