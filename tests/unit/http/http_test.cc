#include <httplib.h>

#include <atomic>

#include "common/http/page_server.h"
#include "server/http/metrics.h"
#include "tests/catch.h"

namespace tutti::http {

TEST_CASE("metrics show what was counted", "[http]") {
  Metrics metrics;
  metrics.RoundEnded(true, 2.0);
  metrics.RoundEnded(false, 1.0);
  metrics.RoundEnded(true, 3.0);
  metrics.AddBytesUp(1000);
  metrics.AddRefusal("PERMISSION_DENIED");
  metrics.SetAttached(8, 1);
  std::string text = metrics.Text();
  REQUIRE(text.find("tutti_server_rounds_total{outcome=\"published\"} 2") != std::string::npos);
  REQUIRE(text.find("tutti_server_rounds_total{outcome=\"failed\"} 1") != std::string::npos);
  REQUIRE(text.find("tutti_server_bytes_total{direction=\"up\"} 1000") != std::string::npos);
  REQUIRE(text.find("tutti_server_refusals_total{code=\"PERMISSION_DENIED\"} 1") !=
          std::string::npos);
  REQUIRE(text.find("tutti_server_clients_attached{role=\"trainer\"} 8") != std::string::npos);
  metrics.AddBytesUp(500);
  text = metrics.Text();
  REQUIRE(text.find("tutti_server_bytes_total{direction=\"up\"} 1500") != std::string::npos);
}

TEST_CASE("metrics and health are served, and a taken port is an error", "[http]") {
  Metrics metrics;
  std::atomic<bool> healthy{true};
  auto server = PageServer::Start(
      "127.0.0.1:0", [&] { return metrics.Text(); }, [&] { return healthy.load(); });
  REQUIRE(server.ok());
  httplib::Client client("127.0.0.1", (*server)->port());
  REQUIRE(client.Get("/metrics")->body.find("tutti_server_phase") != std::string::npos);
  REQUIRE(client.Get("/healthz")->status == 200);
  healthy = false;
  REQUIRE(client.Get("/healthz")->status == 503);
  REQUIRE(client.Get("/other")->status == 404);
  const std::string same = "127.0.0.1:" + std::to_string((*server)->port());
  REQUIRE(PageServer::Start(
              same, [&] { return metrics.Text(); }, [] { return true; })
              .status()
              .code() == StatusCode::kUnavailable);
}

}  // namespace tutti::http
