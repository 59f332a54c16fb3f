#include "tests/e2e/world.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace tutti::e2e {
namespace {

constexpr std::size_t kShownLogBytes = 3000;

void ShowEnd(const std::string& name, const std::string& text) {
  std::cerr << "---- end of " << name << "\n"
            << (text.size() > kShownLogBytes ? text.substr(text.size() - kShownLogBytes) : text);
}

std::string Loopback(int port) { return "127.0.0.1:" + std::to_string(port); }

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
}

constexpr const char* kUsualJob = R"(
name = "trial"
rounds = 2
[model]
architecture = "logistic"
input_shape = [4]
classes = 3
[training]
learning_rate = 0.5
batch_size = 32
local_steps = 4
[privacy]
clip_norm = 1.0
noise_multiplier = 1.0
[secure_aggregation]
value_clip = 8.0
corrupt_fraction = 0.0
dropout_fraction = 0.25
[cohort]
min_clients = 3
size = 4
[deadlines]
select_seconds = 1.0
train_seconds = 100.0
retry_seconds = 0.2
max_failures = 1000
)";

}  // namespace

World::World(Build build, const std::string& server_settings, double reconnect_grace_seconds)
    : build_(build) {
  const std::vector<int> ports = FreePorts(2);
  address_ = Loopback(ports[0]);
  enrolment_address_ = Loopback(ports[1]);
  WriteText(ServerConfig(), "state_directory = \"server\"\naddress = \"" + address_ +
                                "\"\nenrolment_address = \"" + enrolment_address_ +
                                "\"\npublic_names = [\"localhost\", \"127.0.0.1\"]\n"
                                "metrics_address = \"off\"\n" +
                                server_settings + "\n[limits]\nreconnect_grace_seconds = " +
                                std::to_string(reconnect_grace_seconds) + "\n");
  WriteText(folder_ / "table.csv", MakeTable(kTrainingRows, 1).Csv());
  WriteText(folder_ / "test.csv", MakeTable(kTestRows, 2).Csv());
  WriteText(folder_ / "job.toml", kUsualJob);
  const Ran init = Run({ServerProgram(), "init", "--state", StateFolder(), "--name", "localhost",
                        "--name", "127.0.0.1"});
  if (init.exit_code != 0) throw std::runtime_error("tutti-server init: " + init.error);
}

World::~World() {
  if (std::uncaught_exceptions() == 0) return;
  ShowEnd("server", ServerLog());
  for (const auto& [name, process] : clients_) ShowEnd(name, ClientLog(name));
}

void World::LaunchServer(const Environment& environment) {
  server_ = std::make_unique<Process>(
      std::vector<std::string>{ServerProgram(), "run", "--config", ServerConfig()}, LogOf("server"),
      environment);
}

bool World::ServerAnswers() {
  // A new channel each time: gRPC waits longer and longer before it tries a broken one again.
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  admin_ = v1::Admin::NewStub(grpc::CreateCustomChannel(
      "unix:" + StateFolder() + "/admin.sock", grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  v1::StatusReply reply;
  return admin_->GetStatus(&context, {}, &reply).ok();
}

void World::StartServer(const Environment& environment) {
  LaunchServer(environment);
  const bool up = WaitUntil([this] { return ServerAnswers() || !server_->Running(); });
  if (!up || !server_->Running()) throw std::runtime_error("tutti-server does not start");
}

Ran World::Tutti(const std::vector<std::string>& words) {
  std::vector<std::string> argv{Program("tutti"), "--socket", StateFolder() + "/admin.sock"};
  argv.insert(argv.end(), words.begin(), words.end());
  return Run(argv);
}

Json World::TuttiJson(const std::vector<std::string>& words) {
  std::vector<std::string> all = words;
  all.emplace_back("--json");
  const Ran ran = Tutti(all);
  if (ran.exit_code != 0) throw std::runtime_error("tutti " + words[0] + ": " + ran.error);
  return Json::parse(ran.out);
}

std::string World::Token(const std::string& name, const std::string& role) {
  v1::CreateTokenRequest request;
  request.set_name(name);
  request.set_role(role);
  grpc::ClientContext context;
  SetDeadline(context);
  v1::CreateTokenReply reply;
  const grpc::Status status = admin_->CreateToken(&context, request, &reply);
  if (!status.ok()) throw std::runtime_error("no token: " + status.error_message());
  return reply.token();
}

Ran World::Join(const std::string& name, const std::string& token, const Environment& environment) {
  return Run({ClientProgram(), "join", token, "--state", ClientState(name)}, environment);
}

void World::Configure(const std::string& name, const ClientOptions& options) {
  WriteText(folder_ / (name + "-policy.toml"), options.policy);
  const std::string file = options.data_file.empty() ? "table.csv" : options.data_file;
  WriteText(ClientConfig(name),
            "state_directory = \"" + name + "\"\npolicy_file = \"" + name +
                "-policy.toml\"\nrole = \"" + options.role + "\"\n" + options.extra +
                "\n[log]\nlevel = \"debug\"\n[data]\nformat = \"csv\"\nfile = \"" + file + "\"\n" +
                options.data + "[data.csv]\nlabel = \"label\"\n[data.slice]\nkind = \"" +
                (options.slices > 1 ? "iid" : "all") +
                "\"\nindex = " + std::to_string(options.slice) +
                "\ncount = " + std::to_string(options.slices) + "\n[trainer]\nprogram = \"" +
                Program("tutti-trainer") + "\"\nidle_seconds = 3600.0\n" + options.trainer);
}

void World::Enrol(const std::string& name, const ClientOptions& options) {
  const Ran joined = Join(name, Token(name, options.role));
  if (joined.exit_code != 0) throw std::runtime_error(name + " cannot join: " + joined.error);
  Configure(name, options);
}

Process& World::StartClient(const std::string& name, const Environment& environment) {
  auto& slot = clients_[name];
  slot.reset();
  slot = std::make_unique<Process>(
      std::vector<std::string>{ClientProgram(), "run", "--config", ClientConfig(name)}, LogOf(name),
      environment);
  return *slot;
}

void World::StartTrainers(std::uint32_t count, ClientOptions options) {
  options.slices = count;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name = "client-" + std::to_string(i);
    options.slice = i;
    Enrol(name, options);
    StartClient(name);
  }
  for (std::uint32_t i = 0; i < count; ++i) AwaitAttached("client-" + std::to_string(i));
}

std::vector<Table> World::StartTrainersWithTables(const std::vector<std::size_t>& rows,
                                                  std::uint64_t seed,
                                                  const Environment& environment) {
  std::vector<Table> tables;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string name = "client-" + std::to_string(i);
    tables.push_back(MakeTable(rows[i], seed + i));
    WriteText(folder_ / (name + ".csv"), tables.back().Csv());
    Enrol(name, {.data_file = name + ".csv"});
    StartClient(name, i + 1 == rows.size() ? environment : Environment{});
    AwaitAttached(name);
  }
  return tables;
}

v1::ClientInfo World::ClientInfo(const std::string& name) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::ListClientsReply reply;
  admin_->ListClients(&context, {}, &reply);
  for (const v1::ClientInfo& client : reply.clients()) {
    if (client.name() == name) return client;
  }
  return {};
}

bool World::Attached(const std::string& name) { return ClientInfo(name).state() == "attached"; }

void World::AwaitAttached(const std::string& name) {
  if (!WaitUntil([&] { return Attached(name); })) {
    throw std::runtime_error(name + " does not attach");
  }
}

Json World::ClientStatus(const std::string& name) {
  const Ran ran = Run({ClientProgram(), "status", "--config", ClientConfig(name), "--json"});
  if (ran.exit_code != 0) throw std::runtime_error("status of " + name + ": " + ran.error);
  return Json::parse(ran.out);
}

bool World::LedgerVerifies(const std::string& name) {
  return Run({ClientProgram(), "ledger", "verify", "--state", ClientState(name)}).exit_code == 0;
}

std::vector<std::string> World::RunCommand(const std::string& job,
                                           const std::vector<std::string>& sets) {
  std::vector<std::string> words{"run", folder_ / "job.toml", "--set", "name=" + job};
  for (const std::string& set : sets) words.insert(words.end(), {"--set", set});
  return words;
}

void World::Submit(const std::string& job, const std::vector<std::string>& sets) {
  const Ran ran = Tutti(RunCommand(job, sets));
  if (ran.exit_code != 0) throw std::runtime_error("tutti run: " + ran.error);
}

v1::JobReply World::Job(const std::string& job) {
  v1::GetJobRequest request;
  request.set_name(job);
  request.set_with_rounds(true);
  grpc::ClientContext context;
  SetDeadline(context);
  v1::JobReply reply;
  admin_->GetJob(&context, request, &reply);
  return reply;
}

void World::AwaitDone(const std::string& job) {
  std::string state;
  const bool over = WaitUntil([&] {
    state = Job(job).job().state();
    return state == "done" || state == "failed" || state == "stopped";
  });
  if (!over || state != "done") {
    throw std::runtime_error("job " + job + " is " + state + ": " + Job(job).job().reason());
  }
}

void World::AwaitRounds(const std::string& job, std::uint64_t rounds) {
  if (!WaitUntil([&] { return Job(job).job().rounds_done() >= rounds; })) {
    throw std::runtime_error("job " + job + " makes no progress");
  }
}

bool World::AwaitRefusal(const std::string& job, const std::string& client,
                         const std::string& text) {
  return WaitUntil([&] {
    const v1::JobReply reply = Job(job);
    for (const v1::RoundInfo& round : reply.rounds()) {
      for (const std::string& refusal : round.refusals()) {
        if (Contains(refusal, client + ": ") && Contains(refusal, text)) return true;
      }
    }
    return false;
  });
}

bool NumberedWithoutGap(const v1::JobReply& reply, std::uint64_t rounds) {
  if (reply.job().rounds_done() != rounds ||
      static_cast<std::uint64_t>(reply.rounds_size()) != rounds) {
    return false;
  }
  for (int i = 0; i < reply.rounds_size(); ++i) {
    if (reply.rounds(i).round() != static_cast<std::uint64_t>(i) + 1) return false;
  }
  return true;
}

}  // namespace tutti::e2e
