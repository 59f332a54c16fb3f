#include "tests/sim/server_node.h"

#include <algorithm>

#include "common/secagg/chunks.h"
#include "common/secagg/encoding.h"
#include "tests/sim/test_identity.h"

namespace tutti::sim {
ServerNode::ServerNode(World& world, Oracle& oracle, crypto::PeerVerifier& verifier,
                       std::uint64_t seed, Store store)
    : world_(world),
      oracle_(oracle),
      verifier_(verifier),
      rng_(testing::SeededRng(seed, "server")),
      store_(std::move(store)) {}

void ServerNode::Start() {
  ++process_;
  core_ = std::make_unique<round::Core>(
      round::CoreSettings{Milliseconds{400}, Milliseconds{20}, "sim"}, verifier_, rng_);
  world_.Trace("server starts");
  Post(round::SuspicionRestored{store_.suspicion, store_.trainers});
  for (const ClientId& client : revoked_) {
    Post(round::ClientRevoked{client});
  }
  const std::uint64_t attempt =
      world_.sabotage == Sabotage::kReuseAttempts ? 0 : store_.last_attempt;
  Post(round::JobSubmitted{store_.settings, store_.rounds_done, store_.model, store_.state,
                           attempt});
}

void ServerNode::Crash() {
  world_.Trace("server dies");
  ++crashes_;
  ++process_;
  core_.reset();
  armed_.reset();
  calls_.clear();
  incoming_.clear();
  sums_.clear();
  auto streams = std::move(streams_);
  streams_.clear();
  for (auto& [client, stream] : streams) {
    world_.After(world_.Between(1, 50), stream.broken);
  }
  world_.After(world_.Between(20, 2000), [this] { Start(); });
}

void ServerNode::AfterHere(Milliseconds delay, std::function<void()> what) {
  world_.After(delay, [this, process = process_, what = std::move(what)] {
    if (process == process_) {
      what();
    }
  });
}

void ServerNode::Post(const round::Event& event) {
  if (core_ == nullptr) {
    return;
  }
  world_.Trace(Join("server event ", event.index()));
  const std::vector<round::Effect> effects = core_->Advance(world_.now(), event);
  for (const round::Effect& effect : effects) {
    if (world_.Happens(world_.faults.server_crash)) {
      return Crash();
    }
    std::visit([this](const auto& e) { Carry(e); }, effect);
  }
  if (const auto* request = std::get_if<round::RequestArrived>(&event);
      request != nullptr && calls_.contains(request->call)) {
    world_.Violation("a request was not answered");
  }
  if (core_->phase() < round::Phase::kCollecting && !calls_.empty()) {
    world_.Violation(Join("call ", calls_.begin()->first, " is still open after its round"));
  }
  ArmTimer();
}

void ServerNode::ArmTimer() {
  const std::optional<Instant> due = core_->NextDeadline();
  if (due && *due <= world_.now()) {
    return world_.Violation(
        Join("a deadline of ", due->count(), " ms is still due at ", world_.now().count(), " ms"));
  }
  if (!due || (armed_ && *armed_ > world_.now() && *armed_ <= *due) ||
      world_.sabotage == Sabotage::kLoseTimer) {
    return;
  }
  armed_ = due;
  AfterHere(*due - world_.now(), [this] {
    armed_.reset();
    Post(round::TimePassed{});
  });
}

void ServerNode::Attach(const ClientId& client, round::Role role,
                        const protocol::BudgetReport& budget, NoticeSink notices,
                        BrokenSink broken) {
  if (!up() || revoked_.contains(client)) {
    world_.After(world_.Between(1, 20), broken);
    return;
  }
  streams_[client] = Stream{++streams_made_, std::move(notices), std::move(broken), world_.now()};
  Post(round::ClientAttached{client, role, budget});
}

void ServerNode::Break(const ClientId& client) {
  const auto found = streams_.find(client);
  if (found == streams_.end()) {
    return;
  }
  world_.Trace(Join("stream of ", client, " breaks"));
  world_.After(world_.Between(1, 300), found->second.broken);
  // Each side notices in its own time; the end of a stream that a newer one replaced is not an
  // event.
  AfterHere(world_.Between(1, 300), [this, client, number = found->second.number] {
    const auto now = streams_.find(client);
    if (now != streams_.end() && now->second.number == number) {
      streams_.erase(now);
      Post(round::ClientDetached{client});
    }
  });
  found->second.notices = [](const protocol::Notice&) {};
}

void ServerNode::Request(const ClientId& client, const protocol::Request& request,
                         ReplySink reply) {
  if (!up()) {
    return;
  }
  const round::CallId call = world_.NextCall();
  calls_.emplace(call, std::move(reply));
  Post(round::RequestArrived{call, client, request});
}

void ServerNode::Upload(const ClientId& client, const protocol::UploadHeader& header, Bytes vector,
                        std::function<bool()> alive, ReplySink reply) {
  if (!up()) {
    return;
  }
  const round::CallId call = world_.NextCall();
  calls_.emplace(call, std::move(reply));
  incoming_.emplace(call, Incoming{client, header, std::move(vector), std::move(alive)});
  Post(round::UploadOpened{call, client, header});
}

void ServerNode::FinishUpload(round::CallId call, const ClientId& sender,
                              const protocol::UploadHeader& header) {
  const auto found = incoming_.find(call);
  if (found == incoming_.end()) {
    // Dropped while its last bytes were already in the queue.
    return Post(round::UploadFinished{call, sender, header});
  }
  Incoming& incoming = found->second;
  const ClientId client = incoming.client;
  const bool broken = !incoming.alive() || world_.Happens(world_.faults.upload_break);
  if (broken && world_.sabotage != Sabotage::kAddBeforeComplete) {
    calls_.erase(call);
    return Post(round::UploadBroken{call, client});
  }
  if (broken) {
    std::fill(incoming.vector.begin() + 1, incoming.vector.end(), std::uint8_t{0});
  } else if (secagg::ChunkDigests(incoming.vector) != incoming.header.header.chunks) {
    return world_.Violation("a vector does not have its header's digests");
  }
  incoming.complete = true;
  Post(round::UploadFinished{call, client, protocol::UploadHeader(incoming.header)});
}

void ServerNode::Revoke(const ClientId& client) {
  revoked_.insert(client);
  Post(round::ClientRevoked{client});
  Break(client);
}

void ServerNode::Stop() { Post(round::JobStopRequested{store_.settings.name}); }
void ServerNode::Resume() { Post(round::JobResumeRequested{store_.settings.name}); }

void ServerNode::Carry(const round::Notify& effect) {
  if (const auto* survivors = std::get_if<protocol::SurvivorsNotice>(&effect.notice)) {
    oracle_.AsksAbout(survivors->session);
  }
  const auto found = streams_.find(effect.client);
  if (found == streams_.end()) {
    return;
  }
  Stream& stream = found->second;
  if (world_.Happens(world_.faults.stream_break)) {
    return Break(effect.client);
  }
  const int copies = world_.Happens(world_.faults.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    Instant arrival = world_.now() + world_.Between(1, 30);
    if (!world_.Happens(world_.faults.overtake)) {
      arrival = std::max(arrival, stream.last_arrival);
      stream.last_arrival = arrival;
    }
    AfterHere(arrival - world_.now(),
              [this, client = effect.client, number = stream.number, notice = effect.notice] {
                const auto now = streams_.find(client);
                if (now != streams_.end() && now->second.number == number) {
                  now->second.notices(notice);
                }
              });
  }
}

void ServerNode::Carry(const round::Reply& effect) {
  const auto call = calls_.find(effect.call);
  if (call == calls_.end()) {
    return world_.Violation(Join("call ", effect.call, " is answered though it is not open"));
  }
  world_.Trace(Join("  reply ", effect.call, " ", TextOf(effect.status)));
  if (!world_.Happens(world_.faults.drop)) {
    world_.After(world_.Between(1, 30),
                 [sink = call->second, status = effect.status] { sink(status); });
  }
  if (world_.sabotage == Sabotage::kReplyTwice && world_.chance().Below(16) == 0) {
    calls_.erase(call);
    return Carry(effect);
  }
  calls_.erase(call);
}

void ServerNode::Carry(const round::BeginSum& effect) {
  if (!sums_.emplace(effect.session, secagg::Accumulator(effect.layout)).second) {
    world_.Violation("a sum of one session begins twice");
  }
}

void ServerNode::Carry(const round::AcceptUpload& effect) {
  const Incoming& incoming = incoming_.at(effect.call);
  AfterHere(world_.Between(2, 60),
            [this, call = effect.call, sender = incoming.client, header = incoming.header] {
              FinishUpload(call, sender, header);
            });
}

void ServerNode::Carry(const round::Accumulate& effect) {
  const auto found = incoming_.find(effect.call);
  if (found == incoming_.end() || !found->second.complete) {
    return world_.Violation("a vector that did not arrive is to be added");
  }
  const auto sum = sums_.find(found->second.header.session);
  if (sum == sums_.end()) {
    return world_.Violation("there is no sum to add a vector to");
  }
  Bytes& vector = found->second.vector;
  vector[0] ^= world_.sabotage == Sabotage::kWrongLane ? 1U : 0U;
  const int times = world_.sabotage == Sabotage::kAccumulateTwice    ? 2
                    : world_.sabotage == Sabotage::kForgetAccumulate ? 0
                                                                     : 1;
  for (int i = 0; i < times; ++i) {
    if (const Status status = sum->second.Add(vector, 0); !status.ok()) {
      world_.Violation(TextOf(status));
    }
  }
  incoming_.erase(found);
}

void ServerNode::Carry(const round::PersistSurvivors& effect) {
  if (world_.sabotage != Sabotage::kSkipPersist) {
    oracle_.Persisted(effect.session, effect.survivors);
    store_.last_attempt = std::max(store_.last_attempt, effect.attempt);
  }
}

void ServerNode::Carry(const round::Publish& effect) {
  ++attempts_;
  // The other thread's work takes a while; until the transaction is done a crash undoes all of it.
  AfterHere(world_.Between(1, 80), [this, effect] { Open(effect); });
}

void ServerNode::Open(const round::Publish& effect) {
  if (world_.Happens(world_.faults.publish_fails)) {
    return Post(round::PublishFailed{effect.report.session, "the store is full", {}});
  }
  std::vector<round::OpenedSum> opened;
  round::Publish good{{}, effect.groups_needed, effect.report};
  good.report.survivors.clear();
  for (const round::ClosedSum& closed : effect.sums) {
    const std::optional<round::OpenedSum> sum = OpenSum(closed);
    if (!sum) {
      return;
    }
    opened.push_back(*sum);
    if (sum->spoiled.empty()) {
      good.sums.push_back(closed);
      good.report.survivors.insert(good.report.survivors.end(), closed.survivors.begin(),
                                   closed.survivors.end());
    }
  }
  if (good.sums.size() < effect.groups_needed) {
    return Post(round::PublishFailed{effect.report.session, "SUM_REJECTED", std::move(opened)});
  }
  std::sort(good.report.survivors.begin(), good.report.survivors.end());
  Keep(good, std::move(opened));
}

// Nothing: an invariant is broken.
std::optional<round::OpenedSum> ServerNode::OpenSum(const round::ClosedSum& closed) {
  auto node = sums_.extract(closed.session);
  if (node.empty()) {
    world_.Violation("there is no sum to publish");
    return std::nullopt;
  }
  std::vector<secagg::LeftoverMask> masks = closed.masks;
  if (world_.sabotage == Sabotage::kKeepMask) {
    masks.pop_back();
  }
  secagg::Accumulator& held = node.mapped();
  if (const Status status = held.RemoveMasks(masks, 0, held.sum().count()); !status.ok()) {
    world_.Violation(TextOf(status));
    return std::nullopt;
  }
  const Status decoded = secagg::DecodeSum(closed.config, held.sum(),
                                           static_cast<std::uint32_t>(closed.survivors.size()))
                             .status();
  oracle_.Opened(closed, held.sum(), decoded);
  spoiled_ += decoded.ok() ? 0U : 1U;
  round::OpenedSum opened{closed.session, secagg::WireDigest(held.sum()),
                          std::string(MessageOf(decoded))};
  if (world_.sabotage == Sabotage::kBlameAnybody && world_.chance().Below(2) == 0) {
    opened.spoiled = "blamed";
  }
  return opened;
}

void ServerNode::Keep(const round::Publish& good, std::vector<round::OpenedSum> opened) {
  oracle_.Publishes(good);
  const round::ModelRef model{opened.front().sum_hash,
                              good.sums.front().config.layout().wire_bytes()};
  if (world_.sabotage != Sabotage::kForgetPublished) {
    store_.rounds_done = good.report.round;
    store_.last_attempt = 0;
    store_.model = model;
  }
  const round::Published published{good.report.session, model, std::move(opened)};
  AfterHere(world_.Between(1, 10), [this, published] { Post(published); });
  if (world_.Happens(world_.faults.duplicate)) {
    AfterHere(world_.Between(1, 2000), [this, published] { Post(published); });
  }
}

void ServerNode::Carry(const round::RecordSuspicion& effect) {
  oracle_.Holds(effect.record);
  store_.suspicion = effect.record;
}

void ServerNode::Carry(const round::RecordFailure& effect) {
  ++attempts_;
  ++store_.failures;
  world_.Trace(Join("  attempt failed: ", effect.reason));
  if (effect.report.round == store_.rounds_done + 1) {
    store_.last_attempt = std::max(store_.last_attempt, effect.report.attempt);
  }
}

void ServerNode::Carry(const round::JobChanged& effect) {
  world_.Trace(Join("  job is ", round::JobStateName(effect.state), " ", effect.reason));
  store_.state = effect.state;
  if (effect.state != round::JobState::kFailed) {
    return;
  }
  const bool hopeless = effect.reason.starts_with("no round is possible: ");
  const bool liars = effect.reason.ends_with("too few others are there: bring more clients");
  const bool chaos =
      !world_.healed() && effect.reason.find(" attempts failed in a row") != std::string::npos;
  if (hopeless || liars || chaos) {
    // The operator talks to the owners and tries again: who refused is asked again.
    AfterHere(world_.Between(100, 3000), [this] { Resume(); });
  } else {
    world_.Violation(Join("the job failed: ", effect.reason));
  }
}

}  // namespace tutti::sim
