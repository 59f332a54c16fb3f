#include "common/wire/conversation.h"

#include <string>

#include "common/base/rng.h"
#include "common/secagg/config.h"
#include "common/wire/notice_memory.h"
#include "tests/catch.h"

namespace tutti::wire {
namespace {

template <std::size_t N>
ByteArray<N> Filled(std::uint8_t value) {
  ByteArray<N> bytes;
  bytes.fill(value);
  return bytes;
}

secagg::Join AJoin() {
  return {.box_key = Filled<32>(1),
          .mask_key = Filled<32>(2),
          .seed_commitment = Filled<32>(3),
          .nonce = Filled<16>(4),
          .certificate = Bytes(300, 5),
          .signature = Filled<64>(6)};
}

secagg::ShareBox ABox(secagg::Index peer) {
  return {.peer = peer, .ciphertext = Filled<80>(7), .share_hash = Filled<16>(8)};
}

std::vector<protocol::Notice> EveryNotice() {
  const Digest session = Filled<32>(9);
  protocol::Offer offer{.session = secagg::EncodedConfigHash(Bytes(90, 1)),
                        .config = Bytes(90, 1),
                        .task = Bytes(50, 2),
                        .model_bytes = 1234,
                        .train_left = Milliseconds(5000)};
  secagg::Roster roster{.size = 3,
                        .root = Filled<32>(1),
                        .own_index = 1,
                        .entries = {{.index = 0, .join = AJoin()}, {.index = 2, .join = AJoin()}},
                        .proof = {Filled<32>(3), Filled<32>(4)}};
  secagg::Roster keys_only{
      .size = 3, .root = Filled<32>(1), .own_index = 1, .entries = {}, .proof = {}};
  for (const secagg::Index index : {0U, 2U}) {
    keys_only.entries.push_back({.index = index, .join = {}});
    keys_only.entries.back().join.box_key = Filled<32>(static_cast<std::uint8_t>(7 + index));
    keys_only.entries.back().join.mask_key = Filled<32>(static_cast<std::uint8_t>(17 + index));
  }
  secagg::CommitCertificate certificate{
      .commits = {{.index = 0, .join = {}, .signature = Filled<64>(7)},
                  {.index = 2, .join = AJoin(), .signature = Filled<64>(6)}},
      .proof = {Filled<32>(5)}};
  protocol::Closed closed{.session = session,
                          .outcome = protocol::Outcome::kDropped,
                          .reason = "too late",
                          .survivors = 7,
                          .sum_hash = Filled<32>(8),
                          .retry = Milliseconds(100)};
  protocol::EvaluationOffer evaluation{
      .job = "job-1", .round = 4, .task = Bytes(3, 1), .model = Filled<32>(2), .model_bytes = 77};
  return {protocol::Welcome{.server_version = "0.1.0", .client_name = "client-1"},
          offer,
          protocol::RosterNotice{session, roster},
          protocol::RosterNotice{session, keys_only},
          protocol::BoxesNotice{session, {.boxes = {ABox(0), ABox(2)}}},
          protocol::SurvivorsNotice{session, {.bitmap = Bytes{0x05}}},
          protocol::CertificateNotice{session, certificate},
          closed,
          evaluation};
}

}  // namespace

TEST_CASE("every notice survives the wire", "[wire]") {
  for (const protocol::Notice& notice : EveryNotice()) {
    v1::Notice message;
    ToProto(notice, &message);
    v1::Notice received;
    REQUIRE(received.ParseFromString(message.SerializeAsString()));
    const StatusOr<protocol::Notice> back = FromProto(received);
    INFO(TextOf(back.status()));
    REQUIRE(back.ok());
    REQUIRE(*back == notice);
  }
}

TEST_CASE("every request survives the wire", "[wire]") {
  const Digest session = Filled<32>(9);
  {
    v1::JoinRequest message;
    const protocol::JoinRequest request{session, AJoin()};
    ToProto(request, &message);
    REQUIRE(FromProto(message).value() == request);
  }
  {
    v1::ShareRequest message;
    const protocol::ShareRequest request{session,
                                         {.boxes = {ABox(0), ABox(5)}, .signature = Filled<64>(1)}};
    ToProto(request, &message);
    REQUIRE(FromProto(message).value() == request);
  }
  {
    v1::CommitRequest message;
    const protocol::CommitRequest request{session, {.signature = Filled<64>(2)}};
    ToProto(request, &message);
    REQUIRE(FromProto(message).value() == request);
  }
  {
    v1::UnmaskRequest message;
    const protocol::UnmaskRequest request{
        session,
        {.shares = {{.owner = 1, .is_mask_key = false, .share = Filled<32>(3)},
                    {.owner = 3, .is_mask_key = true, .share = Filled<32>(4)},
                    {.owner = 4, .is_mask_key = false, .share = Filled<32>(5)}}},
        {.epsilon_spent = 1.5,
         .epsilon_budget = 4,
         .delta = 1e-5,
         .ledger = protocol::LedgerHead{2, Digest{1}}}};
    ToProto(request, &message);
    REQUIRE(FromProto(message).value() == request);
  }
  {
    v1::DeclineRequest message;
    const protocol::DeclineRequest request{
        session,
        "BUDGET_EXHAUSTED",
        "spent 4 of 4",
        {.epsilon_spent = 4, .epsilon_budget = 4, .delta = 0, .ledger = {}}};
    ToProto(request, &message);
    REQUIRE(FromProto(message).value() == request);
  }
  {
    v1::EvaluationRequest message;
    const protocol::EvaluationReport report{
        .job = "j", .round = 3, .examples = 10, .loss = 0.5, .accuracy = 0.75};
    ToProto(report, &message);
    REQUIRE(FromProto(message).value() == report);
  }
  {
    v1::UploadChunk message;
    const protocol::UploadHeader header{session,
                                        {.bytes = 300'000,
                                         .chunks = {Filled<32>(3), Filled<32>(4)},
                                         .root = Filled<32>(1),
                                         .signature = Filled<64>(2)}};
    ToProto(header, &message);
    REQUIRE(HeaderFromProto(message).value() == header);
  }
}

TEST_CASE("a ledger has a head exactly when it has records", "[wire]") {
  const auto attach = [](std::uint64_t entries, std::size_t bytes) {
    v1::AttachRequest request;
    request.set_ledger_entries(entries);
    request.set_ledger_head(std::string(bytes, 'h'));
    return BudgetFromProto(request);
  };
  REQUIRE(attach(0, 0)->ledger == protocol::LedgerHead{});
  REQUIRE(attach(7, 32)->ledger->entries == 7);
  REQUIRE(attach(7, 32)->ledger->hash[31] == 'h');
  for (const auto& [entries, bytes] :
       std::vector<std::pair<std::uint64_t, std::size_t>>{{0, 32}, {7, 0}, {7, 31}, {7, 33}}) {
    REQUIRE(attach(entries, bytes).status().code() == StatusCode::kInvalidArgument);
  }
}

TEST_CASE("keys, hashes and signatures of a wrong length are refused", "[wire]") {
  v1::JoinRequest good;
  ToProto(protocol::JoinRequest{Filled<32>(9), AJoin()}, &good);
  const auto refuse = [&](auto change) {
    v1::JoinRequest bad = good;
    change(bad);
    REQUIRE(FromProto(bad).status().code() == StatusCode::kInvalidArgument);
  };
  refuse([](v1::JoinRequest& m) { m.set_session("short"); });
  refuse([](v1::JoinRequest& m) { m.mutable_join()->set_box_key(std::string(31, 'x')); });
  refuse([](v1::JoinRequest& m) { m.mutable_join()->set_mask_key(std::string(33, 'x')); });
  refuse([](v1::JoinRequest& m) { m.mutable_join()->clear_seed_commitment(); });
  refuse([](v1::JoinRequest& m) { m.mutable_join()->set_nonce("n"); });
  refuse([](v1::JoinRequest& m) { m.mutable_join()->set_certificate(std::string(5000, 'x')); });
  refuse([](v1::JoinRequest& m) { m.mutable_join()->set_signature(std::string(63, 'x')); });
}

TEST_CASE("share boxes out of order, doubled or beyond the largest cohort are refused", "[wire]") {
  const auto status = [](std::vector<secagg::ShareBox> boxes) {
    v1::ShareRequest message;
    ToProto(protocol::ShareRequest{Filled<32>(9), {.boxes = std::move(boxes), .signature = {}}},
            &message);
    return FromProto(message).status();
  };
  REQUIRE(status({ABox(1), ABox(2)}).ok());
  REQUIRE_FALSE(status({ABox(2), ABox(1)}).ok());
  REQUIRE_FALSE(status({ABox(1), ABox(1)}).ok());
  REQUIRE_FALSE(status({ABox(10000)}).ok());
}

TEST_CASE("lists that stand side by side must be of one length", "[wire]") {
  v1::ShareRequest shares;
  ToProto(protocol::ShareRequest{Filled<32>(9), {.boxes = {ABox(0), ABox(5)}, .signature = {}}},
          &shares);
  const auto refuse_shares = [&](auto change) {
    v1::ShareRequest bad = shares;
    change(*bad.mutable_shares()->mutable_boxes());
    REQUIRE(FromProto(bad).status().code() == StatusCode::kInvalidArgument);
  };
  refuse_shares([](v1::ShareBoxes& b) { b.add_peers(7); });
  refuse_shares([](v1::ShareBoxes& b) { b.clear_peers(); });
  refuse_shares([](v1::ShareBoxes& b) { b.mutable_ciphertexts()->pop_back(); });
  refuse_shares([](v1::ShareBoxes& b) { b.mutable_share_hashes()->append(16, 'x'); });

  v1::UnmaskRequest unmask;
  ToProto(
      protocol::UnmaskRequest{
          Filled<32>(9),
          {.shares = {{.owner = 3, .is_mask_key = true, .share = Filled<32>(4)}}},
          {}},
      &unmask);
  REQUIRE(FromProto(unmask).ok());
  unmask.mutable_unmask()->mutable_mask_keys()->mutable_shares()->append(31, 'x');
  REQUIRE_FALSE(FromProto(unmask).ok());
  unmask.mutable_unmask()->mutable_mask_keys()->set_shares(std::string(64, 'x'));
  REQUIRE_FALSE(FromProto(unmask).ok());
  unmask.mutable_unmask()->mutable_mask_keys()->add_owners(2);  // not ascending
  REQUIRE_FALSE(FromProto(unmask).ok());

  for (const protocol::Notice& notice : EveryNotice()) {
    v1::Notice message;
    ToProto(notice, &message);
    if (!message.has_roster()) {
      continue;
    }
    const auto refuse_roster = [&](auto change) {
      v1::Notice bad = message;
      change(*bad.mutable_roster()->mutable_roster());
      REQUIRE(FromProto(bad).status().code() == StatusCode::kInvalidArgument);
    };
    refuse_roster([](v1::RosterMessage& r) { r.add_neighbours(3); });
    refuse_roster([](v1::RosterMessage& r) { r.mutable_keys()->append(64, 'x'); });
    refuse_roster([](v1::RosterMessage& r) { r.add_joins(); });
    refuse_roster([](v1::RosterMessage& r) { r.set_neighbours(0, 10000); });
    refuse_roster([](v1::RosterMessage& r) { r.set_neighbours(1, 0); });
    refuse_roster([](v1::RosterMessage& r) { r.mutable_proof()->append("x"); });
    refuse_roster([](v1::RosterMessage& r) { r.set_proof(std::string(32 * 10001, 'x')); });
  }
}

TEST_CASE("a stream says its session and task once and both ends agree", "[wire]") {
  const Bytes config(90, 1);
  const protocol::Offer offer{
      .session = secagg::EncodedConfigHash(config), .config = config, .task = Bytes(50, 2)};
  protocol::Offer next = offer;
  next.config[3] = 7;
  next.session = secagg::EncodedConfigHash(next.config);
  protocol::Offer other_task = next;
  other_task.task[0] = 9;
  const protocol::SurvivorsNotice of_first{offer.session, {.bitmap = Bytes{1}}};
  const protocol::SurvivorsNotice of_next{next.session, {.bitmap = Bytes{1}}};
  const protocol::Welcome welcome{.server_version = "1", .client_name = "c"};
  struct Step {
    protocol::Notice notice;
    bool is_short;
  };
  const std::vector<Step> story = {
      {welcome, false}, {of_first, false},  // a step of a round that began before the stream
      {of_first, true}, {offer, false},    {of_first, true},    {of_next, false},   {next, true},
      {of_next, true},  {of_first, false}, {other_task, false}, {other_task, true},
  };
  NoticeMemory sender;
  NoticeMemory receiver;
  for (std::size_t i = 0; i < story.size(); ++i) {
    INFO("notice " << i);
    v1::Notice message;
    ToProto(story[i].notice, &message);
    const std::size_t whole = message.ByteSizeLong();
    sender.Shorten(message);
    REQUIRE((message.ByteSizeLong() < whole) == story[i].is_short);
    receiver.Complete(message);
    REQUIRE(FromProto(message).value() == story[i].notice);
  }
  // What came first on a stream cannot leave anything out.
  v1::Notice message;
  ToProto(of_first, &message);
  message.mutable_survivors()->clear_session();
  NoticeMemory().Complete(message);
  REQUIRE_FALSE(FromProto(message).ok());
}

TEST_CASE("the name of an offered session is the hash of its configuration", "[wire]") {
  v1::Notice message;
  ToProto(protocol::Notice(protocol::Offer{
              .session = Filled<32>(1), .config = Bytes(90, 1), .task = {}, .model_bytes = 0}),
          &message);
  REQUIRE(std::get<protocol::Offer>(FromProto(message).value()).session ==
          secagg::EncodedConfigHash(Bytes(90, 1)));
}

TEST_CASE("numbers no honest peer sends are refused", "[wire]") {
  v1::EvaluationRequest message;
  ToProto(
      protocol::EvaluationReport{.job = "j", .round = 1, .examples = 1, .loss = 1, .accuracy = 1},
      &message);
  REQUIRE(FromProto(message).ok());
  message.set_accuracy(-1);  // a model that predicts numbers
  REQUIRE(FromProto(message)->accuracy == -1);
  for (const double accuracy : {1.5, -0.5, -2.0, std::numeric_limits<double>::quiet_NaN()}) {
    message.set_accuracy(accuracy);
    REQUIRE_FALSE(FromProto(message).ok());
  }
  message.set_accuracy(0.5);
  message.set_loss(std::numeric_limits<double>::quiet_NaN());
  REQUIRE_FALSE(FromProto(message).ok());
  message.set_loss(1);
  message.set_job("../escape");
  REQUIRE_FALSE(FromProto(message).ok());
}

TEST_CASE("a wait of ten years is capped and an unknown notice is an error", "[wire]") {
  v1::Notice notice;
  protocol::Closed closed;
  closed.session = Filled<32>(1);
  closed.sum_hash = Filled<32>(2);
  ToProto(protocol::Notice(closed), &notice);
  notice.mutable_closed()->set_retry_milliseconds(10ULL * 365 * 24 * 3600 * 1000);
  const protocol::Notice back = FromProto(notice).value();
  REQUIRE(std::get<protocol::Closed>(back).retry == Milliseconds(24LL * 3600 * 1000));
  REQUIRE_FALSE(FromProto(v1::Notice()).ok());
  for (const int outcome : {0, 4}) {
    notice.mutable_closed()->set_outcome(static_cast<v1::Outcome>(outcome));
    REQUIRE_FALSE(FromProto(notice).ok());
  }
}

TEST_CASE("a reason of any bytes arrives as printable text within its bound", "[wire]") {
  const std::string cut_inside_a_character = std::string(511, 'x') + "\xc3\xa9";
  for (const std::string& reason :
       {cut_inside_a_character, std::string("\xff\xfe"), std::string(kMaxReasonBytes, '\n')}) {
    v1::DeclineRequest sent;
    ToProto(protocol::DeclineRequest{Filled<32>(9), std::string(kMaxNameBytes, '\2'), reason, {}},
            &sent);
    v1::DeclineRequest received;
    REQUIRE(received.ParseFromString(sent.SerializeAsString()));
    const protocol::DeclineRequest request = FromProto(received).value();
    REQUIRE(request.reason.size() <= kMaxReasonBytes);
    REQUIRE(request.code.size() <= kMaxNameBytes);
    // What a peer did not escape is escaped on arrival, within the same bound.
    received.set_reason(std::string(kMaxReasonBytes, '\1'));
    REQUIRE(FromProto(received).value().reason.size() <= kMaxReasonBytes);

    v1::Notice closed;
    ToProto(protocol::Notice(protocol::Closed{.session = Filled<32>(1), .reason = reason}),
            &closed);
    v1::Notice notice;
    REQUIRE(notice.ParseFromString(closed.SerializeAsString()));
    REQUIRE(std::get<protocol::Closed>(FromProto(notice).value()).reason.size() <= kMaxReasonBytes);
  }
}

TEST_CASE("random bytes never become a notice that breaks a bound", "[wire]") {
  TestRng rng(7);
  std::size_t parsed = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes;
    // Start from a valid notice and damage it: pure noise hardly ever parses.
    const auto notices = EveryNotice();
    v1::Notice message;
    ToProto(notices[rng.Below(notices.size())], &message);
    bytes = message.SerializeAsString();
    for (std::uint64_t k = rng.Below(4) + 1; k > 0; --k) {
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Next());
    }
    v1::Notice damaged;
    if (damaged.ParseFromString(bytes)) {
      const StatusOr<protocol::Notice> value = FromProto(damaged);
      if (value.ok()) {
        ++parsed;
        if (const auto* roster = std::get_if<protocol::RosterNotice>(&*value)) {
          REQUIRE(roster->roster.size <= secagg::kMaxCohort);
        }
      }
    }
  }
  REQUIRE(parsed > 100);
}

}  // namespace tutti::wire
