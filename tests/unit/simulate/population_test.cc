#include "server/simulate/population.h"

#include <algorithm>
#include <cmath>

#include "server/simulate/chance.h"
#include "tests/catch.h"
#include "tests/unit/simulate/support.h"

namespace tutti::simulate {

TEST_CASE("names of clients are in the order of their numbers and lead back to them",
          "[simulate]") {
  REQUIRE(NameOf(17).value() == "client-000017");
  REQUIRE(NameOf(9) < NameOf(10));
  REQUIRE(NameOf(99999) < NameOf(100000));
  for (const std::size_t client : {0U, 7U, 123456U, 999999U}) {
    REQUIRE(NumberOf(NameOf(client)) == client);
  }
}

TEST_CASE("every example belongs to the client that owns it", "[simulate]") {
  const v1::SimulationConfig world = SmallWorld({"clients=3"});
  const std::vector<std::uint32_t> owners{2, 0, 2, 2, 0};
  const auto population = Population::Create(world, 3, owners);
  REQUIRE(population.ok());
  const auto rows = [&](std::size_t client) {
    const auto view = population->rows(client);
    return std::vector<std::uint32_t>(view.begin(), view.end());
  };
  REQUIRE(rows(0) == std::vector<std::uint32_t>{1, 4});
  REQUIRE(rows(1).empty());
  REQUIRE(rows(2) == std::vector<std::uint32_t>{0, 2, 3});
  REQUIRE(population->with_examples() == 2);
}

TEST_CASE("fewer examples than clients are refused", "[simulate]") {
  const auto population = Population::Create(SmallWorld(), 20, std::vector<std::uint32_t>(19, 0));
  REQUIRE(population.status().code() == StatusCode::kFailedPrecondition);
  REQUIRE(TextOf(population.status()).find("19 examples for 20 clients") != std::string::npos);
}

TEST_CASE("devices are spread around the medians of the profile", "[simulate]") {
  const v1::SimulationConfig world =
      SmallWorld({"clients=2001", "devices.examples_per_second=300", "devices.speed_spread=0.5",
                  "network.latency_seconds=0.1", "network.latency_spread=0"});
  const Population population = Dealt(world, 2001);
  std::vector<double> logs;
  for (std::size_t client = 0; client < population.size(); ++client) {
    logs.push_back(std::log(population.device(client).examples_per_second));
    REQUIRE(population.device(client).latency_seconds == Approx(0.1));
  }
  std::sort(logs.begin(), logs.end());
  // Median and quartiles of a normal distribution; six standard errors of 2001 draws.
  REQUIRE(logs[1000] == Approx(std::log(300)).margin(0.1));
  REQUIRE(logs[1500] - logs[500] == Approx(2 * 0.6745 * 0.5).margin(0.15));
}

TEST_CASE("as many clients are malicious as the profile says, drawn by the seed", "[simulate]") {
  const auto who = [](const std::string& seed) {
    const v1::SimulationConfig world = SmallWorld({"malicious.share=0.25", "seed=" + seed});
    const Population population = Dealt(world, 20);
    std::vector<std::size_t> clients;
    for (std::size_t client = 0; client < population.size(); ++client) {
      if (population.device(client).malicious) clients.push_back(client);
    }
    return clients;
  };
  REQUIRE(who("1").size() == 5);
  REQUIRE(who("1") == who("1"));
  REQUIRE(who("1") != who("2"));
}

TEST_CASE("streams of other purposes, places and seeds are independent", "[simulate]") {
  const auto first = [](std::uint64_t seed, std::string_view purpose, std::uint64_t a) {
    auto rng = StreamOf(seed, purpose, a);
    return Unit(rng);
  };
  REQUIRE(first(1, "x", 0) == first(1, "x", 0));
  REQUIRE(first(1, "x", 0) != first(1, "x", 1));
  REQUIRE(first(1, "x", 0) != first(1, "y", 0));
  REQUIRE(first(1, "x", 0) != first(2, "x", 0));
}

}  // namespace tutti::simulate
