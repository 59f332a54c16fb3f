#include "server/http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "common/platform/memory.h"

namespace tutti::http {
namespace {

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name,
                                              const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

const prometheus::Histogram::BucketBoundaries kRoundSeconds = {0.1, 0.3, 1,   3,    10,  30,
                                                               60,  180, 600, 1800, 3600};

}  // namespace

struct Metrics::State {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& rounds =
      Counters(registry, "tutti_server_rounds_total", "Attempts of rounds by outcome");
  prometheus::Counter& published = rounds.Add({{"outcome", "published"}});
  prometheus::Counter& failed = rounds.Add({{"outcome", "failed"}});
  prometheus::Histogram& seconds = prometheus::BuildHistogram()
                                       .Name("tutti_server_round_seconds")
                                       .Help("Seconds from the offer to the end of an attempt")
                                       .Register(registry)
                                       .Add({}, kRoundSeconds);
  prometheus::Family<prometheus::Gauge>& attached =
      Gauges(registry, "tutti_server_clients_attached", "Clients holding a notice stream, by role");
  prometheus::Gauge& trainers = attached.Add({{"role", "trainer"}});
  prometheus::Gauge& evaluators = attached.Add({{"role", "evaluator"}});
  prometheus::Gauge& phase =
      Gauges(registry, "tutti_server_phase",
             "0 idle, 1 selecting, 2 training, 3 sharing, 4 collecting, 5 committing, 6 unmasking, "
             "7 publishing")
          .Add({});
  prometheus::Gauge& queue =
      Gauges(registry, "tutti_server_event_queue_length", "Events waiting for the core").Add({});
  prometheus::Family<prometheus::Gauge>& uploads =
      Gauges(registry, "tutti_server_uploads", "Uploads being received, by where they are kept");
  prometheus::Gauge& in_memory = uploads.Add({{"kept", "memory"}});
  prometheus::Gauge& in_files = uploads.Add({{"kept", "file"}});
  prometheus::Family<prometheus::Counter>& refusals = Counters(
      registry, "tutti_server_refusals_total", "Calls of clients answered with an error, by code");
  prometheus::Counter& ledger_doubts =
      Counters(registry, "tutti_server_ledger_doubts_total",
               "Reports of privacy ledgers that went back or forked")
          .Add({});
  prometheus::Counter& resumed_uploads =
      Counters(registry, "tutti_server_resumed_uploads_total",
               "Uploads that broke off and went on where they were")
          .Add({});
  prometheus::Counter& replaced_connections =
      Counters(registry, "tutti_server_replaced_connections_total",
               "Connections ended by a newer one of the same client; many: two devices share a key")
          .Add({});
  prometheus::Counter& rejected_sums =
      Counters(registry, "tutti_server_rejected_sums_total",
               "Opened sums that failed their checks and are in no model")
          .Add({});
  prometheus::Family<prometheus::Gauge>& standings =
      Gauges(registry, "tutti_server_clients_suspected",
             "Clients with spoiled sums held against them, by what follows");
  prometheus::Gauge& suspects = standings.Add({{"standing", "suspect"}});
  prometheus::Gauge& excluded = standings.Add({{"standing", "excluded"}});
  prometheus::Family<prometheus::Gauge>& reported = Gauges(
      registry, "tutti_server_max_epsilon_reported",
      "Largest privacy loss any client in the newest round's sum reported, over all its jobs, "
      "by who sees what; 1e9: nothing is promised");
  prometheus::Gauge& reported_coordinator = reported.Add({{"against", "coordinator"}});
  prometheus::Gauge& reported_models = reported.Add({{"against", "models"}});
  prometheus::Family<prometheus::Gauge>& realised =
      Gauges(registry, "tutti_server_realised_epsilon",
             "Privacy loss of the newest round's job so far, from who was in its sums, by who sees "
             "what; negative: only the clients know");
  prometheus::Gauge& realised_coordinator = realised.Add({{"against", "coordinator"}});
  prometheus::Gauge& realised_models = realised.Add({{"against", "models"}});
  prometheus::Gauge& dropouts =
      Gauges(registry, "tutti_server_dropout_fraction",
             "Invited clients of the newest attempt that were not in its sum")
          .Add({});
  prometheus::Family<prometheus::Counter>& bytes =
      Counters(registry, "tutti_server_bytes_total", "Payload bytes by direction");
  prometheus::Counter& up = bytes.Add({{"direction", "up"}});
  prometheus::Counter& down = bytes.Add({{"direction", "down"}});
  prometheus::Gauge& resident =
      Gauges(registry, "tutti_server_resident_bytes", "Resident memory of the process").Add({});
  prometheus::Gauge& cpu =
      Gauges(registry, "tutti_server_cpu_seconds", "CPU time of the process").Add({});
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

void Metrics::RoundEnded(bool published, double seconds) {
  (published ? state_->published : state_->failed).Increment();
  state_->seconds.Observe(seconds);
}
void Metrics::SetDropoutFraction(double fraction) { state_->dropouts.Set(fraction); }
void Metrics::SetEpsilons(const Epsilons& epsilons) {
  state_->reported_coordinator.Set(epsilons.reported_coordinator);
  state_->reported_models.Set(epsilons.reported_models);
  state_->realised_coordinator.Set(epsilons.realised_coordinator);
  state_->realised_models.Set(epsilons.realised_models);
}
void Metrics::SetAttached(std::size_t trainers, std::size_t evaluators) {
  state_->trainers.Set(static_cast<double>(trainers));
  state_->evaluators.Set(static_cast<double>(evaluators));
}
void Metrics::SetPhase(int phase) { state_->phase.Set(phase); }
void Metrics::SetQueue(std::size_t events) { state_->queue.Set(static_cast<double>(events)); }
void Metrics::SetUploads(std::size_t in_memory, std::size_t in_files) {
  state_->in_memory.Set(static_cast<double>(in_memory));
  state_->in_files.Set(static_cast<double>(in_files));
}
void Metrics::AddRefusal(const std::string& code) {
  state_->refusals.Add({{"code", code}}).Increment();
}

void Metrics::AddResumedUpload() { state_->resumed_uploads.Increment(); }

void Metrics::AddReplacedConnection() { state_->replaced_connections.Increment(); }

void Metrics::AddLedgerDoubt() { state_->ledger_doubts.Increment(); }
void Metrics::AddRejectedSums(std::size_t sums) {
  state_->rejected_sums.Increment(static_cast<double>(sums));
}
void Metrics::SetSuspects(std::size_t suspects, std::size_t excluded) {
  state_->suspects.Set(static_cast<double>(suspects));
  state_->excluded.Set(static_cast<double>(excluded));
}

std::string Metrics::Text() {
  const auto bring_to = [](prometheus::Counter& counter, std::uint64_t value) {
    counter.Increment(static_cast<double>(value) - counter.Value());
  };
  bring_to(state_->up, bytes_up());
  bring_to(state_->down, bytes_down());
  state_->resident.Set(static_cast<double>(platform::ResidentBytes()));
  state_->cpu.Set(platform::CpuSeconds());
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace tutti::http
