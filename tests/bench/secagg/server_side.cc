#include "tests/bench/secagg/server_side.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "common/crypto/certificate.h"
#include "common/platform/clock.h"
#include "common/secagg/accumulator.h"
#include "common/secagg/chunks.h"
#include "common/secagg/server_session.h"
#include "tests/bench/secagg/cpu_time.h"
#include "tests/bench/secagg/packing.h"
#include "tests/bench/secagg/secagg_bench.h"

namespace tutti::bench {
namespace {

std::uint64_t PeakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

class ServerSide {
 public:
  // `known`: checks certificates before their joins are timed; null when they are new.
  ServerSide(secagg::ServerSession session, const secagg::RingLayout& layout,
             crypto::PeerVerifier* known)
      : session_(std::move(session)), known_(known), sum_(layout), slot_(layout.wire_bytes()) {}

  StatusOr<std::string> Handle(Call call, const ClientId& client, const std::string& body);
  // The vector that follows a header: it arrives whole in the one slot, then enters the sum.
  Status ReceiveVector(Line& line, const ClientId& client, std::uint64_t size);

 private:
  // A message to the session, and one from it.
  template <typename Message, typename Value>
  Status Add(const std::string& body, const ClientId& client,
             Status (secagg::ServerSession::*add)(const ClientId&, const Value&)) {
    TUTTI_ASSIGN(const Value value, Unpack<Message>(body));
    return Timed(costs_.cpu, [&] { return (session_.*add)(client, value); });
  }
  template <typename Message, typename Value>
  StatusOr<std::string> Get(const ClientId& client,
                            StatusOr<Value> (secagg::ServerSession::*get)(const ClientId&) const) {
    TUTTI_ASSIGN(const Value value, Timed(costs_.cpu, [&] { return (session_.*get)(client); }));
    return Pack<Message>(value);
  }
  Status Close(Status (secagg::ServerSession::*close)()) {
    return Timed(costs_.cpu, [&] { return (session_.*close)(); });
  }
  Status AddJoin(const ClientId& client, const std::string& body);
  StatusOr<std::string> SurvivorsAfterClosing();
  Status CheckHeader(const ClientId& client, const std::string& body);
  StatusOr<std::string> OpenSum();

  secagg::ServerSession session_;
  crypto::PeerVerifier* known_;
  secagg::Accumulator sum_;
  Bytes slot_;
  std::optional<secagg::MaskedHeader> header_;  // of the vector that comes next
  ServerCosts costs_;
};

StatusOr<std::string> EmptyAnswer(const Status& status) {
  TUTTI_TRY(status);
  return std::string();
}

StatusOr<std::string> ServerSide::Handle(Call call, const ClientId& client,
                                         const std::string& body) {
  using Session = secagg::ServerSession;
  switch (call) {
    case Call::kJoin:
      return EmptyAnswer(AddJoin(client, body));
    case Call::kCloseJoins:
      return EmptyAnswer(Close(&Session::CloseJoins));
    case Call::kRoster:
      return Get<v1::RosterMessage>(client, &Session::RosterFor);
    case Call::kShares:
      return EmptyAnswer(Add<v1::ShareMessage>(body, client, &Session::AddShares));
    case Call::kCloseShares:
      return EmptyAnswer(Close(&Session::CloseShares));
    case Call::kBoxes:
      return Get<v1::BoxesMessage>(client, &Session::BoxesFor);
    case Call::kHeader:
      return EmptyAnswer(CheckHeader(client, body));
    case Call::kCloseMasked:
      return SurvivorsAfterClosing();
    case Call::kCommit:
      return EmptyAnswer(Add<v1::CommitMessage>(body, client, &Session::AddCommit));
    case Call::kCloseCommits:
      return EmptyAnswer(Close(&Session::CloseCommits));
    case Call::kCertificate:
      return Get<v1::CertificateMessage>(client, &Session::CertificateFor);
    case Call::kUnmask:
      return EmptyAnswer(Add<v1::UnmaskMessage>(body, client, &Session::AddUnmask));
    case Call::kOpenSum:
      return OpenSum();
    case Call::kVector:
      break;
  }
  return InvalidArgument("call of the bench is not one with a message");
}

Status ServerSide::AddJoin(const ClientId& client, const std::string& body) {
  TUTTI_ASSIGN(const secagg::Join join, Unpack<v1::JoinMessage>(body));
  if (known_ != nullptr && !join.certificate.empty()) {
    TUTTI_TRY(known_->Verify(join.certificate).status());
  }
  return Timed(costs_.cpu, [&] { return session_.AddJoin(client, join); });
}

Status ServerSide::CheckHeader(const ClientId& client, const std::string& body) {
  TUTTI_ASSIGN(header_, Unpack<v1::MaskedHeader>(body));
  return Timed(costs_.cpu, [&] { return session_.CheckHeader(client, *header_); });
}

Status ServerSide::ReceiveVector(Line& line, const ClientId& client, std::uint64_t size) {
  if (!header_.has_value() || size != slot_.size()) {
    return InvalidArgument("vector of the bench has no header or another length");
  }
  TUTTI_TRY(line.Receive(slot_.data(), size));
  if (Timed(costs_.digest, [&] { return secagg::ChunkDigests(slot_); }) != header_->chunks) {
    return DataLoss("vector of the bench is not the one its header announced");
  }
  TUTTI_TRY(Timed(costs_.sum, [&] { return sum_.Add(slot_, 0); }));
  costs_.added_elements += static_cast<double>(sum_.sum().count());
  return Timed(costs_.cpu, [&] { return session_.AddMasked(client, *header_); });
}

StatusOr<std::string> ServerSide::SurvivorsAfterClosing() {
  TUTTI_TRY(Close(&secagg::ServerSession::CloseMasked));
  TUTTI_ASSIGN(const secagg::Survivors survivors, session_.SurvivorsMessage());
  return Pack<v1::SurvivorsMessage>(survivors);
}

StatusOr<std::string> ServerSide::OpenSum() {
  if (!session_.CanRebuild()) {
    return FailedPrecondition("shares are missing although nobody left");
  }
  TUTTI_ASSIGN(const std::vector<secagg::LeftoverMask> masks,
               Timed(costs_.rebuild, [&] { return session_.Rebuild(); }));
  TUTTI_TRY(Timed(costs_.unmask, [&] { return sum_.RemoveMasks(masks, 0, sum_.sum().count()); }));
  costs_.cpu += costs_.sum + costs_.rebuild + costs_.unmask;
  costs_.masks = masks.size();
  costs_.neighbours = session_.neighbours();
  costs_.threshold = session_.threshold();
  costs_.peak_rss_bytes = PeakResidentBytes();
  const Digest digest = secagg::WireDigest(sum_.sum());
  std::copy(digest.begin(), digest.end(), costs_.sum_sha256);
  return std::string(reinterpret_cast<const char*>(&costs_), sizeof costs_);
}

}  // namespace

std::string NameOf(std::uint32_t index) {
  char name[16];
  std::snprintf(name, sizeof name, "client-%05u", index);  // ascending names: ascending places
  return name;
}

Status ServeRound(Line& line, const secagg::RoundConfig& config, const std::string& ca_pem,
                  bool new_certificates) {
  const platform::RealClock clock;
  crypto::CachingVerifier verifier(ca_pem, clock);
  TUTTI_ASSIGN(secagg::ServerSession session, secagg::ServerSession::Open(config, &verifier));
  ServerSide server(std::move(session), config.layout(), new_certificates ? nullptr : &verifier);
  for (std::string body;;) {
    CallHead head;
    if (!line.Receive(&head, sizeof head).ok()) {
      return OkStatus();  // the clients are done
    }
    const ClientId client(NameOf(head.client));
    if (head.call == Call::kVector) {
      TUTTI_TRY(line.Answer(EmptyAnswer(server.ReceiveVector(line, client, head.size))));
      continue;
    }
    body.resize(head.size);
    TUTTI_TRY(line.Receive(body.data(), body.size()));
    TUTTI_TRY(line.Answer(server.Handle(head.call, client, body)));
  }
}

}  // namespace tutti::bench
