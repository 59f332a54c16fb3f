#include "tests/bench/round/round_bench.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/crypto/mask_stream.h"
#include "tests/bench/round/protocol_client.h"
#include "tests/bench/round/server_process.h"

namespace tutti::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double Seconds(SteadyClock::time_point since) {
  return std::chrono::duration<double>(SteadyClock::now() - since).count();
}

// A one-layer model of as close to `values` parameters as ten classes allow.
void FillModel(std::uint64_t values, v1::ModelSpec* model) {
  const std::uint64_t inputs = std::max<std::uint64_t>(1, values / 10 - 1);
  // Sides are at most 65,536: the largest divisor below it gives the second side.
  std::uint64_t side = 1;
  for (std::uint64_t d = 1; d * d <= inputs; ++d) {
    if (inputs % d == 0 && inputs / d <= 65536) {
      side = d;
      break;
    }
  }
  model->set_architecture("logistic");
  if (side > 1) {
    model->add_input_shape(static_cast<std::uint32_t>(side));
  }
  model->add_input_shape(static_cast<std::uint32_t>(inputs / side));
  model->set_classes(10);
  model->set_seed(1);
}

v1::JobConfig JobOf(const RoundSettings& settings) {
  v1::JobConfig job;
  job.set_name("bench");
  job.set_rounds(settings.rounds + 1);
  FillModel(settings.values, job.mutable_model());
  job.mutable_model()->set_activation("relu");
  job.mutable_model()->set_normalisation("none");
  v1::TrainingSpec* training = job.mutable_training();
  training->set_optimiser("sgd");
  training->set_loss("cross_entropy");
  training->set_learning_rate(0.1);
  training->set_batch_size(1);
  training->set_local_steps(1);
  job.mutable_privacy()->set_unit("none");
  job.mutable_privacy()->set_clip_norm(1);
  job.mutable_privacy()->set_delta(1e-5);
  v1::SecureAggregationSpec* secagg = job.mutable_secure_aggregation();
  secagg->set_level(settings.level);
  secagg->set_value_bits(16);
  secagg->set_value_clip(1);
  secagg->set_corrupt_fraction(0.1);
  secagg->set_dropout_fraction(0.1);
  secagg->set_privacy_bits(40);
  secagg->set_liveness_bits(20);
  secagg->set_weighting("uniform");
  v1::CohortSpec* cohort = job.mutable_cohort();
  cohort->set_min_clients(std::max(2U, settings.clients / 2));
  cohort->set_size(settings.clients);
  cohort->set_over_selection(1);
  v1::DeadlineSpec* deadlines = job.mutable_deadlines();
  deadlines->set_select_seconds(60);
  deadlines->set_train_seconds(300);
  deadlines->set_share_seconds(60);
  deadlines->set_upload_seconds(300);
  deadlines->set_commit_seconds(60);
  deadlines->set_unmask_seconds(60);
  deadlines->set_retry_seconds(1);
  deadlines->set_max_failures(3);
  job.mutable_server()->set_optimiser("fedavg");
  job.mutable_server()->set_learning_rate(1);
  job.mutable_evaluation()->set_every(0);
  return job;
}

Status Submit(ServerProcess& server, const v1::JobConfig& job) {
  grpc::ClientContext context;
  v1::SubmitJobRequest request;
  *request.mutable_job() = job;
  v1::JobReply reply;
  const grpc::Status status = server.admin().SubmitJob(&context, request, &reply);
  return status.ok() ? OkStatus() : Unavailable("the job was refused: " + status.error_message());
}

bool SumIsExact(const Ledger::Round& round) {
  return round.sum.has_value() && secagg::WireDigest(*round.sum) == round.sum_hash;
}

struct Load {
  std::vector<Enrolment> enrolments;
  Ledger ledger;
  std::unique_ptr<Pool> pool;
  std::vector<std::unique_ptr<ProtocolClient>> clients;

  ~Load() {
    for (auto& client : clients) {
      client->Stop();
    }
    pool.reset();
  }
  void Start(const std::string& address) {
    for (const Enrolment& enrolment : enrolments) {
      clients.push_back(std::make_unique<ProtocolClient>(enrolment, address, *pool, ledger));
      clients.back()->Start();
    }
  }
  void Bytes(double& sent, double& received) const {
    sent = received = 0;
    for (const auto& client : clients) {
      sent += static_cast<double>(client->counts().bytes_sent);
      received += static_cast<double>(client->counts().bytes_received);
    }
  }
};

}  // namespace

nlohmann::json MachineFacts() {
  return {{"cores", std::thread::hardware_concurrency()},
          {"build", TUTTI_BUILD_TYPE},
          {"version", TUTTI_VERSION},
          {"mask_kernel", std::string(crypto::KernelName(crypto::MaskKernel::kBest))}};
}

StatusOr<nlohmann::json> MeasureRounds(const RoundSettings& settings) {
  TUTTI_ASSIGN(const std::unique_ptr<ServerProcess> server,
               ServerProcess::Create(settings.programs, ""));
  TUTTI_TRY(server->Start());
  Load load;
  load.pool = std::make_unique<Pool>(settings.threads);
  for (std::uint32_t i = 0; i < settings.clients; ++i) {
    TUTTI_ASSIGN(Enrolment enrolment, server->Enrol(Join("bench-", i)));
    load.enrolments.push_back(std::move(enrolment));
  }
  server->Stop();

  // Cold start: the coordinator's process, every client's keys and connection, roster, the first
  // sum.
  const auto cold = SteadyClock::now();
  TUTTI_TRY(server->Start());
  load.Start(server->address());
  TUTTI_TRY(Submit(*server, JobOf(settings)));
  if (!load.ledger.Wait(1, settings.clients, settings.limit_seconds)) {
    return DeadlineExceeded("the first round did not end in time");
  }
  const double first_seconds = Seconds(cold);

  const double cpu_before = UseOf(server->pid()).cpu_seconds;
  const auto start = SteadyClock::now();
  if (!load.ledger.Wait(settings.rounds + 1, settings.clients, settings.limit_seconds)) {
    return DeadlineExceeded(Join("only ", load.ledger.rounds().size(), " rounds ended in time"));
  }
  const double seconds = Seconds(start);
  const ProcessUse use = UseOf(server->pid());
  double sent = 0;
  double received = 0;
  load.Bytes(sent, received);

  bool exact = load.ledger.failures() == 0;
  std::uint64_t values = 0;
  for (const Ledger::Round& round : load.ledger.rounds()) {
    exact = exact && round.uploads == settings.clients && SumIsExact(round);
    values = round.sum.has_value() ? round.sum->layout().values : 0;
  }
  // Over all rounds: a client may fetch the next model before the last one heard that its round
  // ended.
  const double per_client = static_cast<double>(settings.rounds + 1) * settings.clients;
  nlohmann::json line = MachineFacts();
  line.update({{"bench", "round"},
               {"clients", settings.clients},
               {"values", values},
               {"level", settings.level},
               {"rounds", settings.rounds},
               {"seconds_per_round", seconds / settings.rounds},
               {"first_round_seconds", first_seconds},
               {"server_cpu_seconds", (use.cpu_seconds - cpu_before) / settings.rounds},
               {"server_peak_rss_mib", use.peak_rss_mib},
               {"bytes_up_per_client", std::llround(sent / per_client)},
               {"bytes_down_per_client", std::llround(received / per_client)},
               {"exact", exact}});
  return line;
}

}  // namespace tutti::bench
