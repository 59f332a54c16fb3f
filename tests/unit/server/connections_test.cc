// What a client may do on its connection before and beside a round.
#include <fcntl.h>
#include <unistd.h>

#include "common/platform/files.h"
#include "tests/catch.h"
#include "tests/unit/server/fixture.h"
#include "tests/unit/server/test_client.h"

namespace tutti::server {
namespace {

using test::TestClient;

struct Stream {
  explicit Stream(v1::Coordinator::Stub& stub, std::uint32_t version = 1) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::AttachRequest request;
    request.set_role("trainer");
    request.set_protocol_version(version);
    notices = stub.Attach(&context, request);
  }
  grpc::Status End() {
    v1::Notice notice;
    while (notices->Read(&notice)) {
    }
    return notices->Finish();
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::Notice>> notices;
};

}  // namespace

TEST_CASE("a client of another protocol version hears both versions", "[server]") {
  Fixture fixture;
  TestClient client(*fixture.daemon, "a");
  for (const std::uint32_t version : {0U, 2U, ~0U}) {
    Stream stream(client.stub(), version);
    const grpc::Status ended = stream.End();
    INFO(ended.error_message());
    REQUIRE(ended.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
    REQUIRE(ended.error_message().find(" " + std::to_string(version) + ",") != std::string::npos);
    REQUIRE(ended.error_message().find("this coordinator 1") != std::string::npos);
  }
}

TEST_CASE("text that is not UTF-8 is refused without a line on stderr", "[server]") {
  Fixture fixture;
  v1::AttachRequest request;
  request.set_role("trainer");
  std::string bytes = request.SerializeAsString();
  bytes[bytes.find("trainer")] = '\xff';

  const std::string path = fixture.folder / "stderr";
  const int terminal = ::dup(STDERR_FILENO);
  const int file = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE((terminal >= 0 && file >= 0));
  ::dup2(file, STDERR_FILENO);
  const bool parsed = request.ParseFromString(bytes);
  ::dup2(terminal, STDERR_FILENO);
  ::close(terminal);
  ::close(file);
  REQUIRE_FALSE(parsed);
  REQUIRE(platform::ReadTextFile(path, 4096)->find("UTF-8") == std::string::npos);
}

TEST_CASE("a name with control bytes is not enrolled", "[server]") {
  Fixture fixture;
  for (const std::string& name :
       {std::string("a\nb"), std::string("a\0b", 3), std::string("\x1b[2J"), std::string("a b"),
        std::string(65, 'a'), std::string("..")}) {
    const test::Enrolled enrolled =
        test::Enrol(*fixture.daemon, test::NewToken(*fixture.daemon, "", "trainer"), name);
    REQUIRE_FALSE(enrolled.status.ok());
    for (const char c : enrolled.status.error_message()) {
      REQUIRE((c >= ' ' && c < '\x7f'));
    }
  }
}

}  // namespace tutti::server
