// Requests that were damaged on their way, or made to damage.
#include "common/wire/conversation.h"
#include "tests/catch.h"

namespace tutti::wire {
namespace {

v1::ShareRequest Shares() {
  protocol::ShareRequest request;
  for (const secagg::Index peer : {1U, 4U, 300U}) {
    request.shares.boxes.push_back({.peer = peer, .ciphertext = {7}, .share_hash = {8}});
  }
  request.shares.signature.fill(3);
  v1::ShareRequest message;
  ToProto(request, &message);
  return message;
}

}  // namespace

TEST_CASE("a request cut at any byte is refused or shorter, never another", "[wire]") {
  const std::string whole = Shares().SerializeAsString();
  const protocol::ShareRequest right = *FromProto(Shares());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    v1::ShareRequest message;
    if (!message.ParseFromString(whole.substr(0, length))) {
      continue;
    }
    const StatusOr<protocol::ShareRequest> cut = FromProto(message);
    // Between two fields a cut cannot be seen here; the session counts boxes and checks signatures.
    REQUIRE((!cut.ok() || cut->shares.boxes.empty() || cut->shares.boxes == right.shares.boxes));
    REQUIRE((!cut.ok() || cut->shares.signature == crypto::Signature{}));
  }
}

TEST_CASE("fields of a newer peer are no reason to refuse its request", "[wire]") {
  v1::ShareRequest message = Shares();
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(90, "later");
  v1::ShareMessage& shares = *message.mutable_shares();
  shares.GetReflection()->MutableUnknownFields(&shares)->AddVarint(91, 5);
  v1::ShareRequest received;
  REQUIRE(received.ParseFromString(message.SerializeAsString()));
  REQUIRE(FromProto(received).ok());
  REQUIRE(*FromProto(received) == *FromProto(Shares()));
}

TEST_CASE("groups in groups cannot exhaust the stack", "[wire]") {
  // Field 15 opened a million times: an unknown group, which old messages could nest.
  v1::ShareRequest message;
  REQUIRE_FALSE(message.ParseFromString(std::string(1'000'000, '\x7b')));
}

}  // namespace tutti::wire
