#include "tests/bench/secagg/secagg_bench.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "common/base/text.h"
#include "common/platform/clock.h"
#include "common/platform/memory.h"
#include "tests/bench/secagg/client_side.h"
#include "tests/bench/secagg/server_side.h"

namespace tutti::bench {
namespace {

secagg::RoundConfig ConfigOf(const SecaggSettings& settings) {
  secagg::RoundConfig config;
  config.level = settings.level;
  config.job = "bench";
  config.round = 1;
  config.values = settings.values;
  config.value_bits = 16;
  config.min_cohort = settings.clients;
  config.min_survivors = settings.clients / 2;
  config.max_cohort = settings.clients;
  config.corrupt_fraction = settings.corrupt;
  config.dropout_fraction = settings.planned_dropout;
  return config;
}

// The server's process. It starts before the clients' side holds anything, so what is resident here
// is the program and the server.
pid_t StartServer(int socket, int others_end, const secagg::RoundConfig& config,
                  const std::string& ca_pem, bool new_certificates) {
  platform::ReleaseFreeMemory();
  const pid_t child = fork();
  if (child != 0) {
    close(socket);
    return child;
  }
  close(others_end);
  platform::TuneAllocator();  // as tutti-server does
  Line line(socket);
  const Status served = ServeRound(line, config, ca_pem, new_certificates);
  if (!served.ok()) {
    std::fprintf(stderr, "server of the bench: %s\n", TextOf(served).c_str());
  }
  _exit(served.ok() ? 0 : 1);
}

StatusOr<SecaggFigures> RunRound(Line& line, Cohort& cohort, bool malicious) {
  TUTTI_TRY(cohort.Join());
  TUTTI_TRY(cohort.Share());
  TUTTI_TRY(cohort.UploadMasked());
  if (malicious) {
    TUTTI_TRY(cohort.Commit());
  }
  TUTTI_TRY(cohort.Unmask());
  TUTTI_ASSIGN(const std::string costs, line.Ask(Call::kOpenSum));
  SecaggFigures figures{.client = cohort.Costs(), .server = {}, .exact = false};
  TUTTI_CHECK(costs.size() == sizeof figures.server);
  std::memcpy(&figures.server, costs.data(), costs.size());
  const Digest plain = cohort.PlainSumSha256();
  figures.exact = std::equal(plain.begin(), plain.end(), figures.server.sum_sha256);
  return figures;
}

}  // namespace

StatusOr<SecaggFigures> MeasureSecagg(const SecaggSettings& settings) {
  const platform::RealClock clock;
  const secagg::RoundConfig config = ConfigOf(settings);
  crypto::SystemRng rng;
  CertificateAuthority authority{.key = crypto::NewKeyPair(rng), .pem = {}};
  TUTTI_ASSIGN(authority.pem, crypto::NewCaCertificatePem(authority.key, "bench", clock.Wall(), 1));
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
    return Unavailable(Join("no socket pair: ", std::strerror(errno)));
  }
  const pid_t server =
      StartServer(ends[1], ends[0], config, authority.pem, settings.new_certificates);
  StatusOr<SecaggFigures> figures = Unavailable("no round was run");
  if (server > 0) {
    Line line(ends[0]);
    Cohort cohort(line, settings, config, authority, clock);
    figures = RunRound(line, cohort, config.level == secagg::ThreatLevel::kMalicious);
  }
  // The line is closed: the server ends.
  if (server > 0) {
    waitpid(server, nullptr, 0);
  }
  return figures;
}

}  // namespace tutti::bench
