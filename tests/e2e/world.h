// A coordinator and its clients as real processes on the loopback, over mutual TLS, in a folder of
// their own. Every test makes its own world; what it started ends with it. When a test fails, the
// ends of the logs are printed.
// Thread safety: confined to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/process.h"
#include "tutti/v1/admin.grpc.pb.h"

namespace tutti::e2e {

using Json = nlohmann::json;

// Folder of a program: the product's, or its twin that reads TUTTI_FAILPOINT.
enum class Build { kProduct, kFailpoints };
std::string Program(const std::string& name, Build build = Build::kProduct);

// Three normally distributed classes in four columns f0 .. f3 and a column "label"; equal arguments
// give the equal table.
struct Table {
  std::vector<std::array<double, 4>> features;
  std::vector<int> labels;
  std::string Csv() const;
};
Table MakeTable(std::size_t rows, std::uint64_t seed);
inline constexpr std::size_t kTrainingRows = 480;
inline constexpr std::size_t kTestRows = 120;

// What stands in policy.toml unless a test says otherwise.
inline constexpr const char* kUsualPolicy =
    "max_epsilon_total = 50.0\n"
    "min_cohort = 3\n"
    "allow_without_privacy = true\n";

struct ClientOptions {
  std::string role = "trainer";
  std::string policy = kUsualPolicy;
  std::string data_file = {};  // empty: the world's table
  std::uint32_t slice = 0, slices = 1;
  std::string extra = {};    // lines at the top of client.toml
  std::string trainer = {};  // lines of its [trainer]
  std::string data = {};     // lines of its [data]
};

class World {
 public:
  explicit World(Build build = Build::kProduct, const std::string& server_settings = "",
                 double reconnect_grace_seconds = 0.3);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // ---- the coordinator
  void StartServer(const Environment& environment = {});  // and waits until it answers
  void LaunchServer(const Environment& environment = {});
  bool ServerAnswers();
  Process& server() { return *server_; }
  std::string ServerLog() const { return ReadText(LogOf("server")); }
  v1::Admin::Stub& admin() { return *admin_; }

  // ---- operator
  Ran Tutti(const std::vector<std::string>& words);
  Json TuttiJson(const std::vector<std::string>& words);  // must succeed
  std::string Token(const std::string& name, const std::string& role = "trainer");

  // ---- clients
  Ran Join(const std::string& name, const std::string& token, const Environment& environment = {});
  void Configure(const std::string& name, const ClientOptions& options = {});
  // Token, join, configuration.
  void Enrol(const std::string& name, const ClientOptions& options = {});
  Process& StartClient(const std::string& name, const Environment& environment = {});
  // client-0 .. of one table, every one its part.
  void StartTrainers(std::uint32_t count, ClientOptions options = {});
  // client-0 .. with tables of their own, of so many rows: MakeTable with `seed`, `seed` + 1, ...
  // `environment`: of the last one.
  std::vector<Table> StartTrainersWithTables(const std::vector<std::size_t>& rows,
                                             std::uint64_t seed,
                                             const Environment& environment = {});
  Process& client(const std::string& name) { return *clients_.at(name); }
  std::string ClientLog(const std::string& name) const { return ReadText(LogOf(name)); }
  bool Attached(const std::string& name);
  void AwaitAttached(const std::string& name);  // at its newest process
  v1::ClientInfo ClientInfo(const std::string& name);
  Json ClientStatus(const std::string& name);  // `tutti-client status --json`
  bool LedgerVerifies(const std::string& name);
  std::string ClientState(const std::string& name) const { return folder_ / name; }
  std::string ClientConfig(const std::string& name) const { return folder_ / (name + ".toml"); }

  // ---- jobs
  // The usual job with some keys set otherwise: {"rounds=3", "privacy.unit=\"none\""}.
  void Submit(const std::string& job, const std::vector<std::string>& sets = {});
  std::vector<std::string> RunCommand(const std::string& job, const std::vector<std::string>& sets);
  v1::JobReply Job(const std::string& job);
  void AwaitDone(const std::string& job);
  void AwaitRounds(const std::string& job, std::uint64_t rounds);
  bool AwaitRefusal(const std::string& job, const std::string& client, const std::string& text);

  const TemporaryFolder& folder() const { return folder_; }
  const std::string& address() const { return address_; }
  const std::string& enrolment_address() const { return enrolment_address_; }
  std::string StateFolder() const { return folder_ / "server"; }
  std::string ServerConfig() const { return folder_ / "server.toml"; }
  std::string LogOf(const std::string& name) const { return folder_ / (name + ".log"); }
  std::string ServerProgram() const { return Program("tutti-server", build_); }
  std::string ClientProgram() const { return Program("tutti-client", build_); }

 private:
  Build build_;
  TemporaryFolder folder_;
  std::string address_, enrolment_address_;
  std::unique_ptr<v1::Admin::Stub> admin_;
  std::unique_ptr<Process> server_;
  std::map<std::string, std::unique_ptr<Process>> clients_;
};

// Rounds 1 .. n, each once, none missing.
bool NumberedWithoutGap(const v1::JobReply& reply, std::uint64_t rounds);

}  // namespace tutti::e2e
