#include "server/simulate/population.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string>

#include "common/base/text.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

constexpr double kBytesPerMegabit = 125000;
constexpr std::string_view kPrefix = "client-";
constexpr std::size_t kDigits = 6;

Device DrawDevice(const v1::SimulationConfig& world, std::size_t client) {
  auto rng = StreamOf(world.seed(), "device", client);
  const v1::NetworkProfile& network = world.network();
  Device device;
  device.latency_seconds = LogNormal(rng, network.latency_seconds(), network.latency_spread());
  const double bandwidth = LogNormal(rng, 1, network.bandwidth_spread());
  device.download_bytes_per_second = bandwidth * network.download_mbit() * kBytesPerMegabit;
  device.upload_bytes_per_second = bandwidth * network.upload_mbit() * kBytesPerMegabit;
  device.examples_per_second =
      LogNormal(rng, world.devices().examples_per_second(), world.devices().speed_spread());
  return device;
}

}  // namespace

StatusOr<Population> Population::Create(const v1::SimulationConfig& world, std::uint32_t clients,
                                        std::span<const std::uint32_t> owners) {
  const auto owned = static_cast<std::size_t>(
      std::count_if(owners.begin(), owners.end(), [](auto owner) { return owner != kNobody; }));
  if (owned < clients) {
    return FailedPrecondition(Join("the data has ", owned, " examples for ", clients,
                                   " clients; simulate fewer clients, or bring more data"));
  }
  Population population;
  population.starts_.assign(std::size_t{clients} + 1, 0);
  for (const std::uint32_t owner : owners) {
    if (owner != kNobody) {
      TUTTI_CHECK(owner < clients);
      ++population.starts_[owner + 1];
    }
  }
  population.with_examples_ = static_cast<std::size_t>(std::count_if(
      population.starts_.begin() + 1, population.starts_.end(), [](auto n) { return n > 0; }));
  std::partial_sum(population.starts_.begin(), population.starts_.end(),
                   population.starts_.begin());
  population.rows_.resize(owned);
  std::vector<std::uint32_t> at(population.starts_.begin(), population.starts_.end() - 1);
  for (std::uint32_t row = 0; row < owners.size(); ++row) {
    if (owners[row] != kNobody) {
      population.rows_[at[owners[row]]++] = row;
    }
  }
  for (std::size_t client = 0; client < clients; ++client) {
    population.devices_.push_back(DrawDevice(world, client));
  }
  population.malicious_ =
      static_cast<std::size_t>(std::llround(world.malicious().share() * clients));
  std::vector<std::uint32_t> order(clients);
  std::iota(order.begin(), order.end(), 0U);
  auto rng = StreamOf(world.seed(), "malicious");
  for (std::size_t i = 0; i < population.malicious_; ++i) {
    std::swap(order[i], order[i + static_cast<std::size_t>(UniformBelow(rng, clients - i))]);
    population.devices_[order[i]].malicious = true;
  }
  return population;
}

std::span<const std::uint32_t> Population::rows(std::size_t client) const {
  return std::span(rows_).subspan(starts_[client], starts_[client + 1] - starts_[client]);
}

ClientId NameOf(std::size_t client) {
  std::string digits = std::to_string(client);
  digits.insert(0, kDigits - std::min(kDigits, digits.size()), '0');
  return ClientId(std::string(kPrefix) + digits);
}

std::size_t NumberOf(const ClientId& client) {
  const std::string& name = client.value();
  std::size_t number = 0;
  TUTTI_CHECK(name.size() >= kPrefix.size() + kDigits);
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), number);
  return number;
}

}  // namespace tutti::simulate
