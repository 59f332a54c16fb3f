// Fair training with real processes: the coordinator opens sums of the groups' outcomes, and what
// it sends with the next model follows from them.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "tests/catch.h"
#include "tests/e2e/weights.h"
#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

constexpr std::uint32_t kClients = 3;

// Rows of class 2 are mostly in the south, the others mostly in the north.
std::string WithRegion(const Table& table) {
  std::istringstream lines(table.Csv());
  std::string text, line;
  for (std::size_t row = 0; std::getline(lines, line); ++row) {
    const bool south = row > 0 && (table.labels[row - 1] == 2 ? row % 4 != 0 : row % 4 == 0);
    text += line + "," + (row == 0 ? "region" : south ? "south" : "north") + "\n";
  }
  return text;
}

void StartClients(World& world) {
  for (std::uint32_t i = 0; i < kClients; ++i) {
    const std::string name = "client-" + std::to_string(i);
    WriteText(world.folder() / (name + ".csv"), WithRegion(MakeTable(120, 500 + i)));
    ClientOptions options{.data_file = name + ".csv"};
    options.data = "sensitive = [\"region\"]\n";
    world.Enrol(name, options);
    world.StartClient(name);
    world.AwaitAttached(name);
  }
}

std::vector<std::string> Fair(const std::vector<std::string>& more) {
  std::vector<std::string> sets{"rounds=3",
                                "cohort.size=3",
                                "cohort.min_clients=3",
                                "fairness.attribute=region",
                                "fairness.groups=[\"south\", \"north\"]",
                                "fairness.criterion=demographic_parity",
                                "fairness.positive_class=2"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

std::vector<double> Numbers(const Json& metadata, const char* key) {
  std::istringstream text(metadata.at(key).get<std::string>());
  std::vector<double> numbers;
  for (double number = 0; text >> number;) numbers.push_back(number);
  return numbers;
}

Json MetadataOf(World& world, const std::string& job) {
  const std::string file = world.folder() / (job + ".safetensors");
  REQUIRE(world.Tutti({"model", "export", job, "-o", file}).exit_code == 0);
  return ReadWithPython(file).at("metadata");
}

}  // namespace

TEST_CASE("a penalty's tilts follow from the sum of all clients' outcomes", "[e2e]") {
  World world;
  world.StartServer();
  StartClients(world);
  world.Submit("fair", Fair({"privacy.unit=none", "privacy.noise_multiplier=0.0",
                             "fairness.rule=penalty", "fairness.strength=2.0"}));
  world.AwaitDone("fair");
  REQUIRE(NumberedWithoutGap(world.Job("fair"), 3));
  const Json metadata = MetadataOf(world, "fair");
  const std::vector<double> counts = Numbers(metadata, "counts");
  REQUIRE(counts.size() == 8);
  double all = 0, size[2] = {0, 0}, rate[2] = {0, 0};
  for (std::size_t i = 0; i < 8; ++i) {
    all += counts[i];
    size[i / 4] += counts[i];
    rate[i / 4] += i % 2 == 1 ? counts[i] : 0;
  }
  REQUIRE(all == 120 * kClients);
  const double gap = rate[0] / size[0] - rate[1] / size[1];
  REQUIRE(gap > 0.2);  // the south is said to be of class 2 more often
  const std::vector<double> tilts = Numbers(metadata, "tilts");
  REQUIRE(tilts.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const double wanted = (i < 2 ? 1 : -1) * 2 * gap * all / size[i / 2];
    REQUIRE(tilts[i] == Approx(wanted).epsilon(1e-9));
  }
}

TEST_CASE("with privacy the counts are noisy and debited beside the update", "[e2e]") {
  World world;
  world.StartServer();
  StartClients(world);
  world.Submit("plain", {"rounds=2", "cohort.size=3", "cohort.min_clients=3",
                         "privacy.unit=example", "privacy.noise_multiplier=2.0"});
  world.AwaitDone("plain");
  const double without = world.ClientInfo("client-0").epsilon_spent();
  world.Submit("fair", Fair({"rounds=2", "privacy.unit=example", "privacy.noise_multiplier=2.0",
                             "privacy.counts_noise_multiplier=3.0", "fairness.rule=constraint",
                             "fairness.strength=0.5"}));
  world.AwaitDone("fair");
  const Json metadata = MetadataOf(world, "fair");
  REQUIRE(Numbers(metadata, "counts_noise")[0] == Approx(3 * std::sqrt(3.0)));
  REQUIRE(Numbers(metadata, "tilts").size() == 4);
  REQUIRE(Numbers(metadata, "dual").size() == 2 + 9);  // and the outcomes averaged so far
  // Four plain rounds would be about 1.36 times two.
  REQUIRE(world.ClientInfo("client-0").epsilon_spent() > 1.55 * without);
  REQUIRE(world.LedgerVerifies("client-0"));
}

}  // namespace tutti::e2e
