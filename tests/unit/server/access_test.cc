// Who may enrol and call what.
#include <filesystem>

#include "common/base/text.h"
#include "common/platform/files.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {

namespace {

using test::Credentials;
using test::TestClient;

}  // namespace

TEST_CASE("a token enrols one client, for its name and time only", "[server]") {
  Fixture fixture;
  const std::string token = test::NewToken(*fixture.daemon, "", "trainer");
  REQUIRE(test::Enrol(*fixture.daemon, token, "Bad Name").status.error_code() ==
          grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(test::Enrol(*fixture.daemon, token, "a").status.ok());
  REQUIRE(test::Enrol(*fixture.daemon, token, "b").status.error_code() ==
          grpc::StatusCode::UNAUTHENTICATED);
  const std::string second = test::NewToken(*fixture.daemon, "", "trainer");
  REQUIRE(test::Enrol(*fixture.daemon, second, "a").status.error_code() ==
          grpc::StatusCode::ALREADY_EXISTS);
  const std::string bound = test::NewToken(*fixture.daemon, "c", "evaluator");
  const auto enrolled = test::Enrol(*fixture.daemon, bound, "wanted");
  REQUIRE(enrolled.status.ok());
  const auto info = crypto::ReadCertificatePem(enrolled.credentials.certificate_pem);
  REQUIRE(info->name == "c");
  REQUIRE(info->role == "evaluator");
  fixture.clock.moved = 86'400;
  REQUIRE(test::Enrol(*fixture.daemon, second, "d").status.error_code() ==
          grpc::StatusCode::UNAUTHENTICATED);
}

TEST_CASE("guessing tokens is slowed down", "[server]") {
  rpc::FailureLimit limit(20);
  for (int i = 0; i < 20; ++i) {
    REQUIRE(!limit.Exceeded(Instant(5000)));
    limit.Count(Instant(5000 + i));
  }
  REQUIRE(limit.Exceeded(Instant(5999)));
  REQUIRE(!limit.Exceeded(Instant(6000)));
}

TEST_CASE("calls are allowed by certificate, role and standing", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  const auto list = [&](const Credentials& credentials) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::ListClientsReply reply;
    return v1::Admin::NewStub(test::Connect(fixture.daemon->port(), credentials))
        ->ListClients(&context, {}, &reply)
        .error_code();
  };
  REQUIRE(list(client.credentials()) == grpc::StatusCode::PERMISSION_DENIED);
  Credentials nobody = client.credentials();
  nobody.certificate_pem.clear();
  nobody.key_pem.clear();
  REQUIRE(list(nobody) == grpc::StatusCode::UNAVAILABLE);  // no handshake without a certificate
  const auto admin =
      test::Enrol(*fixture.daemon, test::NewToken(*fixture.daemon, "", "operator"), "admin");
  REQUIRE(list(admin.credentials) == grpc::StatusCode::OK);

  const auto attach = [&](const std::string& role, std::uint32_t version) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::AttachRequest request;
    request.set_role(role);
    request.set_protocol_version(version);
    const auto notices = client.stub().Attach(&context, request);
    v1::Notice notice;
    if (notices->Read(&notice) && notice.has_welcome()) {
      return grpc::StatusCode::OK;
    }
    return notices->Finish().error_code();
  };
  REQUIRE(attach("trainer", 1) == grpc::StatusCode::OK);
  REQUIRE(attach("evaluator", 1) == grpc::StatusCode::PERMISSION_DENIED);
  REQUIRE(attach("king", 1) == grpc::StatusCode::INVALID_ARGUMENT);
  REQUIRE(attach("trainer", 2) == grpc::StatusCode::FAILED_PRECONDITION);
  grpc::ClientContext context;
  v1::RevokeClientRequest revoke;
  revoke.set_name("a");
  v1::RevokeClientReply revoked;
  REQUIRE(test::LocalAdmin(*fixture.daemon)->RevokeClient(&context, revoke, &revoked).ok());
  REQUIRE(attach("trainer", 1) == grpc::StatusCode::PERMISSION_DENIED);
}

TEST_CASE("an unusable key or certificate is named", "[server]") {
  Fixture fixture;
  fixture.daemon.reset();
  const std::string pki = fixture.folder / "state/pki";
  const auto refusal = [&](const std::string& file, const std::string& text) {
    const std::string path = pki + "/" + file;
    const std::string kept = *platform::ReadTextFile(path, 1 << 16);
    REQUIRE(platform::WriteFileDurably(path, AsBytes(text), 0600).ok());
    const Status status = Daemon::Start(fixture.config, fixture.clock).status();
    REQUIRE(platform::WriteFileDurably(path, AsBytes(kept), 0600).ok());
    INFO(TextOf(status));
    return !status.ok() && TextOf(status).find(path) != std::string::npos;
  };
  for (const char* file : {"ca.pem", "ca.key", "server.key"}) {
    INFO(file);
    REQUIRE(refusal(file, "garbage"));
  }
  REQUIRE(refusal("ca.pem", *platform::ReadTextFile(pki + "/operator.pem", 1 << 16)));
  fixture.Start();
}

}  // namespace tutti::server
