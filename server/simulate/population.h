// The simulated clients: what their devices are like and which examples each of them has. Memory: a
// few dozen bytes a client and four an example, whatever the model. Thread safety: value types and
// pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "tutti/v1/simulation.pb.h"

namespace tutti::simulate {

inline constexpr std::uint32_t kNobody = 0xffffffff;  // owns examples that are not trained on

struct Device {
  double latency_seconds = 0;  // one way
  double download_bytes_per_second = 0;
  double upload_bytes_per_second = 0;
  double examples_per_second = 0;
  bool malicious = false;
};

class Population {
 public:
  // `owners`: for each example the client that has it, 0 .. clients - 1, or kNobody.
  // FailedPrecondition when
  // there are fewer examples than clients. Clients without an example are enrolled and never
  // available.
  static StatusOr<Population> Create(const v1::SimulationConfig& world, std::uint32_t clients,
                                     std::span<const std::uint32_t> owners);

  std::size_t size() const { return devices_.size(); }
  const Device& device(std::size_t client) const { return devices_[client]; }
  std::span<const std::uint32_t> rows(std::size_t client) const;  // ascending
  std::size_t with_examples() const { return with_examples_; }
  std::size_t malicious() const { return malicious_; }

 private:
  std::vector<Device> devices_;
  std::vector<std::uint32_t> rows_;    // by client
  std::vector<std::uint32_t> starts_;  // of each client's rows; one more than clients
  std::size_t with_examples_ = 0;
  std::size_t malicious_ = 0;
};

// "client-000017": in the order of the numbers.
ClientId NameOf(std::size_t client);
std::size_t NumberOf(const ClientId& client);  // of a name NameOf made

}  // namespace tutti::simulate
