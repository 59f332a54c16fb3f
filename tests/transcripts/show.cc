// The effects of the coordinator's core in words.
#include "common/base/text.h"
#include "tests/transcripts/stage.h"

namespace tutti::transcripts {
namespace {

std::string Names(const std::vector<ClientId>& clients) {
  std::string text;
  for (const ClientId& client : clients) {
    text += Join(text.empty() ? "" : " ", client);
  }
  return text.empty() ? "nobody" : text;
}

template <typename Map>
std::string Keys(const Map& map) {
  std::vector<ClientId> names;
  for (const auto& [client, value] : map) {
    names.push_back(client);
  }
  return Names(names);
}

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace

std::string Stage::ShowNotice(const protocol::Notice& notice) {
  return std::visit(
      Overloaded{
          [](const protocol::Welcome&) { return std::string("welcome"); },
          [&](const protocol::Offer& offer) {
            const auto config = secagg::DecodeRoundConfig(offer.config);
            return Join("offer ", Label(offer.session), " of job ", config->job, " round ",
                        config->round, " attempt ", config->attempt,
                        config->groups == 1
                            ? ""
                            : Join(" group ", config->group + 1, " of ", config->groups),
                        ", ", offer.train_left.count(), " ms to train");
          },
          [&](const protocol::RosterNotice& n) {
            return Join("roster ", Label(n.session), " of ", n.roster.size, ", you are ",
                        n.roster.own_index);
          },
          [&](const protocol::BoxesNotice& n) {
            return Join("boxes ", Label(n.session), " of ", n.boxes.boxes.size(), " neighbours");
          },
          [&](const protocol::SurvivorsNotice& n) {
            return Join("survivors ", Label(n.session), " ", ToHex(n.survivors.bitmap));
          },
          [&](const protocol::CertificateNotice& n) {
            return Join("certificate ", Label(n.session), " of ", n.certificate.commits.size(),
                        " commits");
          },
          [&](const protocol::Closed& n) {
            std::string text =
                Join("closed ", Label(n.session), " ", protocol::OutcomeName(n.outcome));
            text += n.outcome == protocol::Outcome::kPublished
                        ? Join(", ", n.survivors, " survivors")
                        : Join(": ", n.reason, "; retry in ", n.retry.count(), " ms");
            return text;
          },
          [](const protocol::EvaluationOffer& n) {
            return Join("evaluate job ", n.job, " round ", n.round);
          },
      },
      notice);
}

// Opens the sum for real and says whether it is the sum of what the survivors encoded.
std::string Stage::ShowSum(const round::ClosedSum& closed) {
  secagg::Accumulator& sum = sums_.at(closed.session);
  const Status removed = sum.RemoveMasks(closed.masks, 0, sum.sum().count());
  const bool exact = removed.ok() && secagg::ToWire(plain_sums_.at(closed.session).sum()) ==
                                         secagg::ToWire(sum.sum());
  return Join(closed.masks.size(), " masks, sum ", exact ? "exact" : "WRONG");
}

std::string Stage::ShowPublish(const round::Publish& publish) {
  const round::RoundReport& report = publish.report;
  publishing_ = report.session;
  opened_.clear();
  std::vector<std::string> sums;
  for (const round::ClosedSum& closed : publish.sums) {
    opened_.push_back(closed.session);
    const std::string whose = report.groups.size() == 1 ? ""
                                                        : Join(Label(closed.session), " of ",
                                                               Names(closed.survivors), " ");
    sums.push_back(whose + ShowSum(closed));
  }
  return Join("publish ", Label(report.session), " round ", report.round, " attempt ",
              report.attempt, ": ", JoinWith(sums, "; "), ", survivors ", Names(report.survivors),
              " of ", Names(report.invited), ", declined ", Keys(report.declined), ", budgets of ",
              Keys(report.budgets), ", ", report.failures, " failures before");
}

std::string Stage::ShowSuspicion(const cohort::SuspicionRecord& record) {
  std::vector<std::string> clients;
  for (const auto& [client, standing] : record.clients) {
    clients.push_back(
        Join(client, " ", standing.excluded.empty() ? Join(standing.suspicion) : "excluded"));
  }
  std::vector<std::string> sums;
  for (const cohort::SpoiledSum& sum : record.sums) {
    sums.push_back(Join(Label(sum.session), " of ", Names(sum.survivors)));
  }
  return Join("record suspicion: ", clients.empty() ? "nobody" : JoinWith(clients, ", "),
              "; spoiled sums: ", sums.empty() ? "none" : JoinWith(sums, ", "));
}

std::string Stage::Show(const round::Effect& effect) {
  return std::visit(
      Overloaded{
          [&](const round::Notify& e) {
            return Join("notify ", e.client, ": ", ShowNotice(e.notice));
          },
          [&](const round::Reply& e) {
            const std::string later =
                e.retry.count() == 0 ? "" : Join("; retry in ", e.retry.count(), " ms");
            return Join("reply ", e.call, ": ", e.status.ok() ? "OK" : CodeName(e.status.code()),
                        e.status.ok() ? "" : " ", MessageOf(e.status), later);
          },
          [&](const round::BeginSum& e) {
            return Join("begin sum ", Label(e.session), " of ", e.layout.positions(), " lanes of ",
                        e.layout.bits, " bits");
          },
          [&](const round::AcceptUpload& e) {
            return Join("accept upload ", e.call, " of ", e.layout.wire_bytes(), " bytes");
          },
          [&](const round::Accumulate& e) { return Join("accumulate ", e.call); },
          [&](const round::DropUpload& e) { return Join("drop upload ", e.call); },
          [&](const round::DropSum& e) { return Join("drop sum ", Label(e.session)); },
          [&](const round::PersistSurvivors& e) {
            return Join("persist survivors ", Label(e.session), " round ", e.round, " attempt ",
                        e.attempt, ": ", Names(e.survivors));
          },
          [&](const round::Publish& e) { return ShowPublish(e); },
          [&](const round::RecordFailure& e) {
            return Join("record failure ", Label(e.report.session), " after ",
                        e.report.duration.count(), " ms: ", e.reason, "; invited ",
                        Names(e.report.invited), ", declined ", Keys(e.report.declined));
          },
          [&](const round::RecordSuspicion& e) { return ShowSuspicion(e.record); },
          [&](const round::JobChanged& e) {
            return Join("job ", e.job, " is ", round::JobStateName(e.state),
                        e.reason.empty() ? "" : ": ", e.reason);
          },
          [&](const round::EvaluationRecorded& e) {
            return Join("record evaluation of job ", e.report.job, " round ", e.report.round,
                        " by ", e.evaluator, ": accuracy ", e.report.accuracy);
          },
          [&](const round::RolledBack& e) {
            return Join("put round ", e.round, " of job ", e.job, " in the place of ", e.newest,
                        ": ", e.reason);
          },
          [&](const round::Progress& e) {
            return Join("progress job ", e.job, " round ", e.round, " ", round::PhaseName(e.phase),
                        " ", e.done, "/", e.expected);
          },
          [&](const round::Note& e) { return Join(e.warning ? "warning: " : "note: ", e.text); },
      },
      effect);
}

}  // namespace tutti::transcripts
