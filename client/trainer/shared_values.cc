#include "client/trainer/shared_values.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/text.h"

namespace tutti::trainer {
namespace {

// The limit of TaskSpec.values; larger never reaches this place.
constexpr std::uint64_t kMaxValues = std::uint64_t{1} << 32;

Status MemoryError(const char* call, std::uint64_t values) {
  return ResourceExhausted(
      Join("no shared memory for ", values, " values: ", call, ": ", std::strerror(errno)));
}

}  // namespace

StatusOr<SharedValues> SharedValues::Create(std::uint64_t values) {
  if (values == 0 || values > kMaxValues) {
    return InvalidArgument(
        Join("shared memory for ", values, " values, expected 1 to ", kMaxValues));
  }
  const int fd = ::memfd_create("tutti-values", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return MemoryError("memfd_create", values);
  const std::size_t bytes = values * sizeof(float);
  void* data = MAP_FAILED;
  const char* failed = nullptr;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    failed = "ftruncate";
  } else if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    failed = "sealing";
  } else if (data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
             data == MAP_FAILED) {
    failed = "mmap";
  }
  if (failed != nullptr) {
    const Status status = MemoryError(failed, values);
    ::close(fd);
    return status;
  }
  return SharedValues(fd, static_cast<float*>(data), values);
}

SharedValues::SharedValues(SharedValues&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      values_(std::exchange(other.values_, 0)) {}

SharedValues::~SharedValues() {
  if (data_ != nullptr) ::munmap(data_, values_ * sizeof(float));
  if (fd_ >= 0) ::close(fd_);
}

void SharedValues::Write(std::uint64_t first, std::span<const float> values) {
  if (!values.empty()) std::memcpy(data_ + first, values.data(), values.size_bytes());
}

std::vector<float> SharedValues::Copy(std::uint64_t first, std::uint64_t count) const {
  return {data_ + first, data_ + first + count};
}

}  // namespace tutti::trainer
