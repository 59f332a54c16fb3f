#include "client/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>
#include <vector>

namespace tutti::client {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric Value(double value, bool counter) {
  ClientMetric metric;
  (counter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

MetricFamily Family(std::string name, std::string help, MetricType type) {
  MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

MetricFamily Counter(std::string name, std::string help, std::uint64_t value) {
  MetricFamily family = Family(std::move(name), std::move(help), MetricType::Counter);
  family.metric.push_back(Value(static_cast<double>(value), true));
  return family;
}

MetricFamily Gauge(std::string name, std::string help, double value) {
  MetricFamily family = Family(std::move(name), std::move(help), MetricType::Gauge);
  family.metric.push_back(Value(value, false));
  return family;
}

MetricFamily Rounds(const Counters& counters) {
  MetricFamily family =
      Family("tutti_client_rounds_total", "Rounds that ended for this client, by outcome",
             MetricType::Counter);
  for (const auto& [outcome, count] :
       {std::pair<const char*, std::uint64_t>{"published", counters.rounds_published},
        {"failed", counters.rounds_failed},
        {"dropped", counters.rounds_dropped}}) {
    ClientMetric metric = Value(static_cast<double>(count), true);
    metric.label.push_back({"outcome", outcome});
    family.metric.push_back(std::move(metric));
  }
  return family;
}

MetricFamily Refusals(const Counters& counters) {
  MetricFamily family =
      Family("tutti_client_refusals_total",
             "Offers this client refused: by its owner's policy, its budget, for want of data",
             MetricType::Counter);
  for (const std::string_view code : RefusalCounts::kCodes) {
    ClientMetric metric = Value(static_cast<double>(counters.refusals.Of(code)), true);
    metric.label.push_back({"code", std::string(code)});
    family.metric.push_back(std::move(metric));
  }
  return family;
}

}  // namespace

std::string MetricsText(const Counters& counters, const client_rpc::LinkCounts& link) {
  const std::vector<MetricFamily> families = {
      Rounds(counters),
      Refusals(counters),
      Counter("tutti_client_late_updates_total",
              "Updates of an earlier round made ready for a later one (training.max_staleness)",
              counters.late_updates),
      Counter("tutti_client_evaluations_total", "Models measured for the coordinator",
              counters.evaluations),
      Counter("tutti_client_trainer_starts_total", "Trainer processes started",
              counters.trainer_starts),
      Counter("tutti_client_trainer_failures_total",
              "Trainer processes that crashed, hung or were killed", counters.trainer_failures),
      Gauge("tutti_client_epsilon_spent",
            "Privacy loss recorded in the ledger for the data in use, against the coordinator",
            counters.epsilon_spent),
      Gauge("tutti_client_epsilon_models",
            "The same against whoever sees only the models; 1e9: nothing is promised",
            counters.epsilon_models),
      Gauge("tutti_client_epsilon_budget", "The owner's limit of it (max_epsilon_total)",
            counters.epsilon_budget),
      Gauge("tutti_client_attached", "1 while the coordinator holds this client's notice stream",
            link.attached ? 1 : 0),
      Counter("tutti_client_attaches_total", "Notice streams opened", link.attaches),
      Counter("tutti_client_sent_bytes_total", "Payload bytes sent to the coordinator",
              link.bytes_sent),
      Counter("tutti_client_received_bytes_total", "Payload bytes received from the coordinator",
              link.bytes_received)};
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tutti::client
