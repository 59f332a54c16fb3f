// Key material: not printable, not comparable by ==, wiped when it dies or is moved from.
// Thread safety: value type.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace tutti {

// Overwrites memory in a way the compiler does not remove.
void Wipe(void* memory, std::size_t size);

// True when both have the same bytes; time depends on the length only.
bool EqualInConstantTime(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

template <std::size_t N>
class Secret {
 public:
  Secret() { bytes_.fill(0); }
  explicit Secret(std::span<const std::uint8_t, N> bytes) {
    std::memcpy(bytes_.data(), bytes.data(), N);
  }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.Clear(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.Clear();
    }
    return *this;
  }
  ~Secret() { Clear(); }
  bool operator==(const Secret&) const = delete;

  std::span<const std::uint8_t, N> view() const { return bytes_; }
  std::span<std::uint8_t, N> mutable_view() { return bytes_; }
  void Clear() { Wipe(bytes_.data(), N); }

 private:
  std::array<std::uint8_t, N> bytes_;
};

using Secret32 = Secret<32>;

}  // namespace tutti
