#include "client/store/journal.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/platform/files.h"

namespace tutti::client_store {
namespace {

constexpr std::string_view kMagic = "TUTTIJN1";
constexpr std::uint64_t kMaxBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMaxName = 64;

Bytes Encode(const std::vector<Answered>& entries) {
  ByteWriter writer;
  writer.Raw(AsBytes(kMagic));
  writer.U32(static_cast<std::uint32_t>(entries.size()));
  for (const Answered& entry : entries) {
    writer.Text(entry.job);
    writer.U64(entry.round);
    writer.U64(entry.attempt);
    writer.Raw(entry.session);
    writer.Raw(entry.survivor_set);
  }
  writer.Raw(crypto::Sha256(writer.bytes()));
  return writer.Take();
}

Status Damaged(const std::string& path, std::string_view fault) {
  return DataLoss(Join(
      "JOURNAL_DAMAGED: ", path, " ", fault,
      "; put it back from where it was moved to, or, if it is lost for good, remove it: rounds "
      "that were answered before may then be answered again"));
}

StatusOr<std::vector<Answered>> Decode(const std::string& path, BytesView bytes) {
  if (bytes.size() < kMagic.size() + 4 + 32 || AsText(bytes.first(kMagic.size())) != kMagic) {
    return Damaged(path, "does not begin as a journal");
  }
  const BytesView content = bytes.first(bytes.size() - 32);
  const Digest expected = crypto::Sha256(content);
  if (AsText(bytes.last(32)) != AsText(expected)) {
    return Damaged(path, "does not have the content its checksum says");
  }
  ByteReader reader(content.subspan(kMagic.size()));
  const std::uint32_t count = reader.U32();
  std::vector<Answered> entries;
  std::set<std::string> jobs;
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    Answered entry;
    entry.job = reader.Text(kMaxName);
    entry.round = reader.U64();
    entry.attempt = reader.U64();
    const BytesView session = reader.Raw(32);
    const BytesView set = reader.Raw(32);
    if (!reader.ok() || !jobs.insert(entry.job).second) break;
    std::copy(session.begin(), session.end(), entry.session.begin());
    std::copy(set.begin(), set.end(), entry.survivor_set.begin());
    entries.push_back(std::move(entry));
  }
  if (!reader.ok() || !reader.AtEnd() || entries.size() != count) {
    return Damaged(path, "has entries that do not fit its length");
  }
  return entries;
}

// OK when `next` may follow `last` of the same job.
Status CheckOrder(const Answered& last, const Answered& next) {
  const auto when = [](const Answered& a) { return std::tie(a.round, a.attempt); };
  if (when(next) > when(last)) return OkStatus();
  const std::string named =
      Join("round ", next.round, ", attempt ", next.attempt, " of job ", Escaped(next.job, 64));
  if (when(next) < when(last)) {
    return FailedPrecondition(Join(named, " comes before round ", last.round, ", attempt ",
                                   last.attempt, ", which was answered already"));
  }
  if (next.session != last.session) {
    return AlreadyExists(Join(named, " was answered in another session"));
  }
  if (last.survivor_set != Digest{} && next.survivor_set != last.survivor_set) {
    return AlreadyExists(Join(named, " was answered for another survivor set"));
  }
  return OkStatus();
}

}  // namespace

StatusOr<Journal> Journal::Open(const std::string& directory) {
  TUTTI_TRY(platform::MakeDirectory(directory, 0700));
  Journal journal(directory + "/journal.bin");
  const StatusOr<Bytes> bytes = platform::ReadFile(journal.path_, kMaxBytes);
  if (bytes.status().code() == StatusCode::kNotFound) return journal;
  TUTTI_TRY(bytes.status());
  TUTTI_ASSIGN(journal.entries_, Decode(journal.path_, *bytes));
  return journal;
}

Status Journal::Record(const Answered& answered) {
  if (!usable_) {
    return FailedPrecondition(
        Join("JOURNAL_UNUSABLE: an earlier write to ", path_, " failed; open the journal again"));
  }
  if (!IsSafeName(answered.job)) {
    return InvalidArgument(
        Join("job name ", Escaped(answered.job, 64), " is not 1 to 64 of a-z 0-9 . _ -"));
  }
  std::vector<Answered> next = entries_;
  const auto known = std::find_if(next.begin(), next.end(),
                                  [&](const Answered& e) { return e.job == answered.job; });
  if (known == next.end()) {
    next.push_back(answered);
  } else {
    if (*known == answered) return OkStatus();
    TUTTI_TRY(CheckOrder(*known, answered));
    *known = answered;
  }
  const Bytes bytes = Encode(next);
  if (bytes.size() > kMaxBytes) {
    return ResourceExhausted(Join(path_, " has reached its largest size of ", kMaxBytes, " bytes"));
  }
  usable_ = false;
  TUTTI_TRY(platform::WriteFileDurably(path_, bytes));
  usable_ = true;
  entries_ = std::move(next);
  return OkStatus();
}

}  // namespace tutti::client_store
