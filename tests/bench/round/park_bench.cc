#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/text.h"
#include "tests/bench/round/protocol_client.h"
#include "tests/bench/round/round_bench.h"
#include "tests/bench/round/server_process.h"

namespace tutti::bench {
namespace {

StatusOr<std::uint32_t> Attached(ServerProcess& server) {
  grpc::ClientContext context;
  v1::StatusReply reply;
  const grpc::Status status = server.admin().GetStatus(&context, v1::StatusRequest(), &reply);
  if (!status.ok()) {
    return Unavailable(status.error_message());
  }
  return reply.clients_attached();
}

}  // namespace

StatusOr<nlohmann::json> MeasureParked(const ParkSettings& settings) {
  TUTTI_ASSIGN(const std::unique_ptr<ServerProcess> server,
               ServerProcess::Create(settings.programs, ""));
  TUTTI_TRY(server->Start());
  const double empty_mib = UseOf(server->pid()).rss_mib;
  std::vector<Enrolment> enrolments;
  for (std::uint32_t i = 0; i < settings.clients; ++i) {
    TUTTI_ASSIGN(Enrolment enrolment, server->Enrol(Join("bench-", i)));
    enrolments.push_back(std::move(enrolment));
  }
  server->Stop();
  TUTTI_TRY(server->Start());
  Pool pool(2);
  Ledger ledger;
  std::vector<std::unique_ptr<ProtocolClient>> clients;
  for (const Enrolment& enrolment : enrolments) {
    clients.push_back(std::make_unique<ProtocolClient>(enrolment, server->address(), pool, ledger));
    clients.back()->Start();
  }
  std::uint32_t attached = 0;
  for (int i = 0; i < 600 && attached < settings.clients; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    TUTTI_ASSIGN(attached, Attached(*server));
  }
  // A quiet while, over which the idle load is measured.
  constexpr double kQuietSeconds = 10;
  const double cpu_before = UseOf(server->pid()).cpu_seconds;
  std::this_thread::sleep_for(std::chrono::duration<double>(kQuietSeconds));
  const ProcessUse use = UseOf(server->pid());
  for (auto& client : clients) {
    client->Stop();
  }
  nlohmann::json line = MachineFacts();
  line.update({{"bench", "park"},
               {"clients", settings.clients},
               {"attached", attached},
               {"server_rss_mib", use.rss_mib},
               {"server_rss_empty_mib", empty_mib},
               {"kib_per_client", (use.rss_mib - empty_mib) * 1024 / settings.clients},
               {"server_idle_cpu_percent", (use.cpu_seconds - cpu_before) / kQuietSeconds * 100}});
  return line;
}

}  // namespace tutti::bench
