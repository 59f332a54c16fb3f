#include "server/simulate/fate.h"

#include <algorithm>
#include <cmath>

#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

constexpr double kLongest = 1e9;  // seconds: keeps the conversion defined

Milliseconds Span(double seconds) {
  return Milliseconds(static_cast<std::int64_t>(std::llround(std::min(seconds, kLongest) * 1000)));
}

}  // namespace

Fate FateOf(const v1::SimulationConfig& world, const Device& device, const Work& work, bool commits,
            std::size_t client, std::uint64_t round, std::uint64_t attempt) {
  const double there_and_back = 2 * device.latency_seconds;
  const double training = world.devices().start_seconds() +
                          static_cast<double>(work.examples) / device.examples_per_second;
  const double download = static_cast<double>(work.model_bytes) / device.download_bytes_per_second;
  const double upload = static_cast<double>(work.vector_bytes) / device.upload_bytes_per_second;
  Fate fate;
  // The offer, the model asked for and sent, the join.
  fate.answers[0] = Span(2 * there_and_back + download + training);
  if (work.held_ready_in) {
    fate.answers[0] = std::max(Span(there_and_back), *work.held_ready_in);
  }
  fate.answers[1] = Span(there_and_back);
  fate.answers[2] = Span(there_and_back + upload);
  fate.answers[3] = Span(there_and_back);
  fate.answers[4] = Span(there_and_back);
  const v1::DropoutProfile& dropout = world.dropout();
  const std::array<double, kExchanges> chances{dropout.training(), dropout.sharing(),
                                               dropout.upload(), commits ? dropout.commit() : 0,
                                               dropout.unmask()};
  auto rng = StreamOf(world.seed(), "fate", client, round, attempt);
  for (std::size_t i = 0; i < kExchanges; ++i) {
    const bool vanishes = Happens(rng, chances[i]);
    const double when = Unit(rng);
    if (vanishes && !fate.vanishes) {
      fate.vanishes = static_cast<Exchange>(i);
      fate.vanishes_after = Milliseconds(
          static_cast<std::int64_t>(when * static_cast<double>(fate.answers[i].count())));
    }
  }
  return fate;
}

}  // namespace tutti::simulate
