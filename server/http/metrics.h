// What the coordinator counts, as Prometheus text. Every name starts with tutti_server_.
// Thread safety: safe; setters are cheap enough for RPC threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace tutti::http {

// Of the newest round, against the coordinator and against whoever sees only the models: the
// largest a client in its sum reported of its ledger, and what the job's sums came to (negative:
// only the clients know).
struct Epsilons {
  double reported_coordinator = 0;
  double reported_models = 0;
  double realised_coordinator = -1;
  double realised_models = -1;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Bytes of clients' messages, vectors and models, without framing and TLS.
  void AddBytesUp(std::uint64_t bytes) { bytes_up_.fetch_add(bytes, std::memory_order_relaxed); }
  void AddBytesDown(std::uint64_t bytes) {
    bytes_down_.fetch_add(bytes, std::memory_order_relaxed);
  }
  std::uint64_t bytes_up() const { return bytes_up_.load(std::memory_order_relaxed); }
  std::uint64_t bytes_down() const { return bytes_down_.load(std::memory_order_relaxed); }

  void RoundEnded(bool published, double seconds);
  // Of the newest attempt: invited clients that were not in its sum, as a fraction.
  void SetDropoutFraction(double fraction);
  void SetEpsilons(const Epsilons& epsilons);  // of the newest round
  void SetAttached(std::size_t trainers, std::size_t evaluators);
  void SetPhase(int phase);  // round::Phase: 0 idle .. 7 publishing
  void SetQueue(std::size_t events);
  void SetUploads(std::size_t in_memory, std::size_t in_files);
  void AddResumedUpload();
  void AddReplacedConnection();
  void AddRefusal(const std::string& code);  // code: a status code's name
  void AddLedgerDoubt();
  void AddRejectedSums(std::size_t sums);
  void SetSuspects(std::size_t suspects, std::size_t excluded);  // clients, for spoiled sums

  std::string Text();

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> bytes_up_{0};
  std::atomic<std::uint64_t> bytes_down_{0};
};

}  // namespace tutti::http
