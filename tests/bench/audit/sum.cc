#include "tests/bench/audit/sum.h"

#include <algorithm>
#include <utility>

#include "common/privacy/vector.h"
#include "common/secagg/encoding.h"
#include "tests/ring_lanes.h"

namespace tutti::audit {
namespace {

// `client`'s terms, with all that is wrong with them.
privacy::Terms TermsOfClient(const RoundToAttack& round, std::uint64_t client) {
  privacy::Terms terms = round.terms;
  terms.encoding.share.stddev *= round.noise_factor;
  if (client < round.silent || client >= round.counted()) {
    terms.encoding.share = {};
  }
  if (round.unclipped) {
    terms.setting.unit = privacy::Unit::kExample;  // whose contributions arrive clipped
    terms.encoding.l2_bound = 0;
  }
  return terms;
}

}  // namespace

std::uint64_t RoundToAttack::counted() const {
  return terms.setting.noise == privacy::NoiseSource::kDistributed
             ? terms.fewest_clients - terms.colluders
             : 1;
}

dp::Event RoundToAttack::event() const {
  return privacy::EventOf(terms, privacy::Observer::kCoordinator, terms.fewest_clients);
}

StatusOr<RoundToAttack> RoundOf(const RoundSettings& settings) {
  RoundToAttack round;
  round.task.set_job("audit");
  round.task.set_rounds(1);
  round.task.set_values(settings.values);
  *round.task.mutable_privacy() = settings.privacy;
  *round.task.mutable_training() = settings.training;
  v1::SecureAggregationSpec& ring = *round.task.mutable_secure_aggregation();
  ring.set_value_bits(settings.value_bits);
  ring.set_value_clip(settings.privacy.unit() == "example" ? 8 : 1);
  round.round.job = "audit";
  round.round.round = 1;
  round.round.attempt = 1;
  round.round.value_bits = settings.value_bits;
  round.round.min_cohort = settings.clients;
  round.round.min_survivors = settings.clients;
  round.round.max_cohort = settings.clients;
  round.round.corrupt_fraction =
      static_cast<double>(settings.colluders) / static_cast<double>(settings.clients);
  TUTTI_ASSIGN(round.round, privacy::FitRing(round.task, round.round));
  TUTTI_ASSIGN(round.terms, privacy::TermsOf(round.task, round.round));
  return round;
}

StatusOr<std::vector<float>> OpenedSum(const RoundToAttack& round,
                                       std::span<const std::vector<float>> updates,
                                       double unit_scale, SecureRng& rng) {
  secagg::RingVector sum(round.round.layout());
  const std::vector<float> none(round.task.values());
  const std::uint64_t clients = round.terms.fewest_clients;
  for (std::uint64_t client = 0; client < clients; ++client) {
    const std::vector<float>& update = client < updates.size() ? updates[client] : none;
    TUTTI_ASSIGN(const secagg::EncodedUpdate encoded,
                 privacy::MakeVector(TermsOfClient(round, client), round.round, update, unit_scale,
                                     {}, rng));
    AddTo(sum, encoded.vector);
  }
  TUTTI_ASSIGN(secagg::DecodedSum decoded,
               secagg::DecodeSum(round.round, sum, static_cast<std::uint32_t>(clients)));
  TUTTI_ASSIGN(std::vector<float> vector,
               privacy::Unrotate(round.terms, round.round, std::move(decoded.mean)));
  return privacy::OpenVector(round.task, round.terms, std::move(vector), clients,
                             static_cast<double>(clients))
      .update;
}

StatusOr<std::vector<Outcome>> Attack(const RoundToAttack& round, const ClientAttack& attack,
                                      SecureRng& coins, SecureRng& rng) {
  const double clip_norm = round.task.privacy().clip_norm();
  const double noise = round.terms.noise_multiplier;
  std::vector<Outcome> outcomes;
  RoundToAttack next = round;
  for (std::uint64_t sum = 0; sum < attack.sums; ++sum) {
    next.round.round = sum + 1;
    std::vector<std::vector<float>> updates(next.counted(), std::vector<float>(next.task.values()));
    std::vector<bool> included;
    for (std::size_t i = 0; i < updates.size(); ++i) {
      included.push_back(UniformBelow(coins, 2) == 1);
      updates[i][i] = included[i] ? static_cast<float>(attack.length * clip_norm) : 0;
    }
    TUTTI_ASSIGN(const std::vector<float> opened,
                 OpenedSum(next, updates, privacy::UnitScale(next.task, clip_norm), rng));
    for (std::size_t i = 0; i < updates.size(); ++i) {
      const double x = opened[i];
      outcomes.push_back(
          {.score = (x - 0.5) / (noise * noise), .projection = x, .included = included[i]});
    }
  }
  return outcomes;
}

}  // namespace tutti::audit
