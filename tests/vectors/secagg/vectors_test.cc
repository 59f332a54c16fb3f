// The kept transcripts of the secure aggregation are what the sessions do today, bit for bit. A
// change here is a change of the protocol: other implementations are checked against these files.
//   TUTTI_REWRITE_VECTORS=1 tutti_secagg_vectors_test
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/catch.h"
#include "tests/vectors/secagg/tables.h"
#include "tests/vectors/secagg/transcript.h"

namespace tutti::vectors {
namespace {

const std::filesystem::path kFolder = TUTTI_TEST_DATA "/vectors/secagg";

bool Rewriting() { return std::getenv("TUTTI_REWRITE_VECTORS") != nullptr; }

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void RequireKept(const std::string& name, const Json& json) {
  const std::filesystem::path path = kFolder / (name + ".json");
  const std::string text = Print(json);
  if (Rewriting()) {
    std::ofstream(path, std::ios::binary) << text;
  }
  INFO(path.string());
  const bool same = ReadAll(path) == text;  // the texts are too long to be shown
  REQUIRE(same);
}

std::vector<Identity> Identities() {
  std::size_t clients = 0;
  for (const Scenario& scenario : AllScenarios()) {
    clients = std::max(clients, scenario.last.size());
  }
  const std::filesystem::path path = kFolder / "certificates.txt";
  if (Rewriting() && !std::filesystem::exists(path)) {
    std::ofstream(path) << WriteIdentities(MakeIdentities(clients));
  }
  StatusOr<std::vector<Identity>> identities = ReadIdentities(ReadAll(path));
  REQUIRE(TextOf(identities.status()) == "");
  REQUIRE(identities->size() == clients + 1);
  return *std::move(identities);
}

}  // namespace

TEST_CASE("every kept round happens again bit for bit", "[vectors]") {
  const std::vector<Identity> identities = Identities();
  for (const Scenario& scenario : AllScenarios()) {
    RequireKept(scenario.name, TranscriptOf(scenario, identities));
  }
}

TEST_CASE("graphs and chunk digests are the kept ones", "[vectors]") {
  RequireKept("graph", GraphTable());
  RequireKept("chunks", ChunkTable());
}

}  // namespace tutti::vectors
