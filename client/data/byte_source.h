// The bytes of a regular file, decompressed when it is gzip (told by its first bytes, not by its
// name). Thread safety: confined to one thread. Source of the format: RFC 1952, several members
// allowed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/base/status.h"

namespace tutti::data {

class ByteSource {
 public:
  static StatusOr<ByteSource> Open(const std::string& path);
  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) noexcept;
  ~ByteSource();

  // Fills `out` as far as the file goes: fewer bytes than asked mean its end. DataLoss when the
  // compressed stream is damaged or cut, or when something that is not gzip follows it.
  StatusOr<std::size_t> Read(std::span<std::uint8_t> out);
  // FailedPrecondition when the file's size or time changed since Open.
  Status CheckUnchanged() const;

  const std::string& path() const;
  bool compressed() const;
  std::uint64_t file_bytes() const;  // on disk

 private:
  struct State;
  explicit ByteSource(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tutti::data
