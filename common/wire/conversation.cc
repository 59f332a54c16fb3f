#include "common/wire/conversation.h"

#include <cmath>
#include <string>
#include <type_traits>
#include <variant>

#include "common/base/text.h"
#include "common/secagg/config.h"
#include "common/wire/secagg.h"

namespace tutti::wire {
namespace {

constexpr Milliseconds kLongestWait{24LL * 3600 * 1000};

std::string Text(BytesView bytes) { return ToString(bytes); }

StatusOr<Digest> SessionFrom(const std::string& field) {
  return ToArray<32>(AsBytes(field), "session");
}

StatusOr<Bytes> BoundedBytes(const std::string& field, std::size_t most, std::string_view what) {
  if (field.size() > most) {
    return InvalidArgument(
        Join(what, " has ", field.size(), " bytes, at most ", most, " are allowed"));
  }
  return ToBytes(AsBytes(field));
}

// Printable ASCII of at most `most` bytes: escaping makes a text longer, and cutting one that is
// not ASCII could leave half a character, for which the receiver's protobuf refuses the whole
// message.
std::string ShortText(std::string_view text, std::size_t most) {
  return Escaped(text, most).substr(0, most);
}

StatusOr<std::string> BoundedText(const std::string& field, std::size_t most,
                                  std::string_view what) {
  if (field.size() > most) {
    return InvalidArgument(
        Join(what, " has ", field.size(), " bytes, at most ", most, " are allowed"));
  }
  return ShortText(field, most);
}

// A wait a peer asks for is capped: nobody can tell us to sleep for years.
Milliseconds WaitFrom(std::uint64_t milliseconds) {
  const auto most = static_cast<std::uint64_t>(kLongestWait.count());
  return Milliseconds(static_cast<std::int64_t>(milliseconds < most ? milliseconds : most));
}

std::uint64_t WaitTo(Milliseconds wait) {
  return wait.count() > 0 ? static_cast<std::uint64_t>(wait.count()) : 0;
}

StatusOr<double> NonNegative(double value, std::string_view what) {
  if (!(value >= 0) || !std::isfinite(value)) {
    return InvalidArgument(Join(what, " is ", value, ", expected a finite number of at least 0"));
  }
  return value;
}

template <typename Message>
void FillLedger(const protocol::BudgetReport& budget, Message* out) {
  if (budget.ledger && budget.ledger->entries > 0) {
    out->set_ledger_entries(budget.ledger->entries);
    out->set_ledger_head(Text(budget.ledger->hash));
  }
}

template <typename Message>
StatusOr<protocol::LedgerHead> LedgerFrom(const Message& message) {
  const std::string& head = message.ledger_head();
  const std::size_t wanted = message.ledger_entries() == 0 ? 0 : Digest{}.size();
  if (head.size() != wanted) {
    return InvalidArgument(Join("ledger head has ", head.size(), " bytes for ",
                                message.ledger_entries(), " records, expected ", wanted));
  }
  protocol::LedgerHead ledger{message.ledger_entries(), {}};
  std::copy(head.begin(), head.end(), ledger.hash.begin());
  return ledger;
}

template <typename Message>
StatusOr<protocol::BudgetReport> BudgetFrom(const Message& message) {
  protocol::BudgetReport budget;
  TUTTI_ASSIGN(budget.epsilon_spent, NonNegative(message.epsilon_spent(), "epsilon spent"));
  TUTTI_ASSIGN(budget.epsilon_budget, NonNegative(message.epsilon_budget(), "epsilon budget"));
  TUTTI_ASSIGN(budget.epsilon_models, NonNegative(message.epsilon_models(), "epsilon models"));
  return budget;
}

void FillOffer(const protocol::Offer& offer, v1::RoundOffer* out) {
  out->set_config(Text(offer.config));
  out->set_task(Text(offer.task));
  out->set_model_bytes(offer.model_bytes);
  out->set_train_milliseconds(WaitTo(offer.train_left));
}

StatusOr<protocol::Notice> OfferFrom(const v1::RoundOffer& message) {
  protocol::Offer offer;
  TUTTI_ASSIGN(offer.config,
               BoundedBytes(message.config(), protocol::kMaxConfigBytes, "round configuration"));
  offer.session = secagg::EncodedConfigHash(offer.config);
  TUTTI_ASSIGN(offer.task, BoundedBytes(message.task(), protocol::kMaxTaskBytes, "task"));
  offer.model_bytes = message.model_bytes();
  offer.train_left = WaitFrom(message.train_milliseconds());
  return protocol::Notice(std::move(offer));
}

v1::Outcome OutcomeTo(protocol::Outcome outcome) {
  switch (outcome) {
    case protocol::Outcome::kPublished:
      return v1::OUTCOME_PUBLISHED;
    case protocol::Outcome::kFailed:
      return v1::OUTCOME_FAILED;
    case protocol::Outcome::kDropped:
      return v1::OUTCOME_DROPPED;
  }
  return v1::OUTCOME_UNSPECIFIED;
}

StatusOr<protocol::Outcome> OutcomeFrom(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_PUBLISHED:
      return protocol::Outcome::kPublished;
    case v1::OUTCOME_FAILED:
      return protocol::Outcome::kFailed;
    case v1::OUTCOME_DROPPED:
      return protocol::Outcome::kDropped;
    default:  // proto3 keeps numbers it does not know
      return InvalidArgument(Join("outcome is ", static_cast<int>(outcome),
                                  ", expected 1 (published), 2 (failed) or 3 (dropped)"));
  }
}

void FillClosed(const protocol::Closed& closed, v1::RoundClosed* out) {
  out->set_session(Text(closed.session));
  out->set_outcome(OutcomeTo(closed.outcome));
  out->set_reason(ShortText(closed.reason, kMaxReasonBytes));
  out->set_survivors(closed.survivors);
  out->set_sum_sha256(Text(closed.sum_hash));
  out->set_retry_milliseconds(WaitTo(closed.retry));
}

StatusOr<protocol::Notice> ClosedFrom(const v1::RoundClosed& message) {
  protocol::Closed closed;
  TUTTI_ASSIGN(closed.session, SessionFrom(message.session()));
  TUTTI_ASSIGN(closed.outcome, OutcomeFrom(message.outcome()));
  TUTTI_ASSIGN(closed.reason, BoundedText(message.reason(), kMaxReasonBytes, "reason"));
  closed.survivors = message.survivors();
  TUTTI_ASSIGN(closed.sum_hash, ToArray<32>(AsBytes(message.sum_sha256()), "sum hash"));
  closed.retry = WaitFrom(message.retry_milliseconds());
  return protocol::Notice(std::move(closed));
}

void FillEvaluation(const protocol::EvaluationOffer& offer, v1::EvaluationOffer* out) {
  out->set_job(offer.job);
  out->set_round(offer.round);
  out->set_task(Text(offer.task));
  out->set_model_sha256(Text(offer.model));
  out->set_model_bytes(offer.model_bytes);
}

StatusOr<std::string> JobNameFrom(const std::string& name) {
  if (!IsSafeName(name)) {
    return InvalidArgument(
        Join("job name \"", Escaped(name, 80), "\" is not 1 to 64 of a-z 0-9 . _ -"));
  }
  return name;
}

StatusOr<protocol::Notice> EvaluationFrom(const v1::EvaluationOffer& message) {
  protocol::EvaluationOffer offer;
  TUTTI_ASSIGN(offer.job, JobNameFrom(message.job()));
  offer.round = message.round();
  TUTTI_ASSIGN(offer.task, BoundedBytes(message.task(), protocol::kMaxTaskBytes, "task"));
  TUTTI_ASSIGN(offer.model, ToArray<32>(AsBytes(message.model_sha256()), "model hash"));
  offer.model_bytes = message.model_bytes();
  return protocol::Notice(std::move(offer));
}

struct NoticeWriter {
  v1::Notice* out;
  void operator()(const protocol::Welcome& welcome) const {
    out->mutable_welcome()->set_server_version(welcome.server_version);
    out->mutable_welcome()->set_client_name(welcome.client_name);
  }
  void operator()(const protocol::Offer& offer) const { FillOffer(offer, out->mutable_offer()); }
  void operator()(const protocol::RosterNotice& notice) const {
    out->mutable_roster()->set_session(Text(notice.session));
    ToProto(notice.roster, out->mutable_roster()->mutable_roster());
  }
  void operator()(const protocol::BoxesNotice& notice) const {
    out->mutable_boxes()->set_session(Text(notice.session));
    ToProto(notice.boxes, out->mutable_boxes()->mutable_boxes());
  }
  void operator()(const protocol::SurvivorsNotice& notice) const {
    out->mutable_survivors()->set_session(Text(notice.session));
    ToProto(notice.survivors, out->mutable_survivors()->mutable_survivors());
  }
  void operator()(const protocol::CertificateNotice& notice) const {
    out->mutable_certificate()->set_session(Text(notice.session));
    ToProto(notice.certificate, out->mutable_certificate()->mutable_certificate());
  }
  void operator()(const protocol::Closed& closed) const {
    FillClosed(closed, out->mutable_closed());
  }
  void operator()(const protocol::EvaluationOffer& offer) const {
    FillEvaluation(offer, out->mutable_evaluation());
  }
};

// The session and the one sub-message most notices and requests consist of.
template <typename Domain, typename Part>
StatusOr<Domain> WithSession(const std::string& session, StatusOr<Part> part) {
  if (!part.ok()) {
    return part.status();
  }
  TUTTI_ASSIGN(const Digest hash, SessionFrom(session));
  return Domain{hash, *std::move(part)};
}

template <typename Domain>
StatusOr<protocol::Notice> AsNotice(StatusOr<Domain> value) {
  if (!value.ok()) {
    return value.status();
  }
  return protocol::Notice(*std::move(value));
}

}  // namespace

void ToProto(const protocol::Notice& notice, v1::Notice* out) {
  std::visit(NoticeWriter{out}, notice);
}

StatusOr<protocol::Notice> FromProto(const v1::Notice& notice) {
  switch (notice.what_case()) {
    case v1::Notice::kWelcome: {
      protocol::Welcome welcome;
      TUTTI_ASSIGN(welcome.server_version,
                   BoundedText(notice.welcome().server_version(), kMaxNameBytes, "server version"));
      TUTTI_ASSIGN(welcome.client_name,
                   BoundedText(notice.welcome().client_name(), kMaxNameBytes, "client name"));
      return protocol::Notice(std::move(welcome));
    }
    case v1::Notice::kOffer:
      return OfferFrom(notice.offer());
    case v1::Notice::kRoster:
      return AsNotice(WithSession<protocol::RosterNotice>(notice.roster().session(),
                                                          FromProto(notice.roster().roster())));
    case v1::Notice::kBoxes:
      return AsNotice(WithSession<protocol::BoxesNotice>(notice.boxes().session(),
                                                         FromProto(notice.boxes().boxes())));
    case v1::Notice::kSurvivors:
      return AsNotice(WithSession<protocol::SurvivorsNotice>(
          notice.survivors().session(), FromProto(notice.survivors().survivors())));
    case v1::Notice::kCertificate:
      return AsNotice(WithSession<protocol::CertificateNotice>(
          notice.certificate().session(), FromProto(notice.certificate().certificate())));
    case v1::Notice::kClosed:
      return ClosedFrom(notice.closed());
    case v1::Notice::kEvaluation:
      return EvaluationFrom(notice.evaluation());
    case v1::Notice::WHAT_NOT_SET:
      break;
  }
  return InvalidArgument("notice of an unknown kind; the coordinator may speak a newer protocol");
}

void ToProto(const protocol::JoinRequest& request, v1::JoinRequest* out) {
  out->set_session(Text(request.session));
  ToProto(request.join, out->mutable_join());
}
StatusOr<protocol::JoinRequest> FromProto(const v1::JoinRequest& request) {
  return WithSession<protocol::JoinRequest>(request.session(), FromProto(request.join()));
}

void ToProto(const protocol::ShareRequest& request, v1::ShareRequest* out) {
  out->set_session(Text(request.session));
  ToProto(request.shares, out->mutable_shares());
}
StatusOr<protocol::ShareRequest> FromProto(const v1::ShareRequest& request) {
  return WithSession<protocol::ShareRequest>(request.session(), FromProto(request.shares()));
}

void ToProto(const protocol::CommitRequest& request, v1::CommitRequest* out) {
  out->set_session(Text(request.session));
  ToProto(request.commit, out->mutable_commit());
}
StatusOr<protocol::CommitRequest> FromProto(const v1::CommitRequest& request) {
  return WithSession<protocol::CommitRequest>(request.session(), FromProto(request.commit()));
}

void ToProto(const protocol::UnmaskRequest& request, v1::UnmaskRequest* out) {
  out->set_session(Text(request.session));
  ToProto(request.unmask, out->mutable_unmask());
  out->set_epsilon_spent(request.budget.epsilon_spent);
  out->set_epsilon_budget(request.budget.epsilon_budget);
  out->set_epsilon_models(request.budget.epsilon_models);
  out->set_delta(request.budget.delta);
  FillLedger(request.budget, out);
}
StatusOr<protocol::UnmaskRequest> FromProto(const v1::UnmaskRequest& request) {
  protocol::UnmaskRequest value;
  TUTTI_ASSIGN(value.session, SessionFrom(request.session()));
  TUTTI_ASSIGN(value.unmask, FromProto(request.unmask()));
  TUTTI_ASSIGN(value.budget, BudgetFrom(request));
  TUTTI_ASSIGN(value.budget.delta, NonNegative(request.delta(), "delta"));
  TUTTI_ASSIGN(value.budget.ledger, LedgerFrom(request));
  return value;
}

void ToProto(const protocol::DeclineRequest& request, v1::DeclineRequest* out) {
  out->set_session(Text(request.session));
  out->set_code(ShortText(request.code, kMaxNameBytes));
  out->set_reason(ShortText(request.reason, kMaxReasonBytes));
  out->set_epsilon_spent(request.budget.epsilon_spent);
  out->set_epsilon_budget(request.budget.epsilon_budget);
  out->set_epsilon_models(request.budget.epsilon_models);
}
StatusOr<protocol::DeclineRequest> FromProto(const v1::DeclineRequest& request) {
  protocol::DeclineRequest value;
  TUTTI_ASSIGN(value.session, SessionFrom(request.session()));
  TUTTI_ASSIGN(value.code, BoundedText(request.code(), kMaxNameBytes, "decline code"));
  TUTTI_ASSIGN(value.reason, BoundedText(request.reason(), kMaxReasonBytes, "decline reason"));
  TUTTI_ASSIGN(value.budget, BudgetFrom(request));
  return value;
}

void ToProto(const protocol::EvaluationReport& report, v1::EvaluationRequest* out) {
  out->set_job(report.job);
  out->set_round(report.round);
  out->set_examples(report.examples);
  out->set_loss(report.loss);
  out->set_accuracy(report.accuracy);
}
StatusOr<protocol::EvaluationReport> FromProto(const v1::EvaluationRequest& request) {
  protocol::EvaluationReport report;
  TUTTI_ASSIGN(report.job, JobNameFrom(request.job()));
  report.round = request.round();
  report.examples = request.examples();
  TUTTI_ASSIGN(report.loss, NonNegative(request.loss(), "loss"));
  report.accuracy = request.accuracy();
  const bool share = report.accuracy >= 0 && report.accuracy <= 1;
  if (!share && report.accuracy != -1) {
    return InvalidArgument(Join("accuracy is ", report.accuracy,
                                ", expected 0 to 1, or -1 of a model that predicts numbers"));
  }
  return report;
}

void ToProto(const protocol::UploadHeader& header, v1::UploadChunk* out) {
  out->set_session(Text(header.session));
  ToProto(header.header, out->mutable_header());
}
StatusOr<protocol::UploadHeader> HeaderFromProto(const v1::UploadChunk& first_chunk) {
  if (!first_chunk.has_header()) {
    return InvalidArgument(
        "the first chunk of an upload has no header; send header and data together");
  }
  return WithSession<protocol::UploadHeader>(first_chunk.session(),
                                             FromProto(first_chunk.header()));
}

void ToProto(const protocol::BudgetReport& budget, v1::AttachRequest* out) {
  out->set_epsilon_spent(budget.epsilon_spent);
  out->set_epsilon_budget(budget.epsilon_budget);
  out->set_epsilon_models(budget.epsilon_models);
  FillLedger(budget, out);
}
StatusOr<protocol::BudgetReport> BudgetFromProto(const v1::AttachRequest& request) {
  TUTTI_ASSIGN(protocol::BudgetReport budget, BudgetFrom(request));
  TUTTI_ASSIGN(budget.ledger, LedgerFrom(request));
  return budget;
}

}  // namespace tutti::wire
