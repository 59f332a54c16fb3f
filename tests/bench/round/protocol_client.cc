#include "tests/bench/round/protocol_client.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "common/base/rng.h"
#include "common/crypto/random.h"
#include "common/secagg/encoding.h"
#include "tests/ring_lanes.h"

namespace tutti::bench {
namespace {

class SystemClock final : public Clock {
 public:
  Instant Now() const override {
    return std::chrono::duration_cast<Instant>(std::chrono::steady_clock::now().time_since_epoch());
  }
  WallSeconds Wall() const override {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

secagg::ClientIdentity IdentityOf(const Enrolment& enrolment) {
  return {.signing_key = crypto::PrivateKeyFromPem(enrolment.key_pem).value(),
          .certificate = crypto::CertificateDer(enrolment.certificate_pem).value()};
}

client_rpc::LinkSettings LineOf(const Enrolment& enrolment, const std::string& address) {
  client_rpc::LinkSettings settings;
  settings.address = address;
  settings.ca_pem = enrolment.ca_pem;
  settings.certificate_pem = enrolment.certificate_pem;
  settings.key_pem = enrolment.key_pem;
  settings.role = "trainer";
  settings.software = "tutti-bench";
  return settings;
}

std::uint64_t SeedOf(const std::string& name) { return std::hash<std::string>{}(name); }

}  // namespace

Pool::Pool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
  }
}

Pool::~Pool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void Pool::Post(std::function<void()> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void Pool::Run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) {
        return;
      }
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

Ledger::Round& Ledger::Of(const Digest& session) {
  const auto found = std::find_if(rounds_.begin(), rounds_.end(),
                                  [&](const Round& round) { return round.session == session; });
  if (found != rounds_.end()) {
    return *found;
  }
  rounds_.emplace_back();
  rounds_.back().session = session;
  return rounds_.back();
}

void Ledger::Uploading(const Digest& session, const secagg::RingVector& vector) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Round& round = Of(session);
  if (!round.sum.has_value()) {
    round.sum.emplace(vector.layout());
  }
  secagg::AddTo(*round.sum, vector);
  ++round.uploads;
}

void Ledger::Ended(const Digest& session, const Digest& sum_hash, protocol::Outcome outcome) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Round& round = Of(session);
    if (outcome == protocol::Outcome::kPublished) {
      ++round.published;
      round.sum_hash = sum_hash;
    } else {
      ++round.failed;
      ++failures_;
    }
  }
  changed_.notify_all();
}

bool Ledger::Wait(std::size_t rounds, std::size_t clients, double seconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] {
    const auto ended = std::count_if(rounds_.begin(), rounds_.end(), [&](const Round& round) {
      return round.published >= clients;
    });
    return static_cast<std::size_t>(ended) >= rounds;
  });
}

std::vector<Ledger::Round> Ledger::rounds() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return rounds_;
}

std::uint64_t Ledger::failures() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return failures_;
}

ProtocolClient::ProtocolClient(const Enrolment& enrolment, const std::string& address, Pool& pool,
                               Ledger& ledger)
    : pool_(pool),
      ledger_(ledger),
      clock_(std::make_unique<SystemClock>()),
      verifier_(std::make_unique<crypto::CachingVerifier>(enrolment.ca_pem, *clock_)),
      session_(std::make_unique<session::Session>(IdentityOf(enrolment), *verifier_, rng_,
                                                  std::vector<session::LastAnswered>())),
      link_(LineOf(enrolment, address)),
      seed_(SeedOf(enrolment.name)) {}

ProtocolClient::~ProtocolClient() { Stop(); }

void ProtocolClient::Start() {
  link_.Start([this](protocol::Notice notice) { Post(session::NoticeArrived{std::move(notice)}); });
}

void ProtocolClient::Stop() {
  stop_.request_stop();
  link_.Stop();
}

void ProtocolClient::Post(session::Event event) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    events_.push_back(std::move(event));
    if (draining_) {
      return;
    }
    draining_ = true;
  }
  pool_.Post([this] { Drain(); });
}

void ProtocolClient::Drain() {
  for (;;) {
    session::Event event;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (events_.empty() || stop_.stop_requested()) {
        draining_ = false;
        return;
      }
      event = std::move(events_.front());
      events_.pop_front();
    }
    if (const auto* notice = std::get_if<session::NoticeArrived>(&event)) {
      if (const auto* closed = std::get_if<protocol::Closed>(&notice->notice)) {
        ledger_.Ended(closed->session, closed->sum_hash, closed->outcome);
      }
    }
    for (const session::Effect& effect : session_->Advance(event)) {
      Carry(effect);
    }
  }
}

void ProtocolClient::Carry(const session::Effect& effect) {
  if (const auto* decide = std::get_if<session::Decide>(&effect)) {
    Post(session::Allowed{decide->offer.session});
  } else if (const auto* train = std::get_if<session::Train>(&effect)) {
    Train(*train);
  } else if (const auto* charge = std::get_if<session::Charge>(&effect)) {
    Post(session::Charged{charge->session});
  } else if (const auto* upload = std::get_if<session::Upload>(&effect)) {
    Upload(*upload);
  } else if (const auto* send = std::get_if<session::Send>(&effect)) {
    if (const Status status = link_.Send(send->request, stop_.get_token()); !status.ok()) {
      Post(session::Rejected{session_->session().value_or(Digest{}), status});
    }
  } else if (const auto* note = std::get_if<session::Note>(&effect);
             note != nullptr && note->warning) {
    std::fprintf(stderr, "client: %s\n", note->text.c_str());
  }
}

void ProtocolClient::Train(const session::Train& train) {
  const StatusOr<Bytes> model =
      link_.FetchModel(train.config.model_hash, train.offer.model_bytes, stop_.get_token());
  if (!model.ok()) {
    Post(session::TrainingFailed{train.offer.session, "DATA", TextOf(model.status())});
    return;
  }
  if (update_.size() != train.config.values) {
    TestRng rng(seed_);
    update_.resize(train.config.values);
    for (float& value : update_) {
      value = static_cast<float>((rng.Unit() * 2 - 1) * train.config.value_clip);
    }
  }
  StatusOr<secagg::EncodedUpdate> encoded =
      secagg::EncodeUpdate(train.config, update_, 1, {}, rng_);
  if (!encoded.ok()) {
    Post(session::TrainingFailed{train.offer.session, "DATA", TextOf(encoded.status())});
    return;
  }
  encoded_ = std::move(encoded->vector);
  Post(session::Trained{train.offer.session});
}

void ProtocolClient::Upload(const session::Upload& upload) {
  ledger_.Uploading(upload.session, *encoded_);
  const auto prepared = session_->PrepareUpload(*std::move(encoded_));
  if (!prepared.ok()) {
    std::fprintf(stderr, "client: %s\n", TextOf(prepared.status()).c_str());
    return;
  }
  const Status status = link_.Upload(prepared->header, prepared->vector, stop_.get_token());
  if (status.ok()) {
    Post(session::Uploaded{upload.session});
  } else {
    Post(session::Rejected{upload.session, status});
  }
}

}  // namespace tutti::bench
