// The whole server in one process, over real mutual TLS on loopback, and what its tests ask of it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/platform/clock.h"
#include "tests/unit/server/test_client.h"
#include "tests/unit/store/temporary_directory.h"

namespace tutti::server {

// Real time, moved by what the test says.
class MovedClock final : public Clock {
 public:
  Instant Now() const override { return real_.Now() + Milliseconds(1000 * waited.load()); }
  WallSeconds Wall() const override { return real_.Wall() + moved; }
  std::atomic<WallSeconds> moved{0};    // of the wall clock
  std::atomic<std::int64_t> waited{0};  // seconds, of the steady clock

 private:
  platform::RealClock real_;
};

struct Fixture {
  Fixture();
  void Start();

  test::TemporaryDirectory folder;
  MovedClock clock;
  v1::ServerConfig config;
  std::unique_ptr<Daemon> daemon;
};

// A logistic model of 62 values, three clients a round.
v1::JobConfig SmallJob(std::uint32_t rounds);
grpc::Status Submit(const Daemon& daemon, const v1::JobConfig& job);
v1::JobReply GetJob(const Daemon& daemon);
std::string Export(const Daemon& daemon, std::uint64_t round);

std::vector<std::unique_ptr<test::TestClient>> NewClients(const Daemon& daemon,
                                                          const std::vector<std::string>& names);
// One round of all: client i's values are 0.1 (i + 1); `first` is how the first one uploads.
std::vector<v1::RoundClosed> PlayAll(std::vector<std::unique_ptr<test::TestClient>>& clients,
                                     test::Manner first = test::Manner::kPlain);
// The same; requires that the round is published with all of them.
void PlayTogether(std::vector<std::unique_ptr<test::TestClient>>& clients,
                  test::Manner first = test::Manner::kPlain);

}  // namespace tutti::server
