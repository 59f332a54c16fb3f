// What reaches the coordinator below and beside its messages.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "tests/catch.h"
#include "tests/seeded_rng.h"
#include "tests/unit/server/fixture.h"

namespace tutti::server {
namespace {

using test::TestClient;

// Sends `bytes` to the port, waits until the other end closes or answers, and closes.
void SendBytes(int port, const std::string& bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  static_cast<void>(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  ::shutdown(fd, SHUT_WR);
  char answer[256];
  while (::recv(fd, answer, sizeof answer, 0) > 0) {
  }
  ::close(fd);
}

v1::AttachRequest Trainer() {
  v1::AttachRequest request;
  request.set_protocol_version(1);
  request.set_role("trainer");
  return request;
}

}  // namespace

TEST_CASE("bytes that are no TLS disturb nobody", "[server]") {
  Fixture fixture;
  TestRng draw(11);
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (const std::size_t size : {0U, 1U, 5U, 100U, 5000U, 300'000U}) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(draw.Next());
    for (const int port : {fixture.daemon->port(), fixture.daemon->enrolment_port()}) {
      SendBytes(port, bytes);
      SendBytes(port, preface + bytes);
      SendBytes(port, "\x16\x03\x01\x40" + bytes);  // a TLS record of 16 KiB begins
    }
  }
  TestClient(*fixture.daemon, "after").AttachOnce();
}

// gRPC may end the whole connection with the call, or the call alone: the next one is served either
// way.
TEST_CASE("64 KiB of metadata are refused and the client's next call is served", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  grpc::ClientContext context;
  context.AddMetadata("x-large", std::string(64 * 1024, 'a'));
  v1::StepReply reply;
  REQUIRE_FALSE(client.stub().Commit(&context, {}, &reply).ok());
  client.Reconnect(*fixture.daemon);
  client.AttachOnce();
}

TEST_CASE("what a client calls itself in its headers does not matter", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = client.credentials().ca_pem;
  tls.pem_private_key = client.credentials().key_pem;
  tls.pem_cert_chain = client.credentials().certificate_pem;
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix("curl/7.88 (another program; \"quotes\")");
  const auto stub = v1::Coordinator::NewStub(grpc::CreateCustomChannel(
      "localhost:" + std::to_string(fixture.daemon->port()), grpc::SslCredentials(tls), arguments));
  grpc::ClientContext context;
  const auto notices = stub->Attach(&context, Trainer());
  v1::Notice notice;
  REQUIRE(notices->Read(&notice));
  REQUIRE(notice.has_welcome());
  context.TryCancel();
  REQUIRE_FALSE(notices->Finish().ok());
}

TEST_CASE("a flood of enrolments is refused and an honest one is served afterwards", "[server]") {
  Fixture fixture;
  const TestClient first(*fixture.daemon, "first");
  const test::Credentials anybody{
      .ca_pem = first.credentials().ca_pem, .certificate_pem = {}, .key_pem = {}};
  std::vector<std::thread> flood;
  std::atomic<int> refused = 0;
  for (int thread = 0; thread < 8; ++thread) {
    flood.emplace_back([&] {
      const auto stub =
          v1::Enrolment::NewStub(test::Connect(fixture.daemon->enrolment_port(), anybody));
      v1::EnrolRequest request;
      request.set_token(std::string(32, 'x'));
      request.set_name("flood");
      for (int i = 0; i < 100; ++i) {
        grpc::ClientContext context;
        v1::EnrolReply reply;
        refused += stub->Enrol(&context, request, &reply).ok() ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : flood) {
    thread.join();
  }
  REQUIRE(refused == 800);
  fixture.clock.waited = 2;  // failures are counted for a second
  TestClient(*fixture.daemon, "honest").AttachOnce();
}

TEST_CASE("of two connections with one certificate the newer one stays", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  grpc::ClientContext first, second;
  const auto older = client.stub().Attach(&first, Trainer());
  v1::Notice notice;
  REQUIRE(older->Read(&notice));
  const auto newer = client.stub().Attach(&second, Trainer());
  REQUIRE(newer->Read(&notice));
  REQUIRE(notice.has_welcome());
  while (older->Read(&notice)) {
  }
  const grpc::Status ended = older->Finish();
  REQUIRE(ended.error_code() == grpc::StatusCode::ABORTED);
  REQUIRE(ended.error_message().find("newer connection") != std::string::npos);
  second.TryCancel();
  REQUIRE_FALSE(newer->Finish().ok());
}

TEST_CASE("an upload that says nothing is ended after the time an upload may stall", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  grpc::ClientContext context;
  v1::StepReply reply;
  const auto silent = client.stub().Upload(&context, &reply);
  // The stall is measured from the moment the call reaches the server: a second call was served
  // after it on the same connection.
  client.AttachOnce();
  fixture.clock.waited = 31;
  const grpc::Status status = silent->Finish();
  REQUIRE(status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED);
  REQUIRE(status.error_message().find("no chunk came for 30000 ms") != std::string::npos);
}

}  // namespace tutti::server
