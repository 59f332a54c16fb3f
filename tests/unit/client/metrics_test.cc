#include "client/metrics.h"

#include "tests/catch.h"

namespace tutti::client {

TEST_CASE("metrics are in Prometheus' text format under our names", "[client]") {
  Counters counters;
  counters.rounds_published = 3;
  counters.rounds_dropped = 1;
  counters.epsilon_spent = 1.5;
  counters.epsilon_models = 1.25;
  counters.refusals.Add("BUDGET_EXHAUSTED");
  counters.refusals.Add("BUDGET_EXHAUSTED");
  counters.refusals.Add("something new");
  counters.epsilon_budget = 8;
  const std::string text = MetricsText(
      counters, {.attached = true, .attaches = 2, .bytes_sent = 10, .bytes_received = 20});
  for (const char* line :
       {"tutti_client_rounds_total{outcome=\"published\"} 3\n",
        "tutti_client_rounds_total{outcome=\"dropped\"} 1\n", "tutti_client_epsilon_spent 1.5\n",
        "tutti_client_epsilon_budget 8\n", "tutti_client_epsilon_models 1.25\n",
        "tutti_client_refusals_total{code=\"BUDGET_EXHAUSTED\"} 2\n",
        "tutti_client_refusals_total{code=\"OTHER\"} 1\n",
        "tutti_client_refusals_total{code=\"POLICY\"} 0\n", "tutti_client_attached 1\n",
        "tutti_client_attaches_total 2\n", "tutti_client_sent_bytes_total 10\n",
        "tutti_client_received_bytes_total 20\n", "# TYPE tutti_client_rounds_total counter\n"}) {
    INFO(line);
    REQUIRE(text.find(line) != std::string::npos);
  }
}

}  // namespace tutti::client
