#include "tests/bench/round/secagg_line.h"

#include "tests/bench/round/round_bench.h"
#include "tests/bench/secagg/limits.h"
#include "tests/bench/secagg/signatures.h"

namespace tutti::bench {

StatusOr<nlohmann::json> SecaggLine(const SecaggSettings& settings) {
  using crypto::MaskKernel;
  TUTTI_ASSIGN(const SecaggFigures figures, MeasureSecagg(settings));
  const ClientCosts& client = figures.client;
  const ServerCosts& server = figures.server;
  const double mask_bytes =
      static_cast<double>(server.masks) * static_cast<double>(settings.values + 1) * 4;
  const SignatureCosts signatures(551);  // a certificate's at 1,000 clients
  nlohmann::json line = MachineFacts();
  line.update(
      {{"bench", "secagg"},
       {"clients", settings.clients},
       {"values", settings.values},
       {"dropout", settings.dropout},
       {"level", settings.level == secagg::ThreatLevel::kMalicious ? "malicious" : "curious"},
       {"corrupt", settings.corrupt},
       {"planned_dropout", settings.planned_dropout},
       {"new_certificates", settings.new_certificates},
       {"client_keys_ms", client.keys * 1e3},
       {"client_share_ms", client.share * 1e3},
       {"client_mask_ms", client.mask * 1e3},
       {"client_unmask_ms", client.unmask * 1e3},
       {"server_sum_ms", server.sum * 1e3},
       {"server_rebuild_ms", server.rebuild * 1e3},
       {"server_unmask_ms", server.unmask * 1e3},
       {"server_cpu_ms", server.cpu * 1e3},
       {"server_digest_ms", server.digest * 1e3},
       {"upload_bytes", client.upload_bytes},
       {"download_bytes", client.download_bytes},
       {"k", server.neighbours},
       {"t", server.threshold},
       {"masks", server.masks},
       {"prg_gb_per_s", mask_bytes / server.unmask * 1e-9},
       {"limit_prg_gb_per_s", MaskBytesPerSecond(MaskKernel::kBest) * 1e-9},
       {"portable_prg_gb_per_s", MaskBytesPerSecond(MaskKernel::kPortable) * 1e-9},
       {"add_gelem_per_s", server.added_elements / server.sum * 1e-9},
       {"limit_add_gelem_per_s", AddedElementsPerSecond() * 1e-9},
       {"server_peak_rss_mib", static_cast<double>(server.peak_rss_bytes) / (1 << 20)},
       {"verify_us", signatures.OneByOne(100) * 1e6},
       {"verify_us_in_100", signatures.InBatch(100) * 1e6},
       {"verify_us_in_200", signatures.InBatch(200) * 1e6},
       {"verify_us_in_551", signatures.InBatch(551) * 1e6},
       {"exact", figures.exact}});
  return line;
}

}  // namespace tutti::bench
