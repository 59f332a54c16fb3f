// Strong identifiers: values of different kinds do not mix by accident.
// Thread safety: value types.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace tutti {

template <typename Tag, typename T>
class StrongId {
 public:
  using Value = T;
  StrongId() = default;
  explicit StrongId(T value) : value_(std::move(value)) {}
  const T& value() const { return value_; }
  auto operator<=>(const StrongId&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const StrongId& id) {
    return out << id.value_;
  }

 private:
  T value_{};
};

using ClientId = StrongId<struct ClientIdTag, std::string>;  // the enrolled name; IsSafeName holds
using JobId = StrongId<struct JobIdTag, std::string>;        // the job's name; IsSafeName holds
using RoundNumber = StrongId<struct RoundNumberTag, std::uint64_t>;  // 1, 2, ... within a job

}  // namespace tutti

template <typename Tag, typename T>
struct std::hash<tutti::StrongId<Tag, T>> {
  std::size_t operator()(const tutti::StrongId<Tag, T>& id) const {
    return std::hash<T>{}(id.value());
  }
};
