// A block of float32 values in memory that another process can map too (memfd). Sealed against
// resizing: a child that truncates it cannot make us fault. Thread safety: confined to one thread;
// the other process may write at any time, so values are copied out before they are judged.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/status.h"

namespace tutti::trainer {

class SharedValues {
 public:
  // All zero. ResourceExhausted when the system has no memory for it.
  static StatusOr<SharedValues> Create(std::uint64_t values);
  SharedValues(SharedValues&& other) noexcept;
  SharedValues& operator=(SharedValues&&) = delete;
  ~SharedValues();

  int fd() const { return fd_; }
  void Write(std::uint64_t first, std::span<const float> values);
  std::vector<float> Copy(std::uint64_t first, std::uint64_t count) const;

 private:
  SharedValues(int fd, float* data, std::uint64_t values) : fd_(fd), data_(data), values_(values) {}
  int fd_;
  float* data_;
  std::uint64_t values_;
};

}  // namespace tutti::trainer
