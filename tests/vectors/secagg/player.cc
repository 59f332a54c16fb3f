#include "tests/vectors/secagg/player.h"

#include "common/secagg/binding.h"
#include "common/secagg/shamir.h"
#include "tests/vectors/secagg/fields.h"

namespace tutti::vectors {
namespace {

using secagg::Index;

// What a session draws at its start, and the update's encoding after it.
constexpr const char* kUses[] = {"box_key", "mask_key", "seed", "nonce", "rounding_key"};

class ReplayRng final : public SecureRng {
 public:
  explicit ReplayRng(std::span<const Bytes> drawn) : drawn_(drawn) {}
  void Fill(std::span<std::uint8_t> out) override {
    TUTTI_CHECK(!drawn_.empty() && drawn_.front().size() == out.size());
    std::copy(drawn_.front().begin(), drawn_.front().end(), out.begin());
    drawn_ = drawn_.subspan(1);
  }

 private:
  std::span<const Bytes> drawn_;
};

Secret32 Drawn(const Player& player, std::size_t place) {
  return Secret32(*ToArray<32>(player.rng->drawn().at(place), "drawn"));
}

// Numbers with few binary digits, so that they are the same in every language's text. Some lie
// outside the clip.
float ValueAt(Index client, std::uint64_t place) {
  const auto number = static_cast<int>((client * 389 + place * 1277 + place * place * 61) % 2331);
  return static_cast<float>(number - 1165) / 1024.0F;
}

Json Randomness(const Player& player, std::uint32_t threshold) {
  Json list = Json::array();
  const std::vector<Bytes>& drawn = player.rng->drawn();
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    std::string use;
    if (i < std::size(kUses)) {
      use = kUses[i];
    } else {
      const std::size_t place = i - std::size(kUses);
      const std::size_t degree = threshold - 1;
      use = (place < degree ? "seed_coefficient_" : "mask_key_coefficient_") +
            std::to_string(place % degree + 1);
    }
    list.push_back({{"use", use}, {"bytes", Hex(drawn[i])}});
  }
  return list;
}

Json PairFacts(const Player& player, const RosterFacts& roster, Index peer) {
  const Secret32 boxes_agreed = *crypto::Agree(Drawn(player, 0), roster.joins[peer].box_key);
  const Secret32 masks_agreed = *crypto::Agree(Drawn(player, 1), roster.joins[peer].mask_key);
  const Secret32 box_secret = secagg::PairSecret(roster.session, boxes_agreed);
  const Secret32 mask_secret = secagg::PairSecret(roster.session, masks_agreed);
  return {{"peer", peer},
          {"box_keys_agree_on", Hex(boxes_agreed.view())},
          {"box_pair_secret", Hex(box_secret.view())},
          {"box_key_to_peer", Hex(secagg::BoxKey(box_secret, player.index, peer).view())},
          {"box_key_from_peer", Hex(secagg::BoxKey(box_secret, peer, player.index).view())},
          {"mask_keys_agree_on", Hex(masks_agreed.view())},
          {"mask_pair_secret", Hex(mask_secret.view())},
          {"pair_mask_seed", Hex(secagg::PairMaskSeed(mask_secret, player.index, peer).view())}};
}

Json DealtShares(const Player& player, const RosterFacts& roster) {
  ReplayRng again(std::span(player.rng->drawn()).subspan(std::size(kUses)));
  const auto count = static_cast<std::uint32_t>(roster.neighbours.size());
  const auto seeds = secagg::SplitSecret(Drawn(player, 2), roster.threshold, count, again);
  const auto keys = secagg::SplitSecret(Drawn(player, 1), roster.threshold, count, again);
  Json list = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    list.push_back({{"holder", roster.neighbours[i]},
                    {"point", i + 1},
                    {"seed_share", Hex(seeds[i].view())},
                    {"mask_key_share", Hex(keys[i].view())}});
  }
  return list;
}

}  // namespace

Player StartPlayer(const Scenario& scenario, Index index, const std::vector<Identity>& identities,
                   crypto::PeerVerifier& verifier) {
  const secagg::RoundConfig& config = scenario.config;
  Player player;
  player.index = index;
  player.last = scenario.last[index];
  player.recorded = scenario.recorded.empty() || scenario.recorded.contains(index);
  const Identity& identity = identities.at(index + 1);  // the first is the CA
  player.name = identity.name;
  player.rng.emplace(1000 + index);
  secagg::ClientIdentity own;
  if (config.level == secagg::ThreatLevel::kMalicious) {
    player.identity = &identity;
    own = {.signing_key = identity.key, .certificate = identity.certificate};
  }
  player.session = *secagg::ClientSession::Start(config, own, &verifier, *player.rng);
  for (std::uint64_t i = 0; i < config.values; ++i) {
    player.values.push_back(ValueAt(index, i));
  }
  player.weight = 1 + index * 5 % (1U << config.weight_bits);
  for (std::uint32_t i = 1; i < config.extra_lanes; ++i) {
    player.metrics.push_back(1000 * i + index);
  }
  player.encoded =
      secagg::EncodeUpdate(config, player.values, player.weight, player.metrics, *player.rng)
          ->vector;
  return player;
}

Json PrivateFacts(const Player& player, const RosterFacts& roster) {
  Json facts;
  facts["index"] = player.index;
  facts["name"] = player.name;
  facts["last_step"] = NameOf(player.last);
  if (player.identity != nullptr) {
    facts["signing_key"] = Hex(player.identity->key.view());
  }
  facts["randomness"] = Randomness(player, roster.threshold);
  facts["values"] = List(player.values, [](float value) { return static_cast<double>(value); });
  facts["weight"] = player.weight;
  facts["metrics"] = player.metrics;
  facts["pairs"] =
      List(roster.neighbours, [&](Index peer) { return PairFacts(player, roster, peer); });
  facts["self_mask_seed"] =
      Hex(secagg::SelfMaskSeed(roster.session, Drawn(player, 2), player.index).view());
  if (player.last >= LastStep::kShare) {
    facts["dealt"] = DealtShares(player, roster);
  }
  facts["encoded"] = SignedLanes(*player.encoded);
  if (player.masked.has_value()) {
    facts["masked"] = UnsignedLanes(*player.masked);
    facts["masked_extras"] = player.masked->extras();
  }
  return facts;
}

}  // namespace tutti::vectors
