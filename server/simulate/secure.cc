#include "server/simulate/secure.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "common/base/text.h"
#include "common/secagg/accumulator.h"
#include "server/round/rules.h"
#include "server/simulate/chance.h"
#include "server/simulate/event_queue.h"
#include "server/simulate/identities.h"
#include "server/simulate/secure_client.h"

namespace tutti::simulate {
namespace {

class Secure {
 public:
  Secure(Bookkeeper& books, Identities& identities)
      : books_(books),
        job_(books.settings()),
        identities_(identities),
        rng_(StreamOf(books.scene().world.seed(), "coordinator")),
        core_({books.grace(), kUnmaskLinger, "simulation"}, identities.verifier(), rng_) {}

  StatusOr<Report> Run() {
    std::set<ClientId> trainers;
    for (std::size_t client = 0; client < books_.scene().population.size(); ++client) {
      trainers.insert(NameOf(client));
    }
    Post(round::SuspicionRestored{{}, trainers});
    Redraw(Milliseconds{0});
    const Course& course = books_.course();
    Post(round::JobSubmitted{job_, 0, {course.sha256(), course.model().size()}});
    Drain();
    while (status_.ok() && ended_.empty() && !done_) {
      if (books_.Stopped()) {
        ended_ = "stopped";
      } else if (!queue_.Step()) {
        return Internal("nothing is left to happen and the job is not done");
      }
      Drain();
    }
    TUTTI_TRY(status_);
    return books_.Finish(std::move(ended_), excluded_);
  }

 private:
  using Call = round::CallId;
  struct Incoming {
    std::size_t client = 0;
    protocol::UploadHeader header;
    std::shared_ptr<const Bytes> vector;
  };

  void Post(round::Event event) { events_.push_back(std::move(event)); }

  void Drain() {
    while (!events_.empty() && status_.ok()) {
      const round::Event event = std::move(events_.front());
      events_.pop_front();
      for (const round::Effect& effect : core_.Advance(queue_.now(), event)) {
        std::visit([this](const auto& e) { Carry(e); }, effect);
      }
      LookForClients();
    }
    ArmTimer();
  }

  void ArmTimer() {
    const std::optional<Instant> due = core_.NextDeadline();
    if (!due || (armed_ && *armed_ > queue_.now() && *armed_ <= *due)) {
      return;
    }
    armed_ = due;
    queue_.After(std::max(Milliseconds{0}, *due - queue_.now()), [this] {
      armed_.reset();
      Post(round::TimePassed{});
    });
  }

  // Who is attached from now on; the coordinator looks at it from `opens` on.
  void Redraw(Milliseconds pause) {
    window_ = queue_.now() + pause;
    std::set<std::size_t> now;
    for (const std::size_t client : books_.Available(draw_++)) {
      now.insert(client);
    }
    for (const std::size_t client : attached_) {
      if (!now.contains(client)) {
        Post(round::ClientDetached{NameOf(client)});
      }
    }
    for (const std::size_t client : now) {
      if (!attached_.contains(client)) {
        Post(round::ClientAttached{NameOf(client), round::Role::kTrainer, {}});
      }
    }
    attached_ = std::move(now);
  }

  // A window for choosing a cohort passed in vain: others may be there in the next one.
  void LookForClients() {
    constexpr std::uint32_t kWindows = 1000;
    if (core_.phase() != round::Phase::kSelecting) {
      vain_windows_ = 0;
    } else if (queue_.now() >= window_ + job_.select) {
      Redraw(Milliseconds{0});
      if (++vain_windows_ >= kWindows) {
        ended_ = Join("in ", kWindows, " windows in a row too few clients were attached, the job ",
                      "needs ", round::ClientsNeeded(job_),
                      "; raise devices.availability or simulate more clients");
      }
    }
  }

  static Exchange ExchangeOf(const protocol::Notice& notice, bool commits) {
    if (std::holds_alternative<protocol::Offer>(notice)) return Exchange::kTraining;
    if (std::holds_alternative<protocol::RosterNotice>(notice)) return Exchange::kSharing;
    if (std::holds_alternative<protocol::BoxesNotice>(notice)) return Exchange::kCollecting;
    if (std::holds_alternative<protocol::SurvivorsNotice>(notice) && commits) {
      return Exchange::kCommitting;
    }
    return Exchange::kUnmasking;
  }

  void Carry(const round::Notify& effect) {
    const std::size_t client = NumberOf(effect.client);
    if (const auto* offer = std::get_if<protocol::Offer>(&effect.notice)) {
      Invite(client, *offer);
    } else if (std::holds_alternative<protocol::Closed>(effect.notice)) {
      clients_.erase(client);
      return;
    }
    const auto found = clients_.find(client);
    if (found == clients_.end()) {
      return;
    }
    const Exchange exchange =
        ExchangeOf(effect.notice, job_.config.level == secagg::ThreatLevel::kMalicious);
    if (exchange == Exchange::kCollecting) {
      books_.Charge(std::vector{client});
    }
    const Fate& fate = found->second->fate();
    const auto same = [this, client, of = found->second.get()] {
      const auto now = clients_.find(client);
      return now != clients_.end() && now->second.get() == of;
    };
    if (fate.VanishesIn(exchange)) {
      queue_.After(fate.vanishes_after, [this, client, same] {
        if (same()) {
          Vanish(client);
        }
      });
      return;
    }
    queue_.After(fate.Answer(exchange), [this, client, same, notice = effect.notice] {
      if (same()) {
        Send(client, clients_.at(client)->Hear(notice));
      }
    });
  }

  void Invite(std::size_t client, const protocol::Offer& offer) {
    const StatusOr<secagg::RoundConfig> config = secagg::DecodeRoundConfig(offer.config);
    const StatusOr<Fate> fate =
        config.ok() ? books_.Invite(client, *config, queue_.now()) : config.status();
    StatusOr<secagg::ClientIdentity> identity = identities_.Of(client);
    status_.Update(fate.status());
    status_.Update(identity.status());
    if (!status_.ok()) {
      return;
    }
    clients_[client] = std::make_unique<SecureClient>(
        *std::move(identity), identities_.verifier(),
        StreamOf(books_.scene().world.seed(), "keys", client, config->round, config->attempt),
        *fate, [this, client](const secagg::RoundConfig& round) { return Encode(client, round); });
  }

  std::optional<secagg::RingVector> Encode(std::size_t client, const secagg::RoundConfig& config) {
    const StatusOr<const policy::Plan*> plan = books_.PlanOf(client);
    StatusOr<Contribution> contribution =
        plan.ok() ? Contribute(books_.scene(), books_.course(), **plan, config, client,
                               books_.HeldBy(client), books_.Kept(client), books_.workers().front())
                  : plan.status();
    if (contribution.ok()) {
      trained_[client].Add(*contribution);
      books_.KeepNext(client, std::move(contribution->keep));
      books_.ShowTraining(trained_.size(), job_.cohort_size);
      return std::move(contribution->vector);
    }
    if (!SitsOut(contribution.status())) {
      status_.Update(contribution.status());
    }
    return std::nullopt;
  }

  void Vanish(std::size_t client) {
    clients_.erase(client);
    attached_.erase(client);
    Post(round::ClientDetached{NameOf(client)});
  }

  void Send(std::size_t client, StatusOr<SecureClient::Answer> answer) {
    if (!answer.ok()) {
      status_.Update(answer.status());
      return;
    }
    if (answer->cannot_train) {
      return Vanish(client);
    }
    for (protocol::Request& request : answer->requests) {
      Post(round::RequestArrived{++last_call_, NameOf(client), std::move(request)});
    }
    if (answer->upload) {
      const Call call = ++last_call_;
      incoming_[call] = {client, answer->upload->header, answer->upload->vector};
      Post(round::UploadOpened{call, NameOf(client), answer->upload->header});
    }
  }

  void Carry(const round::Reply& effect) {
    const auto found = incoming_.find(effect.call);
    if (found == incoming_.end()) {
      return;
    }
    const Incoming done = std::move(found->second);
    incoming_.erase(found);
    if (const auto client = clients_.find(done.client);
        effect.status.ok() && client != clients_.end()) {
      Send(done.client, client->second->Uploaded(done.header.session));
    }
  }

  void Carry(const round::BeginSum& effect) {
    sums_.emplace(effect.session, secagg::Accumulator(effect.layout));
  }
  void Carry(const round::AcceptUpload& effect) {
    const Incoming& incoming = incoming_.at(effect.call);
    Post(round::UploadFinished{effect.call, NameOf(incoming.client), incoming.header});
  }
  void Carry(const round::Accumulate& effect) {
    const Incoming& incoming = incoming_.at(effect.call);
    status_.Update(sums_.at(incoming.header.session).Add(*incoming.vector, 0));
  }
  void Carry(const round::DropUpload&) {}
  void Carry(const round::DropSum& effect) { sums_.erase(effect.session); }
  void Carry(const round::PersistSurvivors&) {}

  void Carry(const round::Publish& effect) { status_.Update(Publish(effect)); }

  Status Publish(const round::Publish& effect) {
    const round::RoundReport& attempt = effect.report;
    RoundReport report;
    TrainingTotals totals;
    std::vector<server::GroupResult> results;
    std::vector<round::OpenedSum> opened;
    std::vector<ClientId> in_model;
    std::string spoiled;
    for (const round::ClosedSum& closed : effect.sums) {
      AddTotals(closed.survivors, totals);
      round::OpenedSum& sum = opened.emplace_back();
      TUTTI_ASSIGN(std::optional<server::GroupResult> result, Open(closed, sum));
      if (result) {
        results.push_back(*std::move(result));
        in_model.insert(in_model.end(), closed.survivors.begin(), closed.survivors.end());
        Count(closed.survivors, report);
      } else {
        spoiled = sum.spoiled;
      }
    }
    if (results.size() < effect.groups_needed) {
      Post(round::PublishFailed{attempt.session, Join("SUM_REJECTED: ", spoiled),
                                std::move(opened)});
      return OkStatus();
    }
    EndOfAttempt(attempt);
    report.round_seconds = static_cast<double>(attempt.duration.count()) / 1000;
    report.invited = static_cast<std::uint32_t>(attempt.invited.size());
    report.groups = static_cast<std::uint32_t>(attempt.groups.size());
    report.groups_left_out = report.groups - static_cast<std::uint32_t>(results.size());
    TUTTI_TRY(books_.Publish(queue_.now(), in_model, std::move(results), totals, report));
    if (books_.course().rounds_done() < job_.rounds) {
      ended_ = books_.verdict();
    }
    Redraw(Milliseconds{0});
    const Course& course = books_.course();
    Post(round::Published{
        attempt.session, {course.sha256(), course.model().size()}, std::move(opened)});
    return OkStatus();
  }

  StatusOr<std::optional<server::GroupResult>> Open(const round::ClosedSum& closed,
                                                    round::OpenedSum& opened) {
    auto node = sums_.extract(closed.session);
    TUTTI_CHECK(!node.empty());
    secagg::Accumulator& held = node.mapped();
    TUTTI_TRY(held.RemoveMasks(closed.masks, 0, held.sum().count()));
    opened.session = closed.session;
    opened.sum_hash = secagg::WireDigest(held.sum());
    StatusOr<server::GroupResult> result = books_.course().Open(
        closed.config, held.sum(), closed.survivors.size(), books_.scene().world.seed());
    if (result.status().code() == StatusCode::kDataLoss) {
      opened.spoiled = std::string(MessageOf(result.status()));
      return std::optional<server::GroupResult>();
    }
    TUTTI_TRY(result.status());
    return std::optional(*std::move(result));
  }

  void AddTotals(const std::vector<ClientId>& survivors, TrainingTotals& totals) const {
    for (const ClientId& name : survivors) {
      const TrainingTotals& one = trained_.at(NumberOf(name));
      totals.trained += one.trained;
      totals.late += one.late;
      totals.clipped_values += one.clipped_values;
      totals.loss_sum += one.loss_sum;
      totals.seconds += one.seconds;
    }
  }

  void Count(const std::vector<ClientId>& survivors, RoundReport& report) const {
    report.survivors += static_cast<std::uint32_t>(survivors.size());
    for (const ClientId& name : survivors) {
      report.malicious += books_.scene().population.device(NumberOf(name)).malicious ? 1U : 0U;
    }
  }

  void EndOfAttempt(const round::RoundReport& attempt) {
    std::size_t uploads = 0;
    for (const round::GroupReport& group : attempt.groups) {
      uploads += group.survivors.size();
    }
    books_.EndAttempt(uploads);
    trained_.clear();
  }

  void Carry(const round::RecordFailure& effect) {
    EndOfAttempt(effect.report);
    books_.Fail(queue_.now(), effect.reason);
    Redraw(job_.retry);
  }
  void Carry(const round::RecordSuspicion& effect) {
    const auto& standings = effect.record.clients;
    excluded_ = static_cast<std::size_t>(
        std::count_if(standings.begin(), standings.end(),
                      [](const auto& entry) { return !entry.second.excluded.empty(); }));
  }
  void Carry(const round::JobChanged& effect) {
    done_ = effect.state == round::JobState::kDone;
    if (effect.state == round::JobState::kFailed) {
      ended_ = effect.reason;
    }
  }
  void Carry(const round::EvaluationRecorded&) {}
  void Carry(const round::RolledBack&) {}  // nobody evaluates here
  void Carry(const round::Progress&) {}
  void Carry(const round::Note&) {}

  Bookkeeper& books_;
  const round::JobSettings& job_;
  Identities& identities_;
  crypto::AesCtrStream rng_;
  round::Core core_;
  EventQueue queue_;
  std::deque<round::Event> events_;
  std::optional<Instant> armed_;
  Status status_;
  std::string ended_;
  bool done_ = false;
  std::set<std::size_t> attached_;
  Instant window_{0};  // when the coordinator began to look for clients
  std::uint64_t draw_ = 0;
  std::uint32_t vain_windows_ = 0;
  std::size_t excluded_ = 0;
  Call last_call_ = 0;
  std::map<std::size_t, std::unique_ptr<SecureClient>> clients_;  // of the running attempt
  std::map<Call, Incoming> incoming_;
  std::map<protocol::SessionHash, secagg::Accumulator> sums_;
  std::map<std::size_t, TrainingTotals> trained_;  // in the running attempt
};

}  // namespace

StatusOr<Report> SimulateSecurely(Bookkeeper& books) {
  TUTTI_ASSIGN(const std::unique_ptr<Identities> identities,
               Identities::Create(books.scene().world.seed()));
  return Secure(books, *identities).Run();
}

}  // namespace tutti::simulate
