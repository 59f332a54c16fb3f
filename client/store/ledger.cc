#include "client/store/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "client/store/marker.h"
#include "common/base/text.h"
#include "common/ledger/ledger.h"
#include "common/platform/files.h"

namespace tutti::client_store {
namespace {

std::string LedgerPath(const std::string& directory) { return directory + "/ledger.bin"; }
std::string MarkerPath(const std::string& directory) { return directory + "/ledger.mark"; }
std::string LockPath(const std::string& directory) { return directory + "/ledger.lock"; }
std::string JournalPath(const std::string& directory) { return directory + "/journal.bin"; }

// What lies on the disk, before any judgement.
struct OnDisk {
  std::optional<Bytes> ledger;
  std::optional<Bytes> marker;
  bool journal = false;
};

StatusOr<std::optional<Bytes>> ReadIfThere(const std::string& path, std::uint64_t limit) {
  StatusOr<Bytes> bytes = platform::ReadFile(path, limit);
  if (bytes.ok()) return std::optional<Bytes>(*std::move(bytes));
  if (bytes.status().code() == StatusCode::kNotFound) return std::optional<Bytes>();
  return bytes.status();
}

StatusOr<OnDisk> ReadAll(const std::string& directory) {
  OnDisk disk;
  TUTTI_ASSIGN(disk.ledger, ReadIfThere(LedgerPath(directory), ledger::kMaxLedgerBytes));
  TUTTI_ASSIGN(disk.marker, ReadIfThere(MarkerPath(directory), 4096));
  disk.journal = platform::Exists(JournalPath(directory));
  return disk;
}

// What to do about a ledger that cannot be trusted; the same words wherever it is found.
std::string Advice(const std::string& directory) {
  return Join("; what was spent on this data is not certain any more, so no round is joined; put ",
              LedgerPath(directory), " and ", MarkerPath(directory),
              " back from where they were moved to, or, if they are lost for good, start once with "
              "--accept-ledger-reset (intact records are kept, the rest is forgotten)");
}

Status Missing(const std::string& directory, std::string_view found) {
  return FailedPrecondition(Join("LEDGER_MISSING: ", LedgerPath(directory), " is not there, but ",
                                 found, Advice(directory)));
}

Status Tampered(const std::string& directory, std::string_view fault) {
  return DataLoss(Join("LEDGER_TAMPERED: ", LedgerPath(directory),
                       " is not as it was written: ", fault, Advice(directory)));
}

// The judgement: OK when `disk` is what our own writes, cut anywhere by a crash, can leave behind.
Status Judge(const std::string& directory, const OnDisk& disk, const ledger::Verified& verified) {
  if (!disk.marker.has_value()) {
    // The marker is made before the ledger, so only a directory that never had a ledger has
    // neither.
    if (disk.ledger.has_value() && !disk.ledger->empty()) {
      return Tampered(directory, "its marker is missing");
    }
    return disk.journal ? Missing(directory, "rounds were answered (journal.bin)") : OkStatus();
  }
  const StatusOr<Marker> marker = DecodeMarker(*disk.marker);
  if (!marker.ok()) return Tampered(directory, TextOf(marker.status()));
  if (!disk.ledger.has_value()) {
    if (marker->count == 0) return OkStatus();
    return Missing(directory, Join("its marker counts ", marker->count, " records"));
  }
  const std::string fault = MarkerFault(verified, *marker);
  return fault.empty() ? OkStatus() : Tampered(directory, fault);
}

Marker MarkerOf(const ledger::Verified& verified) {
  Marker marker{verified.entries.size(), {}};
  if (!verified.hashes.empty()) marker.newest = verified.hashes.back();
  return marker;
}

// Copies a ledger that is being given up to the first free ledger.rejected-N.bin.
StatusOr<std::string> KeepAside(const std::string& directory, BytesView bytes) {
  for (int number = 1;; ++number) {
    const std::string path = Join(directory, "/ledger.rejected-", number, ".bin");
    if (platform::Exists(path)) continue;
    TUTTI_TRY(platform::WriteFileDurably(path, bytes));
    return path;
  }
}

Status WriteAndSync(int fd, BytesView record, const std::string& path) {
  while (!record.empty()) {
    const ssize_t wrote = ::write(fd, record.data(), record.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return platform::FileError(errno, "cannot write", path);
    record = record.subspan(static_cast<std::size_t>(wrote));
  }
  if (::fdatasync(fd) != 0) return platform::FileError(errno, "cannot sync", path);
  return OkStatus();
}

// Events in the order they came in, equal mechanisms merged.
class EventList {
 public:
  void Add(dp::Event event) {
    const std::uint64_t steps = dp::StepsOf(event);
    const auto [place, is_new] = places_.try_emplace(dp::WithSteps(event, 1), events_.size());
    if (!is_new) {
      const std::uint64_t known = dp::StepsOf(events_[place->second]);
      if (known <= std::numeric_limits<std::uint64_t>::max() - steps) {
        events_[place->second] = dp::WithSteps(std::move(event), known + steps);
        return;
      }
    }
    events_.push_back(std::move(event));
  }
  std::vector<dp::Event> Take() { return std::move(events_); }

 private:
  std::map<dp::Event, std::size_t> places_;
  std::vector<dp::Event> events_;
};

}  // namespace

struct Ledger::State {
  State(std::string folder, platform::FileLock held)
      : directory(std::move(folder)), lock(std::move(held)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (fd >= 0) ::close(fd);
  }

  Status Repair(const OnDisk& disk, const ledger::Verified& verified);
  Status Reset(const OnDisk& disk, const ledger::Verified& verified, const Status& reason);
  Status OpenFile();
  void Remember(v1::LedgerEntry entry);
  StatusOr<Digest> Write(v1::LedgerEntry entry);

  std::string directory;
  platform::FileLock lock;
  int fd = -1;
  bool usable = true;
  std::uint64_t bytes = 0;
  std::vector<v1::LedgerEntry> entries;
  std::set<std::string, std::less<>> sessions;
  Digest head{};
  std::vector<std::string> warnings;
};

// Brings files that passed Judge to the state that Append expects. Each step leaves something Judge
// accepts, so a crash in the middle is repaired by the next Open.
Status Ledger::State::Repair(const OnDisk& disk, const ledger::Verified& verified) {
  const std::string path = LedgerPath(directory);
  const Bytes marker = EncodeMarker(MarkerOf(verified));
  if (!disk.marker.has_value())
    TUTTI_TRY(platform::WriteFileDurably(MarkerPath(directory), marker));
  if (!disk.ledger.has_value()) TUTTI_TRY(platform::WriteFileDurably(path, {}));
  if (disk.ledger.has_value() && verified.intact_bytes < disk.ledger->size()) {
    if (::truncate(path.c_str(), static_cast<off_t>(verified.intact_bytes)) != 0) {
      return platform::FileError(errno, "cannot cut the unfinished record off", path);
    }
    warnings.push_back(
        Join("the last ", disk.ledger->size() - verified.intact_bytes, " bytes of ", path,
             " were a record that a crash left unfinished; cut off: its update had not left "
             "this device"));
  }
  // Synced before the marker counts it: a crashed process may have left a record in the page cache
  // only.
  TUTTI_TRY(OpenFile());
  if (disk.marker.has_value() && *disk.marker != marker) {
    TUTTI_TRY(platform::WriteFileDurably(MarkerPath(directory), marker));
    warnings.push_back(Join("the newest record of ", path,
                            " was written but not confirmed before a crash; it counts as spent"));
  }
  return OkStatus();
}

Status Ledger::State::Reset(const OnDisk& disk, const ledger::Verified& verified,
                            const Status& reason) {
  std::string kept = "there was no file to keep";
  if (disk.ledger.has_value()) {
    TUTTI_ASSIGN(const std::string path, KeepAside(directory, *disk.ledger));
    kept = "the file as it was: " + path;
  }
  const Bytes none;
  const BytesView intact = BytesView(disk.ledger.has_value() ? *disk.ledger : none)
                               .first(static_cast<std::size_t>(verified.intact_bytes));
  TUTTI_TRY(platform::WriteFileDurably(LedgerPath(directory), intact));
  TUTTI_TRY(platform::WriteFileDurably(MarkerPath(directory), EncodeMarker(MarkerOf(verified))));
  warnings.push_back(Join("ledger reset as asked, ", verified.entries.size(),
                          " intact records kept; ", kept, "; the reason was ", TextOf(reason)));
  return OpenFile();
}

Status Ledger::State::OpenFile() {
  const std::string path = LedgerPath(directory);
  fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return platform::FileError(errno, "cannot open", path);
  if (::fsync(fd) != 0) return platform::FileError(errno, "cannot sync", path);
  return OkStatus();
}

void Ledger::State::Remember(v1::LedgerEntry entry) {
  if (!entry.session().empty()) sessions.insert(entry.session());
  entries.push_back(std::move(entry));
}

StatusOr<Digest> Ledger::State::Write(v1::LedgerEntry entry) {
  entry.set_sequence(entries.size());
  entry.set_previous_hash(ToString(head));
  TUTTI_ASSIGN(const Bytes record, ledger::EncodeRecord(entry));
  if (bytes + record.size() > ledger::kMaxLedgerBytes) {
    return ResourceExhausted(Join(LedgerPath(directory), " has reached its largest size of ",
                                  ledger::kMaxLedgerBytes, " bytes"));
  }
  // Unusable until all is durable: whatever fails below, the next entry needs a fresh look at the
  // disk.
  usable = false;
  TUTTI_TRY(WriteAndSync(fd, record, LedgerPath(directory)));
  const Digest hash = ledger::HashOfRecord(record);
  // Record first, marker second: a crash between them leaves one record more than the marker
  // counts, which Open takes as spent. The other way round it would leave a marker for a record
  // that never was, which looks like a rollback.
  TUTTI_TRY(
      platform::WriteFileDurably(MarkerPath(directory), EncodeMarker({entries.size() + 1, hash})));
  bytes += record.size();
  head = hash;
  Remember(std::move(entry));
  usable = true;
  return hash;
}

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;

StatusOr<Ledger> Ledger::Open(const LedgerSettings& settings) {
  const std::string& directory = settings.directory;
  TUTTI_TRY(platform::MakeDirectory(directory, 0700));
  StatusOr<platform::FileLock> lock =
      platform::FileLock::Acquire(LockPath(directory), Join("privacy ledger in ", directory));
  if (lock.status().code() == StatusCode::kAborted) {
    return FailedPrecondition(
        Join("LEDGER_LOCKED: ", TextOf(lock.status()), " (lock file ", LockPath(directory), ")"));
  }
  TUTTI_TRY(lock.status());
  auto state = std::make_unique<State>(directory, *std::move(lock));
  TUTTI_ASSIGN(const OnDisk disk, ReadAll(directory));
  ledger::Verified verified;
  if (disk.ledger.has_value()) verified = ledger::Verify(*disk.ledger);
  const Status judgement = Judge(directory, disk, verified);
  if (judgement.ok()) {
    TUTTI_TRY(state->Repair(disk, verified));
  } else if (settings.accept_reset) {
    TUTTI_TRY(state->Reset(disk, verified, judgement));
  } else {
    return judgement;
  }
  state->bytes = verified.intact_bytes;
  if (!verified.hashes.empty()) state->head = verified.hashes.back();
  for (v1::LedgerEntry& entry : verified.entries) state->Remember(std::move(entry));
  return Ledger(std::move(state));
}

const std::vector<std::string>& Ledger::warnings() const { return state_->warnings; }

StatusOr<Digest> Ledger::Append(v1::LedgerEntry entry) {
  if (!state_->usable) {
    return FailedPrecondition(
        Join("LEDGER_UNUSABLE: an earlier write to ", LedgerPath(state_->directory),
             " failed, so what is on the disk is not known; open the ledger again"));
  }
  return state_->Write(std::move(entry));
}

SpentEvents Ledger::Events(std::string_view data_identity, std::string_view unit) const {
  EventList coordinator;
  EventList models;
  for (const v1::LedgerEntry& entry : state_->entries) {
    if (entry.data_identity() != data_identity) continue;
    std::optional<ledger::UnitEvents> events = ledger::EventsFor(entry, unit);
    if (!events.has_value()) continue;
    coordinator.Add(std::move(events->coordinator));
    models.Add(std::move(events->models));
  }
  return {coordinator.Take(), models.Take()};
}

std::uint64_t Ledger::RoundsOfJob(std::string_view data_identity, std::string_view coordinator,
                                  std::string_view job) const {
  return static_cast<std::uint64_t>(std::count_if(
      state_->entries.begin(), state_->entries.end(), [&](const v1::LedgerEntry& entry) {
        return entry.data_identity() == data_identity && entry.coordinator() == coordinator &&
               entry.job() == job && !entry.beside_update();
      }));
}

std::uint64_t Ledger::ReleasesWithoutPrivacy(std::string_view data_identity) const {
  std::uint64_t count = 0;
  for (const v1::LedgerEntry& entry : state_->entries) {
    if (entry.data_identity() == data_identity &&
        entry.event().mechanism() == ledger::kNoMechanism) {
      ++count;
    }
  }
  return count;
}

bool Ledger::HasSession(BytesView session) const {
  return state_->sessions.find(AsText(session)) != state_->sessions.end();
}

Bytes Ledger::Head() const { return state_->entries.empty() ? Bytes{} : ToBytes(state_->head); }

const std::vector<v1::LedgerEntry>& Ledger::Entries() const { return state_->entries; }

std::uint64_t Ledger::RoundsSince(WallSeconds since) const {
  std::uint64_t count = 0;
  for (const v1::LedgerEntry& entry : state_->entries) {
    if (entry.time() >= since && !entry.beside_update()) ++count;
  }
  return count;
}

StatusOr<std::vector<v1::LedgerEntry>> ReadLedger(const std::string& directory) {
  TUTTI_ASSIGN(const Bytes bytes,
               platform::ReadFile(LedgerPath(directory), ledger::kMaxLedgerBytes));
  ledger::Verified verified = ledger::Verify(bytes);
  if (verified.state == ledger::State::kTampered && !verified.damage_is_last) {
    return Tampered(directory, Join("record ", verified.damaged_record, " ", verified.damage));
  }
  return std::move(verified.entries);
}

}  // namespace tutti::client_store
