#include "client/metrics.h"

#include "client/http/page_server.h"
#include "tests/catch.h"

namespace tutti::client {

TEST_CASE("metrics are in Prometheus' text format under our names", "[client]") {
  Counters counters;
  counters.rounds_published = 3;
  counters.rounds_dropped = 1;
  counters.epsilon_spent = 1.5;
  counters.epsilon_budget = 8;
  const std::string text = MetricsText(
      counters, {.attached = true, .attaches = 2, .bytes_sent = 10, .bytes_received = 20});
  for (const char* line :
       {"tutti_client_rounds_total{outcome=\"published\"} 3\n",
        "tutti_client_rounds_total{outcome=\"dropped\"} 1\n", "tutti_client_epsilon_spent 1.5\n",
        "tutti_client_epsilon_budget 8\n", "tutti_client_attached 1\n",
        "tutti_client_attaches_total 2\n", "tutti_client_sent_bytes_total 10\n",
        "tutti_client_received_bytes_total 20\n", "# TYPE tutti_client_rounds_total counter\n"}) {
    INFO(line);
    REQUIRE(text.find(line) != std::string::npos);
  }
}

TEST_CASE("an address in use is an error that names it", "[client]") {
  const auto first =
      client_http::PageServer::Start("127.0.0.1", 0, [] { return std::string("x"); });
  REQUIRE(first.ok());
  REQUIRE(first->port() != 0);
  const auto other =
      client_http::PageServer::Start("203.0.113.1", 9, [] { return std::string("x"); });
  REQUIRE_FALSE(other.ok());
  REQUIRE(TextOf(other.status()).find("203.0.113.1:9") != std::string::npos);
}

}  // namespace tutti::client
