// A virtual clock and the heap of things that will happen on it. Things due at the same time happen
// in the order they were announced. Nothing here knows what they are. Thread safety: confined to
// one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "common/base/clock.h"

namespace tutti::simulate {

class EventQueue {
 public:
  Instant now() const { return now_; }
  bool empty() const { return future_.empty(); }
  void After(Milliseconds delay, std::function<void()> what);
  // The earliest thing happens, at its time; false when nothing is left.
  bool Step();

 private:
  struct Key {
    Instant time;
    std::uint64_t sequence;
    auto operator<=>(const Key&) const = default;
  };
  Instant now_{0};
  std::uint64_t sequence_ = 0;
  std::map<Key, std::function<void()>> future_;
};

}  // namespace tutti::simulate
