// Values of a RingVector one by one, whatever its lanes' width: for tests and benchmarks.
// Thread safety: as RingVector.
#pragma once

#include <cstdint>
#include <functional>

#include "common/secagg/ring.h"

namespace tutti::secagg {

// Payload value `index` as a signed number of the ring's bits.
inline std::int64_t SignedValue(const RingVector& vector, std::size_t index) {
  const std::uint32_t unused = 64 - vector.layout().bits;
  const std::uint64_t lane =
      std::visit([&](const auto& lanes) { return static_cast<std::uint64_t>(lanes.at(index)); },
                 vector.payload());
  return static_cast<std::int64_t>(lane << unused) >> unused;
}

inline void SetValue(RingVector& vector, std::size_t index, std::int64_t value) {
  std::visit(
      [&](auto& lanes) {
        using Lane = typename std::decay_t<decltype(lanes)>::value_type;
        lanes.at(index) = static_cast<Lane>(value);
      },
      vector.payload());
}

// sum += vector, lane by lane; both are of one layout and range.
inline void AddTo(RingVector& sum, const RingVector& vector) {
  std::visit(
      [&](auto& to) {
        using Lanes = std::decay_t<decltype(to)>;
        const Lanes& from = std::get<Lanes>(vector.payload());
        for (std::size_t i = 0; i < to.size(); ++i) {
          to[i] = static_cast<typename Lanes::value_type>(to[i] + from[i]);
        }
      },
      sum.payload());
  for (std::size_t i = 0; i < sum.extras().size(); ++i) {
    sum.extras()[i] += vector.extras()[i];
  }
}

// Every lane, extra ones too, from `draw`.
inline void FillVector(RingVector& vector, const std::function<std::uint64_t()>& draw) {
  std::visit(
      [&](auto& lanes) {
        using Lane = typename std::decay_t<decltype(lanes)>::value_type;
        for (Lane& lane : lanes) {
          lane = static_cast<Lane>(draw());
        }
      },
      vector.payload());
  for (std::uint32_t& lane : vector.extras()) {
    lane = static_cast<std::uint32_t>(draw());
  }
}

}  // namespace tutti::secagg
