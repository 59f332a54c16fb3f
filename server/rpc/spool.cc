#include "server/rpc/spool.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/text.h"
#include "common/platform/files.h"

namespace tutti::rpc {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;  // the vector passes through the cache

Status WriteAt(int fd, BytesView bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote < 0) {
      return platform::FileError(errno, "cannot write", "a spooled upload");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    offset += static_cast<std::uint64_t>(wrote);
  }
  return OkStatus();
}

Status ReadAt(int fd, std::span<std::uint8_t> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return platform::FileError(got < 0 ? errno : EIO, "cannot read", "a spooled upload");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return OkStatus();
}

}  // namespace

Spool::~Spool() {
  if (fd_ >= 0) {
    ::close(fd_);
    pool_.FileClosed();
  } else {
    pool_.GiveBack(std::move(memory_));
  }
}

Status Spool::Append(BytesView bytes) {
  if (bytes.size() > bytes_ - received_) {
    return InvalidArgument(
        Join("upload has more than the ", bytes_, " bytes its header announced"));
  }
  if (fd_ >= 0) {
    TUTTI_TRY(WriteAt(fd_, bytes, received_));
  } else if (!bytes.empty()) {
    std::memcpy(memory_.data() + received_, bytes.data(), bytes.size());
  }
  received_ += bytes.size();
  return OkStatus();
}

Status Spool::Shelve(std::uint64_t bytes) {
  received_ = std::min(received_, bytes);
  if (fd_ >= 0) {
    return OkStatus();
  }
  TUTTI_ASSIGN(const int fd, pool_.OpenFile());
  const Status written = WriteAt(fd, BytesView(memory_).first(received_), 0);
  fd_ = fd;
  pool_.GiveBack(std::move(memory_));
  return written;
}

Status Spool::Visit(std::size_t unit, const PartVisitor& visitor) const {
  if (fd_ < 0) {
    return visitor(memory_, 0);
  }
  const std::size_t step = std::max(kReadBytes / unit, std::size_t{1}) * unit;
  Bytes part;
  for (std::uint64_t first = 0; first < bytes_; first += part.size()) {
    const std::uint64_t left = bytes_ - first;
    part.resize(left < step + kTail ? left : step);
    TUTTI_TRY(ReadAt(fd_, part, first));
    TUTTI_TRY(visitor(part, first));
  }
  return OkStatus();
}

SpoolPool::SpoolPool(std::size_t slots, std::string directory, const Clock& clock,
                     Milliseconds patience)
    : slots_(slots), directory_(std::move(directory)), clock_(clock), patience_(patience) {}

std::unique_ptr<Spool> SpoolPool::InMemory(std::uint64_t bytes, Bytes buffer) {
  std::unique_ptr<Spool> spool(new Spool(*this, bytes));
  buffer.resize(bytes);
  spool->memory_ = std::move(buffer);
  return spool;
}

StatusOr<int> SpoolPool::OpenFile() {
  TUTTI_ASSIGN(const int fd, platform::OpenUnnamedFile(directory_));
  const std::lock_guard lock(mutex_);
  ++files_;
  return fd;
}

StatusOr<std::unique_ptr<Spool>> SpoolPool::InFile(std::uint64_t bytes) {
  TUTTI_ASSIGN(const int fd, OpenFile());
  std::unique_ptr<Spool> spool(new Spool(*this, bytes));
  spool->fd_ = fd;
  return spool;
}

void SpoolPool::Request(std::uint64_t bytes, Taker taker) {
  Bytes buffer;
  {
    const std::lock_guard lock(mutex_);
    if (slots_ > 0 && taken_ >= slots_) {
      if (waiters_.empty()) {
        last_turnover_ = clock_.Now();
      }
      waiters_.push_back({bytes, std::move(taker)});
      return;
    }
    if (slots_ > 0) {
      ++taken_;
      if (!kept_.empty()) {
        buffer = std::move(kept_.back());
        kept_.pop_back();
      }
    }
  }
  if (slots_ == 0) {
    taker(InFile(bytes));
  } else {
    taker(InMemory(bytes, std::move(buffer)));
  }
}

void SpoolPool::GiveBack(Bytes buffer) {
  Waiter next;
  {
    const std::lock_guard lock(mutex_);
    last_turnover_ = clock_.Now();
    if (waiters_.empty()) {
      --taken_;
      kept_.push_back(std::move(buffer));
      return;
    }
    next = std::move(waiters_.front());
    waiters_.pop_front();
  }
  next.taker(InMemory(next.bytes, std::move(buffer)));
}

bool SpoolPool::Expire() {
  std::deque<Waiter> tired;
  {
    const std::lock_guard lock(mutex_);
    if (waiters_.empty()) {
      return false;
    }
    if (clock_.Now() - last_turnover_ < patience_) {
      return true;
    }
    tired.swap(waiters_);
  }
  for (Waiter& waiter : tired) {
    waiter.taker(InFile(waiter.bytes));
  }
  return false;
}

void SpoolPool::Trim() {
  const std::lock_guard lock(mutex_);
  kept_.clear();
}

void SpoolPool::FileClosed() {
  const std::lock_guard lock(mutex_);
  --files_;
}

std::size_t SpoolPool::in_memory() const {
  const std::lock_guard lock(mutex_);
  return taken_;
}
std::size_t SpoolPool::in_files() const {
  const std::lock_guard lock(mutex_);
  return files_;
}

}  // namespace tutti::rpc
