#include "server/job/sum_privacy.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/crypto/random.h"
#include "common/dp/accountant.h"
#include "common/noise/gaussian.h"
#include "common/platform/files.h"

namespace tutti::server {
namespace {

noise::GridNoise OnGrid(double stddev) { return {.stddev = stddev, .step = stddev * 0x1p-24}; }

constexpr std::uint64_t kKeyBytes = 32;

}  // namespace

void AddCentralNoise(double noise_multiplier, std::uint64_t clients, SecureRng& rng,
                     std::span<float> vector) {
  const auto count = static_cast<float>(clients);
  for (float& value : vector) value *= count;
  Secret32 key;
  rng.Fill(key.mutable_view());
  crypto::AesCtrStream stream(key);
  noise::Gaussian gaussian(stream);
  noise::AddGridNoise(OnGrid(noise_multiplier), gaussian, vector);
  for (float& value : vector) value /= count;
}

void NoiseTree::AddNode(std::uint64_t level, std::uint64_t index, double sign,
                        std::span<float> sum) const {
  ByteWriter info;
  info.Raw(AsBytes(std::string_view("tutti.tree.v1/node")));
  info.U64(level);
  info.U64(index);
  crypto::AesCtrStream stream(crypto::HkdfExpand32(key_, info.Take()));
  noise::Gaussian gaussian(stream);
  std::vector<float> drawn(sum.size());
  noise::AddGridNoise(OnGrid(stddev_), gaussian, drawn);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] += static_cast<float>(sign) * drawn[i];
  }
}

// The sum of rounds 1..t is covered by one node for each bit of t. From t - 1 to t the nodes of the
// trailing ones of t - 1 are replaced by a single one.
void NoiseTree::AddStep(std::uint64_t round, std::span<float> sum) const {
  TUTTI_CHECK(round >= 1);
  const auto level = static_cast<std::uint64_t>(std::countr_zero(round));
  AddNode(level, (round >> level) - 1, 1, sum);
  for (std::uint64_t lower = 0; lower < level; ++lower) {
    AddNode(lower, ((round - 1) >> lower) - 1, -1, sum);
  }
}

StatusOr<Secret32> TreeKey(const std::string& path, const std::string& job,
                           std::string_view first_model) {
  StatusOr<Bytes> bytes = platform::ReadFile(path, kKeyBytes);
  if (bytes.status().code() == StatusCode::kNotFound) {
    crypto::SystemRng rng;
    bytes = Bytes(kKeyBytes);
    rng.Fill(*bytes);
    TUTTI_TRY(platform::WriteFileDurably(path, *bytes));
  }
  TUTTI_TRY(bytes.status());
  if (bytes->size() != kKeyBytes) {
    return DataLoss(Join(path, " has ", bytes->size(), " bytes, expected ", kKeyBytes,
                         "; jobs with noise = \"tree\" cannot go on without it: restore it"));
  }
  ByteWriter info;
  info.Raw(AsBytes(std::string_view("tutti.tree.v1/job")));
  info.Sized(AsBytes(job));
  info.Sized(AsBytes(first_model));
  Secret32 key = crypto::HkdfExpand32(crypto::HkdfExtract({}, *bytes), info.Take());
  Wipe(bytes->data(), bytes->size());
  return key;
}

bool RealisedIsKnown(const PreparedJob& job) {
  return job.terms || (!job.setting.update && job.setting.with_privacy());
}

StatusOr<RealisedEpsilon> RealisedOf(const PreparedJob& job,
                                     const std::map<std::uint64_t, std::uint64_t>& rounds) {
  dp::Accountant coordinator;
  dp::Accountant models;
  using privacy::Observer;
  const auto add = [&](const auto& event_of, std::uint64_t steps) -> Status {
    TUTTI_TRY(coordinator.Add(dp::WithSteps(event_of(Observer::kCoordinator), steps)));
    return models.Add(dp::WithSteps(event_of(Observer::kModels), steps));
  };
  const bool tree = job.terms && job.terms->setting.noise == privacy::NoiseSource::kTree;
  for (const auto& [clients, count] : rounds) {
    const std::uint64_t in_sum = clients;
    if (job.terms) {
      TUTTI_TRY(
          add([&](Observer who) { return EventOf(*job.terms, who, in_sum); }, tree ? 1 : count));
    }
    if (job.counts) {
      TUTTI_TRY(add([&](Observer who) { return CountEvent(*job.counts, who, in_sum); }, count));
    }
    if (tree) break;  // one release, whatever the rounds
  }
  const double delta = job.config.privacy().delta();
  TUTTI_ASSIGN(const dp::SpentBudget spent, coordinator.Spent(delta));
  TUTTI_ASSIGN(const dp::SpentBudget seen, models.Spent(delta));
  return RealisedEpsilon{spent.epsilon, seen.epsilon};
}

}  // namespace tutti::server
