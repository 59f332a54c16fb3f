// The newest round this device answered in each job, durable before the answer leaves: after a
// crash it neither sends a second vector nor answers a second survivor set in that round. File:
// <directory>/journal.bin (docs/formats.md), replaced as a whole. Thread safety: confined to one
// thread; the ledger's lock keeps other processes out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace tutti::client_store {

struct Answered {
  std::string job;
  std::uint64_t round = 0;
  std::uint64_t attempt = 0;
  Digest session{};       // the round configuration's hash
  Digest survivor_set{};  // zeros: the vector was sent, no set was answered yet
  bool operator==(const Answered&) const = default;
};

class Journal {
 public:
  // DataLoss "JOURNAL_DAMAGED: ..." when the file is not one that was written here.
  static StatusOr<Journal> Open(const std::string& directory);

  // Durable when it returns OK. The same again is OK. FailedPrecondition when a later round or
  // attempt of the job was answered; AlreadyExists when this one was answered with another session
  // or survivor set. After a write error the journal takes nothing more until it is opened again.
  Status Record(const Answered& answered);

  const std::vector<Answered>& entries() const { return entries_; }  // one per job

 private:
  explicit Journal(std::string path) : path_(std::move(path)) {}
  std::string path_;
  std::vector<Answered> entries_;
  bool usable_ = true;
};

}  // namespace tutti::client_store
