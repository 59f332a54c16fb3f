#include "tests/transcripts/stage.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "common/base/text.h"

namespace tutti::transcripts {

Stage::Stage() : rng_(testing::SeededRng(1, "stage")) {
  core_ = std::make_unique<round::Core>(
      round::CoreSettings{Milliseconds{1000}, Milliseconds{20}, "1.0"}, verifier_, rng_);
}

std::vector<std::string> Stage::Post(const round::Event& event) {
  std::vector<std::string> lines;
  for (const round::Effect& effect : core_->Advance(now_, event)) {
    Remember(effect);
    lines.push_back(Relabelled(Show(effect)));
  }
  return lines;
}

std::vector<std::string> Stage::Ask(const std::string& client, protocol::Request request) {
  return Post(round::RequestArrived{++calls_, ClientId(client), std::move(request)});
}

Stage::Actor& Stage::ActorOf(const std::string& name) {
  const auto [entry, is_new] = actors_.try_emplace(name);
  if (is_new) {
    auto keys = testing::SeededRng(2, name);
    entry->second.identity = testing::NewIdentity(name, keys);
  }
  return entry->second;
}

std::vector<std::string> Stage::Play(std::string_view commands) {
  std::vector<std::string> last;
  std::istringstream lines{std::string(commands)};
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, std::min(line.find_first_not_of(' '), line.size()));
    if (!line.empty()) {
      last = Do(line);
    }
  }
  return last;
}

std::vector<std::string> Stage::Do(const std::string& command) {
  Words words(command);
  std::string verb, name;
  words >> verb;
  if (verb == "wait") {
    std::int64_t milliseconds = 0;
    words >> milliseconds;
    now_ += Milliseconds{milliseconds};
    return Post(round::TimePassed{});
  }
  if (verb == "tick") {
    return Post(round::TimePassed{});
  }
  if (verb == "due") {  // milliseconds from now
    const std::optional<Instant> due = core_->NextDeadline();
    return {due ? Join("due in ", (*due - now_).count(), " ms") : "nothing is due"};
  }
  if (verb == "restart") {  // the process dies; what the store knows is submitted again by the play
    core_ = std::make_unique<round::Core>(
        round::CoreSettings{Milliseconds{1000}, Milliseconds{20}, "1.0"}, verifier_, rng_);
    return Post(round::SuspicionRestored{suspicion_, {}});
  }
  if (verb == "job") {
    return SubmitJob(words);
  }
  if (verb == "published" || verb == "counted") {
    Digest model{};
    model[0] = static_cast<std::uint8_t>(sessions_.size());
    std::optional<round::RoundLoss> evaluated;
    if (verb == "counted") words >> evaluated.emplace().round >> evaluated->loss;
    return Post(round::Published{publishing_, {model, 64}, Verdicts(words), evaluated});
  }
  if (verb == "publish-failed") {
    std::string reason;
    std::getline(words >> std::ws, reason);
    return Post(round::PublishFailed{publishing_, reason, {}});
  }
  if (verb == "rejected") {
    return Post(round::PublishFailed{publishing_, "SUM_REJECTED", Verdicts(words)});
  }
  words >> name;
  if (verb == "stop") {
    return Post(round::JobStopRequested{JobId(name)});
  }
  if (verb == "resume") {
    return Post(round::JobResumeRequested{JobId(name)});
  }
  return OnClient(verb, name, words);
}

std::vector<std::string> Stage::OnClient(const std::string& verb, const std::string& name,
                                         Words& words) {
  Actor& actor = ActorOf(name);
  const ClientId client(name);
  const protocol::SessionHash session =
      actor.offer ? actor.offer->session : protocol::SessionHash{};
  std::string how;
  if (verb == "decline") {
    std::string code, reason;
    words >> code;
    std::getline(words >> std::ws, reason);
    return Ask(name, protocol::DeclineRequest{session, code, reason, {}});
  }
  if (verb == "evaluate") {
    protocol::EvaluationReport report;
    words >> report.job >> report.round >> report.accuracy >> report.loss;
    report.examples = 10;
    return Ask(name, report);
  }
  if (verb == "finish") {
    round::CallId call = actor.call;
    words >> call;
    return FinishUpload(name, words ? call : actor.call);
  }
  words >> how;
  if (verb == "attach") {
    return Post(round::ClientAttached{
        client, how == "evaluator" ? round::Role::kEvaluator : round::Role::kTrainer, {}});
  }
  if (verb == "detach") {
    return Post(round::ClientDetached{client});
  }
  if (verb == "revoke") {
    return Post(round::ClientRevoked{client});
  }
  if (verb == "readmit") {
    return Post(round::ClientReadmitted{client});
  }
  if (verb == "forget") {
    actor.keys.reset();
    return {};
  }
  if (verb == "join") {
    return SendJoin(name, how);
  }
  if (verb == "share") {
    return SendShare(name, how);
  }
  if (verb == "commit") {
    return SendCommit(name);
  }
  if (verb == "unmask") {
    return SendUnmask(name, how);
  }
  if (verb == "open") {
    return OpenUpload(name, how);
  }
  if (verb == "break") {
    return Post(round::UploadBroken{
        actor.call, client, how == "rule" ? InvalidArgument("it was not a vector") : OkStatus()});
  }
  if (verb == "upload") {
    std::vector<std::string> lines = OpenUpload(name, how);
    for (std::string& line : FinishUpload(name, actor.call)) {
      lines.push_back(std::move(line));
    }
    return lines;
  }
  throw std::invalid_argument(Join("the stage knows no command \"", verb, "\""));
}

std::vector<std::string> Stage::SubmitJob(Words& words) {
  round::JobSubmitted event;
  round::JobSettings& job = event.settings;
  std::string name;
  words >> name;
  job.name = JobId(name);
  job.rounds = 2;
  job.task = ToBytes(AsBytes(Join("task of ", name)));
  job.cohort_size = 3;
  job.config.values = 4;
  job.config.min_cohort = 3;
  job.config.min_survivors = 3;
  job.config.max_cohort = 16;
  job.select = Milliseconds{10000};
  job.train = Milliseconds{60000};
  job.share = job.commit = job.unmask = Milliseconds{5000};
  job.upload = Milliseconds{20000};
  job.retry = Milliseconds{2000};
  job.max_failures = 3;
  job.evaluate_every = 0;
  event.model = {{}, 64};
  const std::map<std::string, std::function<void(std::uint64_t)>> setters{
      {"rounds", [&](std::uint64_t v) { job.rounds = v; }},
      {"cohort", [&](std::uint64_t v) { job.cohort_size = static_cast<std::uint32_t>(v); }},
      {"min", [&](std::uint64_t v) { job.config.min_cohort = static_cast<std::uint32_t>(v); }},
      {"survivors",
       [&](std::uint64_t v) { job.config.min_survivors = static_cast<std::uint32_t>(v); }},
      {"over",
       [&](std::uint64_t percent) { job.over_selection = static_cast<double>(percent) / 100; }},
      {"groups", [&](std::uint64_t v) { job.config.groups = static_cast<std::uint32_t>(v); }},
      {"needed", [&](std::uint64_t v) { job.groups_needed = static_cast<std::uint32_t>(v); }},
      {"failures", [&](std::uint64_t v) { job.max_failures = static_cast<std::uint32_t>(v); }},
      {"evaluate", [&](std::uint64_t v) { job.evaluate_every = static_cast<std::uint32_t>(v); }},
      {"by-clients", [&](std::uint64_t v) { job.clients_evaluate = v != 0; }},
      {"patience", [&](std::uint64_t v) { job.patience = static_cast<std::uint32_t>(v); }},
      {"increase",
       [&](std::uint64_t percent) { job.max_loss_increase = static_cast<double>(percent) / 100; }},
      {"done", [&](std::uint64_t v) { event.rounds_done = v; }},
      {"attempt", [&](std::uint64_t v) { event.last_attempt = v; }},
      {"exclude", [&](std::uint64_t v) { job.exclude_offenders = v != 0; }},
      {"corrupt",
       [&](std::uint64_t percent) {
         job.config.corrupt_fraction = static_cast<double>(percent) / 100;
       }},
      {"train", [&](std::uint64_t v) { job.train = Milliseconds{static_cast<std::int64_t>(v)}; }},
  };
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (key == "level") {
      job.config.level =
          value == "curious" ? secagg::ThreatLevel::kCurious : secagg::ThreatLevel::kMalicious;
    } else if (key == "was") {
      event.state = value == "done" ? round::JobState::kDone : round::JobState::kStopped;
    } else {
      setters.at(key)(std::stoull(value));
    }
  }
  return Post(event);
}

void Stage::MakeKeys(Actor& actor) {
  if (!actor.offer) {
    throw std::invalid_argument("this client has no offer yet");
  }
  if (!actor.keys || actor.keys->config_hash() != actor.offer->session) {
    const auto config = secagg::DecodeRoundConfig(actor.offer->config);
    actor.keys.emplace(
        secagg::ClientSession::Start(*config, actor.identity, &verifier_, rng_).value());
    actor.roster.reset();
    actor.boxes.reset();
    actor.survivors.reset();
    actor.certificate.reset();
    actor.opened_boxes = false;
  }
}

// other: fresh keys in the same session; broken: a signature that does not fit; unknown: another
// session.
std::vector<std::string> Stage::SendJoin(const std::string& name, const std::string& how) {
  Actor& actor = ActorOf(name);
  if (how == "unknown") {
    return Ask(name, protocol::JoinRequest{{}, {}});
  }
  protocol::JoinRequest request;
  if (how == "other" || how == "stranger") {
    Actor stranger;
    stranger.identity = actor.identity;
    stranger.offer = how == "other" ? actor.offer : actors_.begin()->second.offer;
    MakeKeys(stranger);
    return Ask(name, protocol::JoinRequest{stranger.offer->session, stranger.keys->JoinMessage()});
  }
  MakeKeys(actor);
  request = {actor.offer->session, actor.keys->JoinMessage()};
  if (how == "broken") {
    request.join.signature[0] ^= 1U;
  }
  return Ask(name, request);
}

std::vector<std::string> Stage::SendShare(const std::string& name, const std::string& how) {
  Actor& actor = ActorOf(name);
  if (!actor.roster) {
    return Ask(name, protocol::ShareRequest{actor.offer->session, {}});
  }
  secagg::Shares shares = actor.keys.value().OnRoster(actor.roster.value().roster, rng_).value();
  if (how == "broken") {
    shares.boxes.pop_back();
  }
  return Ask(name, protocol::ShareRequest{actor.offer->session, shares});
}

std::vector<std::string> Stage::SendCommit(const std::string& name) {
  Actor& actor = ActorOf(name);
  return Ask(name, protocol::CommitRequest{
                       actor.offer->session,
                       actor.keys.value().OnSurvivors(actor.survivors.value().survivors).value()});
}

// wrong: one bit of the first revealed share is another.
std::vector<std::string> Stage::SendUnmask(const std::string& name, const std::string& how) {
  Actor& actor = ActorOf(name);
  const bool curious = actor.keys->config().level == secagg::ThreatLevel::kCurious;
  secagg::Unmask unmask =
      (curious ? actor.keys->OnSurvivorsCurious(actor.survivors.value().survivors)
               : actor.keys->OnCertificate(actor.certificate.value().certificate))
          .value();
  if (how == "wrong") {
    unmask.shares.front().share[0] ^= 1U;
  }
  return Ask(name, protocol::UnmaskRequest{actor.offer->session, unmask, {1.5, 4.0, 1e-5, {}}});
}

// other: the header of another vector than before, signed by the same keys' owner or not at all.
std::vector<std::string> Stage::OpenUpload(const std::string& name, const std::string& how) {
  Actor& actor = ActorOf(name);
  if (!actor.opened_boxes) {
    if (!actor.boxes || !actor.keys->OnBoxes(actor.boxes->boxes).ok()) {
      throw std::invalid_argument("this client has no boxes to open");
    }
    actor.opened_boxes = true;
    secagg::RingVector vector(actor.keys->config().layout());
    vector.extras()[0] = static_cast<std::uint32_t>(name.front());
    actor.plain = secagg::ToWire(vector);
    if (const Status masked = actor.keys->AddMasks(vector); !masked.ok()) {
      throw std::invalid_argument(TextOf(masked));
    }
    actor.masked = secagg::ToWire(vector);
    actor.header = {actor.offer->session, actor.keys->HeaderFor(actor.masked).value()};
  }
  actor.call = ++calls_;
  uploads_[actor.call] = name;
  protocol::UploadHeader header = actor.header;
  if (how == "other") {
    header.header.root[0] ^= 1U;
  }
  return Post(round::UploadOpened{actor.call, ClientId(name), header});
}

std::vector<std::string> Stage::FinishUpload(const std::string& name, round::CallId call) {
  return Post(round::UploadFinished{call, ClientId(name), ActorOf(name).header});
}

// Before an effect is shown: what the world would do with it.
void Stage::Remember(const round::Effect& effect) {
  if (const auto* notify = std::get_if<round::Notify>(&effect)) {
    Actor& actor = ActorOf(notify->client.value());
    std::visit(
        [&](const auto& notice) {
          using N = std::decay_t<decltype(notice)>;
          if constexpr (std::is_same_v<N, protocol::Offer>) {
            actor.offer = notice;
          } else if constexpr (std::is_same_v<N, protocol::RosterNotice>) {
            actor.roster = notice;
          } else if constexpr (std::is_same_v<N, protocol::BoxesNotice>) {
            actor.boxes = notice;
          } else if constexpr (std::is_same_v<N, protocol::SurvivorsNotice>) {
            actor.survivors = notice;
          } else if constexpr (std::is_same_v<N, protocol::CertificateNotice>) {
            actor.certificate = notice;
          }
        },
        notify->notice);
  } else if (const auto* suspicion = std::get_if<round::RecordSuspicion>(&effect)) {
    suspicion_ = suspicion->record;
  } else if (const auto* begin = std::get_if<round::BeginSum>(&effect)) {
    sums_.emplace(begin->session, begin->layout);
    plain_sums_.emplace(begin->session, begin->layout);
  } else if (const auto* add = std::get_if<round::Accumulate>(&effect)) {
    const Actor& actor = ActorOf(uploads_.at(add->call));
    const protocol::SessionHash& session = actor.header.session;
    if (!sums_.at(session).Add(actor.masked, 0).ok() ||
        !plain_sums_.at(session).Add(actor.plain, 0).ok()) {
      throw std::invalid_argument("a vector does not fit the sum");
    }
  }
}

// The opened sums; `spoiled` lists the labels of those that failed their checks.
std::vector<round::OpenedSum> Stage::Verdicts(Words& spoiled) const {
  std::vector<round::OpenedSum> sums;
  for (const protocol::SessionHash& session : opened_) {
    sums.push_back({session, {}, {}});
  }
  for (std::string label; spoiled >> label;) {
    const protocol::SessionHash& session = sessions_.at(std::stoul(label.substr(1)) - 1);
    std::find_if(sums.begin(), sums.end(), [&](const round::OpenedSum& sum) {
      return sum.session == session;
    })->spoiled = "a lane is impossible";
  }
  return sums;
}

std::string Stage::Label(const protocol::SessionHash& session) {
  const auto found = std::find(sessions_.begin(), sessions_.end(), session);
  const auto place = found - sessions_.begin();
  if (found == sessions_.end()) {
    sessions_.push_back(session);
  }
  return Join("s", place + 1);
}

// Texts of the core name sessions by the start of their hash, which the transcripts do not fix.
std::string Stage::Relabelled(std::string text) {
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    const std::string hex = ToHex(BytesView(sessions_[i]).first(4));
    for (std::size_t at = text.find(hex); at != std::string::npos; at = text.find(hex)) {
      text.replace(at, hex.size(), Join("s", i + 1));
    }
  }
  return text;
}

}  // namespace tutti::transcripts
