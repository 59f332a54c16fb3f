// Where a masked vector waits until it is whole: in one of a few memory slots, or in an unnamed
// file. Memory stays O(model) whatever the number of clients, and a slow client never keeps others
// waiting for a slot. Thread safety: SpoolPool is safe; a Spool is used by one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/status.h"

namespace tutti::rpc {

// Called with consecutive parts of the vector and each part's first byte.
using PartVisitor = std::function<Status(BytesView part, std::uint64_t first_byte)>;

class SpoolPool;

class Spool {
 public:
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // The next bytes. InvalidArgument past the announced size; ResourceExhausted when the disk is
  // full.
  Status Append(BytesView bytes);
  std::uint64_t received() const { return received_; }
  // Keeps the first `bytes` of what came, in a file: a slot goes back to the pool. After an error
  // the spool is of no use any more. ResourceExhausted when the disk is full.
  Status Shelve(std::uint64_t bytes);
  // Parts of a multiple of `unit` bytes, except that the last one has all that is left: at least
  // kTail bytes, or everything.
  static constexpr std::size_t kTail = 1024;
  Status Visit(std::size_t unit, const PartVisitor& visitor) const;

 private:
  friend class SpoolPool;
  Spool(SpoolPool& pool, std::uint64_t bytes) : pool_(pool), bytes_(bytes) {}

  SpoolPool& pool_;
  const std::uint64_t bytes_;
  std::uint64_t received_ = 0;
  Bytes memory_;  // in a slot when fd_ < 0
  int fd_ = -1;
};

class SpoolPool {
 public:
  using Taker = std::function<void(StatusOr<std::unique_ptr<Spool>>)>;

  // At most `slots` vectors in memory; more in files in `directory`. A waiting upload goes to a
  // file once no slot was given back for `patience`: whoever holds the slots is slow. `clock` is
  // borrowed.
  SpoolPool(std::size_t slots, std::string directory, const Clock& clock,
            Milliseconds patience = Milliseconds(250));

  // Calls `taker` with a place for `bytes`: now, or later from the thread that
  // frees a slot or calls Expire.
  void Request(std::uint64_t bytes, Taker taker);
  // Sends those who waited long enough to files. True when someone still waits.
  bool Expire();
  // Frees the buffers kept for reuse.
  void Trim();
  std::size_t in_memory() const;
  std::size_t in_files() const;

 private:
  friend class Spool;
  struct Waiter {
    std::uint64_t bytes;
    Taker taker;
  };
  std::unique_ptr<Spool> InMemory(std::uint64_t bytes, Bytes buffer);
  StatusOr<std::unique_ptr<Spool>> InFile(std::uint64_t bytes);
  StatusOr<int> OpenFile();
  void GiveBack(Bytes buffer);
  void FileClosed();

  const std::size_t slots_;
  const std::string directory_;
  const Clock& clock_;
  const Milliseconds patience_;
  mutable std::mutex mutex_;
  std::size_t taken_ = 0;       // guarded by mutex_
  std::size_t files_ = 0;       // guarded by mutex_
  std::deque<Waiter> waiters_;  // guarded by mutex_
  Instant last_turnover_{0};    // guarded by mutex_; a slot was given back, or waiting began
  std::vector<Bytes> kept_;     // guarded by mutex_; buffers of free slots
};

}  // namespace tutti::rpc
