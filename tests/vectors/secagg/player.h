// One client of a transcript: a real session, and a record of what it drew.
// Thread safety: confined to one thread.
#pragma once

#include <optional>
#include <vector>

#include "common/secagg/client_session.h"
#include "common/secagg/encoding.h"
#include "common/wire/notice_memory.h"
#include "tests/seeded_rng.h"
#include "tests/vectors/secagg/identities.h"
#include "tests/vectors/secagg/json.h"
#include "tests/vectors/secagg/scenario.h"

namespace tutti::vectors {

class RecordingRng final : public SecureRng {
 public:
  explicit RecordingRng(std::uint64_t seed) : inner_(seed) {}
  void Fill(std::span<std::uint8_t> out) override {
    inner_.Fill(out);
    drawn_.push_back(ToBytes(out));
  }
  const std::vector<Bytes>& drawn() const { return drawn_; }

 private:
  SeededSecureRng inner_;
  std::vector<Bytes> drawn_;
};

struct Player {
  secagg::Index index = 0;
  LastStep last = LastStep::kUnmask;
  bool recorded = true;
  const Identity* identity = nullptr;  // level malicious
  std::string name;
  std::vector<float> values;
  std::uint32_t weight = 1;
  std::vector<std::uint32_t> metrics;
  std::optional<RecordingRng> rng;
  std::optional<secagg::ClientSession> session;
  std::optional<secagg::RingVector> encoded;
  std::optional<secagg::RingVector> masked;
  wire::NoticeMemory memory;
};

// Client `index` of `scenario` with its session started and its update encoded.
Player StartPlayer(const Scenario& scenario, secagg::Index index,
                   const std::vector<Identity>& identities, crypto::PeerVerifier& verifier);

// What the protocol makes of a player's randomness in a frozen roster.
struct RosterFacts {
  Digest session{};  // sid
  std::uint32_t threshold = 0;
  std::vector<secagg::Join> joins;        // by index
  std::vector<secagg::Index> neighbours;  // of the player
};
Json PrivateFacts(const Player& player, const RosterFacts& roster);

}  // namespace tutti::vectors
