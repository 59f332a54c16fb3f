// A fuzz input read as decisions: what is missing reads as zeros, so every input is one.
// Thread safety: confined to one thread.
#pragma once

#include <algorithm>
#include <string_view>

#include "common/base/bytes.h"

namespace tutti::fuzz {

class Source {
 public:
  explicit Source(BytesView bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t U8() { return static_cast<std::uint8_t>(Number(1)); }
  std::uint16_t U16() { return static_cast<std::uint16_t>(Number(2)); }
  std::uint32_t U32() { return static_cast<std::uint32_t>(Number(4)); }
  std::uint64_t U64() { return Number(8); }
  std::size_t Below(std::size_t bound) { return bound == 0 ? 0 : U16() % bound; }
  BytesView Take(std::size_t most) {
    const BytesView taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  void Fill(std::span<std::uint8_t> out) {
    const BytesView taken = Take(out.size());
    std::fill(std::copy(taken.begin(), taken.end(), out.begin()), out.end(), std::uint8_t{0});
  }

 private:
  std::uint64_t Number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : Take(bytes)) {
      value = value << 8 | byte;
    }
    return value;
  }

  BytesView rest_;
};

}  // namespace tutti::fuzz
