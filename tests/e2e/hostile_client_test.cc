// A member that sends late, doubled, contradicting, foreign, oversized and senseless messages: it
// gets the right codes, and the round of the others is not disturbed.
#include "tests/catch.h"
#include "tests/e2e/hand_client.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

using grpc::StatusCode;

// `request` of a session nobody opened.
template <typename Request>
Request OfAnotherSession(Request request) {
  request.session[0] ^= 0x55;
  return request;
}

void SendJoin(HandClient& client, const protocol::JoinRequest& join) {
  REQUIRE(client.Send(OfAnotherSession(join)).error_code() == StatusCode::FAILED_PRECONDITION);
  REQUIRE_FALSE(client.SendRaw("Join", "\xff\xff\xff\xff not a message").ok());
  REQUIRE_FALSE(client.SendRaw("Join", std::string(20 << 20, 'x')).ok());
  REQUIRE_FALSE(client
                    .SendRaw("Upload",
                             "\x0a\x03"
                             "abc")
                    .ok());
  REQUIRE(client.SendRaw("Sing", "").error_code() == StatusCode::UNIMPLEMENTED);
  v1::JoinRequest short_key;
  short_key.set_session(std::string(32, 'x'));
  short_key.mutable_join()->set_box_key("abc");
  REQUIRE(client.SendRaw("Join", short_key.SerializeAsString()).error_code() ==
          StatusCode::INVALID_ARGUMENT);

  REQUIRE(client.Send(join).ok());
  REQUIRE(client.Send(join).ok());
  protocol::JoinRequest other = join;
  other.join.nonce[0] ^= 1;
  REQUIRE(client.Send(other).error_code() == StatusCode::ALREADY_EXISTS);
  // A step that is not due.
  REQUIRE(client.Send(protocol::UnmaskRequest{.session = join.session, .unmask = {}, .budget = {}})
              .error_code() == StatusCode::FAILED_PRECONDITION);
}

void SendShares(HandClient& client, const protocol::ShareRequest& shares) {
  REQUIRE(client.Send(OfAnotherSession(shares)).error_code() == StatusCode::FAILED_PRECONDITION);
  REQUIRE(client.Send(shares).ok());
  REQUIRE(client.Send(shares).ok());
  protocol::ShareRequest other = shares;
  other.shares.boxes.at(0).ciphertext[0] ^= 1;
  REQUIRE(client.Send(other).error_code() == StatusCode::ALREADY_EXISTS);
}

void SendUpload(HandClient& client, const protocol::UploadHeader& header, const Bytes& vector) {
  REQUIRE(client.Upload(OfAnotherSession(header), vector, 4096).error_code() ==
          StatusCode::FAILED_PRECONDITION);
  // One message larger than any may be: the connection refuses it before it is read.
  REQUIRE_FALSE(client.Upload(header, Bytes(2 << 20, 7), 2 << 20).ok());
  // Half of it.
  const Bytes half = ToBytes(BytesView(vector).first(vector.size() / 2));
  REQUIRE_FALSE(client.Upload(header, half, 4096).ok());

  REQUIRE(client.Upload(header, vector, 16).ok());
  REQUIRE(client.Upload(header, vector, 4096).ok());
  protocol::UploadHeader other = header;
  other.header.root[0] ^= 1;
  REQUIRE(client.Upload(other, vector, 4096).error_code() == StatusCode::ALREADY_EXISTS);
}

void SendCommit(HandClient& client, const protocol::CommitRequest& commit) {
  REQUIRE(client.Send(commit).ok());
  REQUIRE(client.Send(commit).ok());
  protocol::CommitRequest other = commit;
  other.commit.signature[0] ^= 1;
  REQUIRE(client.Send(other).error_code() == StatusCode::ALREADY_EXISTS);
}

// Everything the session wants to send, and what should not be sent around it.
HandClient::Hooks Hostile(HandClient& client, std::optional<protocol::JoinRequest>& join) {
  return {.request =
              [&client, &join](const protocol::Request& request) {
                if (const auto* message = std::get_if<protocol::JoinRequest>(&request)) {
                  join = *message;
                  SendJoin(client, *message);
                } else if (const auto* shares = std::get_if<protocol::ShareRequest>(&request)) {
                  SendShares(client, *shares);
                } else if (const auto* commit = std::get_if<protocol::CommitRequest>(&request)) {
                  SendCommit(client, *commit);
                } else {
                  REQUIRE(client.Send(request).ok());
                }
                return true;
              },
          .upload = [&client](const protocol::UploadHeader& header,
                              const Bytes& vector) { SendUpload(client, header, vector); }};
}

constexpr const char* kFive = "cohort.size=5";

}  // namespace

TEST_CASE("late, doubled, contradicting, foreign and senseless messages disturb no round",
          "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Enrol("hostile");
  HandClient client(world, "hostile");
  client.Attach();
  world.AwaitAttached("hostile");
  world.Submit("trial", {"rounds=1", kFive});
  std::optional<protocol::JoinRequest> join;
  const std::optional<protocol::Closed> closed = client.Play(Hostile(client, join));
  REQUIRE(closed);
  INFO(closed->reason);
  REQUIRE(closed->outcome == protocol::Outcome::kPublished);
  REQUIRE(closed->survivors == 5);
  // Too late.
  REQUIRE(join);
  REQUIRE(client.Send(*join).error_code() == StatusCode::FAILED_PRECONDITION);

  const v1::JobReply reply = world.Job("trial");
  REQUIRE(NumberedWithoutGap(reply, 1));
  REQUIRE(reply.rounds(0).survivors() == 5);
  REQUIRE(reply.rounds(0).failures() == 0);
  for (int i = 0; i < 4; ++i) {
    REQUIRE(world.client("client-" + std::to_string(i)).Running());
  }
}

TEST_CASE("a member that breaks a rule is put out of the round and the others go on", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Enrol("liar");
  HandClient client(world, "liar");
  client.Attach();
  world.AwaitAttached("liar");
  world.Submit("trial", {"rounds=1", kFive});
  // A signature that does not fit: refused when it joins.
  const auto lie = [&client](const protocol::Request& request) {
    protocol::JoinRequest join = std::get<protocol::JoinRequest>(request);
    join.join.signature[0] ^= 1;
    REQUIRE(client.Send(join).error_code() == StatusCode::INVALID_ARGUMENT);
    return false;
  };
  REQUIRE_FALSE(client.Play({.request = lie, .upload = nullptr}));
  world.AwaitDone("trial");
  REQUIRE(world.Job("trial").rounds(0).survivors() == 4);
  REQUIRE(world.AwaitRefusal("trial", "liar", "REFUSED"));
}

TEST_CASE("a member whose vector is not the announced one is put out of the round", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Enrol("liar");
  HandClient client(world, "liar");
  client.Attach();
  world.AwaitAttached("liar");
  int rounds = 0;
  const auto upload = [&](const protocol::UploadHeader& header, const Bytes& vector) {
    Bytes wrong = vector;
    wrong[0] ^= 1;
    if (rounds++ == 1) {  // longer than announced, not another digest
      wrong = vector;
      wrong.push_back(0);
    }
    REQUIRE(client.Upload(header, wrong, 4096).error_code() == StatusCode::INVALID_ARGUMENT);
    REQUIRE(client.Upload(header, vector, 4096).error_code() == StatusCode::FAILED_PRECONDITION);
  };
  const auto send = [&](const protocol::Request& request) { return client.Send(request).ok(); };
  for (const char* job : {"digest", "length"}) {
    world.Submit(job, {"rounds=1", kFive});
    const auto closed = client.Play({.request = send, .upload = upload});
    REQUIRE(closed);
    INFO(closed->reason);
    REQUIRE(closed->outcome == protocol::Outcome::kDropped);
    REQUIRE(Contains(closed->reason, "broke a rule"));
    world.AwaitDone(job);
    REQUIRE(world.Job(job).rounds(0).survivors() == 4);
    REQUIRE(world.AwaitRefusal(job, "liar", "REFUSED"));
  }
}

TEST_CASE("a client that shares its keys and never uploads is left behind", "[e2e]") {
  World world;
  world.StartServer();
  world.StartTrainers(4);
  world.Enrol("silent");
  HandClient client(world, "silent");
  client.Attach();
  world.AwaitAttached("silent");
  world.Submit("trial", {"rounds=1", kFive, "deadlines.upload_seconds=2.0"});
  const std::optional<protocol::Closed> closed = client.Play(
      {.request = [&client](const protocol::Request& request) { return client.Send(request).ok(); },
       .upload = [](const protocol::UploadHeader&, const Bytes&) {}});
  REQUIRE(closed);
  REQUIRE(closed->outcome == protocol::Outcome::kDropped);
  world.AwaitDone("trial");
  REQUIRE(world.Job("trial").rounds(0).survivors() == 4);
}

}  // namespace tutti::e2e
