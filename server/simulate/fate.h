// What becomes of one client in one attempt of a round: how long each of its answers takes and
// where it vanishes, if it does. Both kinds of simulation live by it. Thread safety: value types
// and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"
#include "server/simulate/population.h"
#include "tutti/v1/simulation.pb.h"

namespace tutti::simulate {

// The exchanges of an attempt, in order.
enum class Exchange : std::uint8_t { kTraining, kSharing, kCollecting, kCommitting, kUnmasking };
inline constexpr std::size_t kExchanges = 5;

// What a client has to do and to send.
struct Work {
  std::uint64_t model_bytes = 0;   // down
  std::uint64_t vector_bytes = 0;  // up
  std::uint64_t examples = 0;      // trained on, each pass counted
  // An update of an earlier round is at hand after this time: nothing is fetched, nothing trained.
  std::optional<Milliseconds> held_ready_in{};
};

struct Fate {
  std::array<Milliseconds, kExchanges> answers{};  // from the coordinator's word to the answer
  std::optional<Exchange> vanishes;                // in this exchange: no answer
  Milliseconds vanishes_after{0};                  // the coordinator's word

  Milliseconds Answer(Exchange exchange) const {
    return answers[static_cast<std::size_t>(exchange)];
  }
  bool VanishesIn(Exchange exchange) const { return vanishes == exchange; }
};

// The same for the same arguments. `commits`: the job has that exchange.
Fate FateOf(const v1::SimulationConfig& world, const Device& device, const Work& work, bool commits,
            std::size_t client, std::uint64_t round, std::uint64_t attempt);

}  // namespace tutti::simulate
