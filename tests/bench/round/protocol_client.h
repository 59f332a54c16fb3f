// A client without data: the real line, the real session core and the real secure aggregation; its
// update is made up. Many of them share one process and a pool of threads, to load a real
// coordinator. Thread safety: notices may arrive on any thread; work runs on the pool, one job of a
// client at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "client/rpc/grpc_link.h"
#include "client/session/session.h"
#include "common/base/clock.h"
#include "common/crypto/random.h"
#include "tests/bench/round/server_process.h"

namespace tutti::bench {

// A fixed number of threads that run what is posted.
class Pool {
 public:
  explicit Pool(std::size_t threads);
  ~Pool();
  void Post(std::function<void()> work);

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

// What all clients of a load report: every vector that was uploaded, summed in the ring, and every
// round's end.
class Ledger {
 public:
  void Uploading(const Digest& session, const secagg::RingVector& vector);
  void Ended(const Digest& session, const Digest& sum_hash, protocol::Outcome outcome);

  struct Round {
    Digest session{};
    std::optional<secagg::RingVector> sum;
    std::size_t uploads = 0;
    std::size_t published = 0;
    std::size_t failed = 0;
    Digest sum_hash{};
  };
  // Blocks until `clients` clients were told the end of `rounds` rounds, or `seconds` passed
  // (false).
  bool Wait(std::size_t rounds, std::size_t clients, double seconds);
  std::vector<Round> rounds();
  std::uint64_t failures();

 private:
  Round& Of(const Digest& session);  // mutex_ held

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Round> rounds_;   // guarded by mutex_
  std::uint64_t failures_ = 0;  // guarded by mutex_
};

class ProtocolClient {
 public:
  // All borrowed.
  ProtocolClient(const Enrolment& enrolment, const std::string& address, Pool& pool,
                 Ledger& ledger);
  ~ProtocolClient();

  void Start();
  void Stop();
  client_rpc::LinkCounts counts() const { return link_.counts(); }

 private:
  void Post(session::Event event);
  void Drain();
  void Carry(const session::Effect& effect);
  void Train(const session::Train& train);
  void Upload(const session::Upload& upload);

  Pool& pool_;
  Ledger& ledger_;
  crypto::SystemRng rng_;
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<crypto::CachingVerifier> verifier_;
  std::unique_ptr<session::Session> session_;  // used by the one running Drain only
  client_rpc::GrpcLink link_;
  std::stop_source stop_;
  std::vector<float> update_;  // made once: training is not what is measured; used by Drain only
  std::optional<secagg::RingVector> encoded_;  // used by Drain only
  std::uint64_t seed_;

  std::mutex mutex_;
  std::deque<session::Event> events_;  // guarded by mutex_
  bool draining_ = false;              // guarded by mutex_
};

}  // namespace tutti::bench
