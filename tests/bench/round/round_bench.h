// tutti-bench round: whole rounds over mutual TLS on the loopback, without training.
// tutti-bench park: what a waiting client costs the coordinator.
// Thread safety: pure entry points, one at a time.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/status.h"

namespace tutti::bench {

struct RoundSettings {
  std::string programs;  // folder of tutti-server
  std::uint32_t clients = 10;
  std::uint64_t values = 10000;
  std::uint32_t rounds = 5;  // measured, after the first
  std::string level = "curious";
  std::uint32_t threads = 8;  // of the load process
  double limit_seconds = 600;
};
StatusOr<nlohmann::json> MeasureRounds(const RoundSettings& settings);

struct ParkSettings {
  std::string programs;
  std::uint32_t clients = 1000;
};
StatusOr<nlohmann::json> MeasureParked(const ParkSettings& settings);

// cores, build type, version: in every line.
nlohmann::json MachineFacts();

}  // namespace tutti::bench
