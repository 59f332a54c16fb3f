#include "tests/sim/device.h"

#include <algorithm>

#include "common/secagg/encoding.h"
#include "tests/sim/test_identity.h"

namespace tutti::sim {
namespace {

constexpr Milliseconds kFirstRetry{150};
constexpr Milliseconds kLongestRetry{2000};

bool IsTransient(const Status& status) {
  switch (status.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kAborted:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kResourceExhausted:
      return true;
    default:
      return false;
  }
}

protocol::SessionHash SessionOf(const protocol::Request& request) {
  return std::visit(
      [](const auto& r) {
        if constexpr (requires { r.session; }) {
          return r.session;
        } else {
          return protocol::SessionHash{};
        }
      },
      request);
}

}  // namespace

Device::Device(World& world, Oracle& oracle, Coordinator& coordinator,
               crypto::PeerVerifier& verifier, ClientId name, round::Role role, std::uint64_t seed,
               double lies)
    : world_(world),
      oracle_(oracle),
      coordinator_(coordinator),
      verifier_(verifier),
      name_(std::move(name)),
      role_(role),
      lies_(lies),
      rng_(testing::SeededRng(seed, name_.value())),
      identity_(testing::NewIdentity(name_.value(), rng_)) {}

void Device::Start() {
  ++process_;
  session_ = std::make_unique<session::Session>(identity_, verifier_, rng_, journal_);
  Connect();
}

void Device::Crash() {
  world_.Trace(Join(name_, " dies"));
  ++crashes_;
  ++process_;
  ++stream_;
  session_.reset();
  encoded_.reset();
  pending_.clear();
  world_.After(world_.Between(10, 3000), [this] { Start(); });
}

void Device::AfterHere(Milliseconds delay, std::function<void()> what) {
  world_.After(delay, [this, process = process_, what = std::move(what)] {
    if (process == process_) {
      what();
    }
  });
}

void Device::Connect() {
  const std::uint64_t stream = ++stream_;
  const auto mine = [this, stream] { return up() && stream == stream_; };
  AfterHere(world_.Between(1, 20), [this, mine] {
    if (!mine()) {
      return;
    }
    const protocol::BudgetReport budget{static_cast<double>(charges_), 1e9, 1e-5, {}};
    coordinator_.Attach(
        name_, role_, budget,
        [this, mine](const protocol::Notice& notice) {
          if (mine()) {
            Post(session::NoticeArrived{notice});
          }
        },
        [this, mine] {
          if (mine()) {
            ++stream_;
            AfterHere(world_.Between(10, 400), [this] { Connect(); });
          }
        });
  });
}

void Device::Post(const session::Event& event) {
  if (!up()) {
    return;
  }
  world_.Trace(Join(name_, " event ", event.index(), " in ", session::StepName(session_->step())));
  for (const session::Effect& effect : session_->Advance(event)) {
    if (world_.Happens(world_.faults.device_crash)) {
      return Crash();
    }
    std::visit([this](const auto& e) { Carry(e); }, effect);
  }
}

// Until an answer has come: a request that got lost, or whose answer got lost, is sent again.
void Device::Deliver(std::uint64_t key) {
  const auto found = pending_.find(key);
  if (found == pending_.end()) {
    return;
  }
  const Milliseconds wait =
      std::min(kLongestRetry, kFirstRetry * (1 << std::min(found->second.tries, 4)));
  ++found->second.tries;
  const int copies = world_.Happens(world_.faults.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (!world_.Happens(world_.faults.drop)) {
      Transmit(key, found->second);
    }
  }
  AfterHere(wait, [this, key] { Deliver(key); });
}

void Device::Transmit(std::uint64_t key, const Pending& pending) {
  const auto alive = [this, process = process_] { return process == process_; };
  const ReplySink reply = [this, key, alive](const Status& status) {
    if (alive()) {
      OnReply(key, status);
    }
  };
  if (pending.request) {
    oracle_.Says(name_, *pending.request);
    world_.After(world_.Between(1, 30), [this, request = *pending.request, reply] {
      coordinator_.Request(name_, request, reply);
    });
  } else {
    oracle_.Leaves(name_, pending.header);
    world_.After(world_.Between(1, 30),
                 [this, header = pending.header, vector = pending.vector, alive, reply] {
                   coordinator_.Upload(name_, header, vector, alive, reply);
                 });
  }
}

void Device::OnReply(std::uint64_t key, const Status& status) {
  const auto found = pending_.find(key);
  if (found == pending_.end() || IsTransient(status)) {
    return;
  }
  const Pending done = std::move(found->second);
  pending_.erase(found);
  if (!status.ok()) {
    Post(session::Rejected{done.session, status});
  } else if (!done.request) {
    Post(session::Uploaded{done.session});
  }
}

void Device::Carry(const session::Decide& effect) {
  AfterHere(world_.Between(1, 10), [this, session = effect.offer.session] {
    if (world_.Happens(world_.faults.refusal)) {
      return Post(session::Refused{session, "POLICY", "the owner says no"});
    }
    Post(session::Allowed{session});
  });
}

void Device::Carry(const session::Train& effect) {
  const Milliseconds time =
      world_.Happens(world_.faults.slow) ? world_.Between(500, 5000) : world_.Between(10, 300);
  AfterHere(time, [this, session = effect.offer.session, config = effect.config] {
    if (session_->session() != session || session_->step() != session::Step::kTraining) {
      return;
    }
    if (world_.Happens(world_.faults.refusal)) {
      return Post(session::TrainingFailed{session, "TRAINER_FAILED", "out of memory"});
    }
    std::vector<float> values(config.values);
    for (float& value : values) {
      value = static_cast<float>(2.4 * world_.chance().Unit() - 1.2);
    }
    const auto weight = static_cast<std::uint32_t>(
        1 + world_.chance().Below(std::uint64_t{1} << config.weight_bits));
    std::vector<std::uint32_t> metrics(config.extra_lanes - 1, 7);
    auto update = secagg::EncodeUpdate(config, values, weight, metrics, rng_);
    if (!update.ok()) {
      return world_.Violation(TextOf(update.status()));
    }
    encoded_ = std::move(update->vector);
    const bool lie = lies_ > 0 && world_.chance().Unit() < lies_;
    if (lie) {
      // More than all weights of a cohort come to.
      encoded_->extras()[0] = (config.max_cohort << config.weight_bits) + 1;
    }
    oracle_.Encoded(name_, session, *encoded_, lie);
    Post(session::Trained{session});
  });
}

void Device::Carry(const session::Charge& effect) {
  if (world_.Happens(world_.faults.refusal)) {
    return AfterHere(Milliseconds{1}, [this, session = effect.session] {
      Post(session::ChargeRefused{session, "BUDGET_EXHAUSTED", "nothing left"});
    });
  }
  if (world_.sabotage != Sabotage::kSendBeforeCharge) {
    ++charges_;
    oracle_.Charged(name_, effect.session);
    session_->SetBudget({static_cast<double>(charges_), 1e9, 1e-5, {}});
  }
  AfterHere(world_.Between(1, 10),
            [this, session = effect.session] { Post(session::Charged{session}); });
}

void Device::Carry(const session::Upload& effect) {
  Pending pending;
  pending.session = effect.session;
  auto upload = session_->PrepareUpload(*encoded_);
  if (!upload.ok()) {
    return world_.Violation(Join("an upload cannot be prepared: ", TextOf(upload.status())));
  }
  pending.header = upload->header;
  pending.vector = *upload->vector;
  const std::uint64_t key = ++next_key_;
  pending_.emplace(key, std::move(pending));
  Deliver(key);
}

void Device::Carry(const session::RecordAnswer& effect) {
  const bool forgets =
      world_.sabotage == Sabotage::kForgetJournal || world_.sabotage == Sabotage::kReuseAttempts;
  if (world_.sabotage == Sabotage::kForgetJournal) {
    return;
  }
  oracle_.Recorded(name_, effect.session, effect.round, effect.attempt, effect.survivor_set);
  if (!forgets) {
    std::erase_if(journal_,
                  [&](const session::LastAnswered& last) { return last.job == effect.job; });
    journal_.push_back({effect.job, effect.round, effect.attempt});
  }
}

void Device::Carry(const session::Send& effect) {
  const std::uint64_t key = ++next_key_;
  Pending pending;
  pending.session = SessionOf(effect.request);
  pending.request = effect.request;
  pending_.emplace(key, std::move(pending));
  Deliver(key);
}

void Device::Carry(const session::Evaluate& effect) {
  AfterHere(world_.Between(50, 500), [this, offer = effect.offer] {
    Carry(session::Send{protocol::EvaluationReport{offer.job, offer.round, 100, 0.5, 0.75}});
  });
}

void Device::Carry(const session::Finished& effect) {
  world_.Trace(Join("  ", name_, " finished: ", effect.reason));
  encoded_.reset();
  std::erase_if(pending_, [&](const auto& entry) {
    const Pending& pending = entry.second;
    return pending.session == effect.session &&
           !(pending.request && std::holds_alternative<protocol::DeclineRequest>(*pending.request));
  });
}

void Device::Carry(const session::Note& effect) {
  world_.Trace(Join("  ", name_, ": ", effect.text));
}

}  // namespace tutti::sim
