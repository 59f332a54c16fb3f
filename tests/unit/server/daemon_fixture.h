// A whole server in one process, over real mutual TLS on loopback, with a clock a test can move.
#pragma once

#include <atomic>
#include <memory>

#include "common/config/load.h"
#include "common/platform/clock.h"
#include "server/daemon.h"
#include "server/rpc/servers.h"
#include "tests/catch.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::server {

// Real time, moved by what the test says: for expiry.
class MovedClock final : public Clock {
 public:
  Instant Now() const override { return real_.Now(); }
  WallSeconds Wall() const override { return real_.Wall() + moved; }
  std::atomic<WallSeconds> moved{0};

 private:
  platform::RealClock real_;
};

struct Fixture {
  Fixture() {
    rpc::PrepareEnvironment();
    InitSettings init;
    init.state_directory = folder / "state";
    REQUIRE(InitStateDirectory(init, clock).ok());
    config::SetDefaults(config);
    config.set_state_directory(folder / "state");
    config.set_address("127.0.0.1:0");
    config.set_enrolment_address("127.0.0.1:0");
    config.set_metrics_address("off");
    Start();
  }
  void Start() {
    auto started = Daemon::Start(config, clock);
    INFO(TextOf(started.status()));
    REQUIRE(started.ok());
    daemon = *std::move(started);
  }

  test::TemporaryDirectory folder;
  MovedClock clock;
  v1::ServerConfig config;
  std::unique_ptr<Daemon> daemon;
};

}  // namespace tutti::server
