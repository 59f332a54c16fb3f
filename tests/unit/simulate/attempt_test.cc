#include "server/simulate/attempt.h"

#include "tests/catch.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {
namespace {

constexpr Milliseconds kGrace{5000};
constexpr Milliseconds kLinger{20};

// Answers everything after so many milliseconds.
Invited Client(std::size_t client, std::int64_t milliseconds) {
  Fate fate;
  fate.answers.fill(Milliseconds{milliseconds});
  return {client, fate};
}

Invited Vanishing(std::size_t client, Exchange exchange, std::int64_t after) {
  Invited invited = Client(client, 1000);
  invited.fate.vanishes = exchange;
  invited.fate.vanishes_after = Milliseconds{after};
  return invited;
}

PlayedAttempt Play(const std::vector<std::string>& sets,
                   const std::vector<std::vector<Invited>>& groups) {
  const server::PreparedJob job = SmallJob(sets);
  return AttemptPlayer(job.settings, kGrace, kLinger).Play(groups);
}

std::vector<Invited> Clients(std::size_t count, std::int64_t milliseconds) {
  std::vector<Invited> clients;
  for (std::size_t i = 0; i < count; ++i) clients.push_back(Client(i, milliseconds));
  return clients;
}

}  // namespace

TEST_CASE("an attempt takes as long as its exchanges", "[simulate]") {
  const PlayedAttempt curious = Play({}, {Clients(8, 1000)});
  REQUIRE(curious.failed.empty());
  REQUIRE(curious.groups[0].survivors.size() == 8);
  REQUIRE(curious.duration == Milliseconds{4000});
  const PlayedAttempt malicious = Play({"secure_aggregation.level=malicious"}, {Clients(8, 1000)});
  REQUIRE(malicious.duration == Milliseconds{5000});
}

TEST_CASE("a cohort is complete without its slowest when more were invited", "[simulate]") {
  std::vector<Invited> clients = Clients(10, 1000);
  clients[3] = Client(3, 50'000);
  clients[7] = Client(7, 60'000);
  const PlayedAttempt played = Play({"cohort.over_selection=1.25"}, {clients});
  REQUIRE(played.duration == Milliseconds{4000});
  REQUIRE(played.groups[0].survivors == std::vector<std::size_t>{0, 1, 2, 4, 5, 6, 8, 9});
}

TEST_CASE("who vanishes is waited for no longer than the grace", "[simulate]") {
  std::vector<Invited> clients = Clients(8, 1000);
  clients[2] = Vanishing(2, Exchange::kCollecting, 300);
  const PlayedAttempt played = Play({}, {clients});
  REQUIRE(played.failed.empty());
  REQUIRE(played.duration == Milliseconds{3000 + 5300});
  REQUIRE(played.groups[0].charged.size() == 8);
  REQUIRE(played.groups[0].survivors.size() == 7);
}

TEST_CASE("whose answer comes at the deadline or later is not in the sum", "[simulate]") {
  std::vector<Invited> clients = Clients(8, 1000);
  clients[5].fate.answers[2] = Milliseconds{4000};
  const PlayedAttempt in_time = Play({"deadlines.upload_seconds=4.001"}, {clients});
  REQUIRE(in_time.groups[0].survivors.size() == 8);
  const PlayedAttempt late = Play({"deadlines.upload_seconds=4"}, {clients});
  REQUIRE(late.groups[0].survivors.size() == 7);
  REQUIRE(late.duration == Milliseconds{1000 + 1000 + 4000 + 1000});
}

TEST_CASE("an attempt fails when too few are left to open the sum", "[simulate]") {
  std::vector<Invited> clients = Clients(8, 1000);
  for (std::size_t i = 0; i < 6; ++i) clients[i] = Vanishing(i, Exchange::kCollecting, 0);
  const PlayedAttempt played = Play({}, {clients});
  REQUIRE(played.failed.find("only 2 masked vectors arrived") != std::string::npos);
  REQUIRE(played.groups[0].lost == played.failed);
}

TEST_CASE("an attempt goes on without a group that is too small", "[simulate]") {
  std::vector<Invited> small;
  for (std::size_t i = 0; i < 4; ++i) small.push_back(Vanishing(i, Exchange::kTraining, 10));
  const PlayedAttempt played = Play({"robust.groups=2"}, {small, Clients(4, 1000)});
  REQUIRE(played.failed.empty());
  REQUIRE_FALSE(played.groups[0].lost.empty());
  REQUIRE(played.groups[1].survivors.size() == 4);
}

}  // namespace tutti::simulate
