#include "common/ledger/ledger.h"

#include <cmath>
#include <limits>
#include <vector>

#include "common/base/rng.h"
#include "common/crypto/hash.h"
#include "tests/catch.h"

namespace tutti::ledger {
namespace {

v1::LedgerEntry EntryOf(std::uint64_t sequence, const Digest& previous) {
  v1::LedgerEntry entry;
  entry.set_sequence(sequence);
  entry.set_previous_hash(ToString(previous));
  entry.set_time(1700000000 + static_cast<std::int64_t>(sequence));
  entry.set_data_identity("photos");
  entry.set_unit("example");
  entry.set_job("digits");
  entry.set_round(sequence + 1);
  *entry.mutable_event() = ToMechanismEvent(dp::SubsampledGaussian{0.01, 1.1, 20});
  return entry;
}

// A ledger of `count` records, each record alone.
std::vector<Bytes> Records(std::uint64_t count) {
  std::vector<Bytes> records;
  Digest previous{};
  for (std::uint64_t i = 0; i < count; ++i) {
    records.push_back(*EncodeRecord(EntryOf(i, previous)));
    previous = HashOfRecord(records.back());
  }
  return records;
}

Bytes Joined(const std::vector<Bytes>& records) {
  Bytes all;
  for (const Bytes& record : records) all.insert(all.end(), record.begin(), record.end());
  return all;
}

TEST_CASE("an empty file is an intact ledger without entries", "[ledger]") {
  const Verified verdict = Verify({});
  REQUIRE(verdict.state == State::kIntact);
  REQUIRE(verdict.entries.empty());
  REQUIRE(verdict.intact_bytes == 0);
}

TEST_CASE("what was written is read back, with the chain's hashes", "[ledger]") {
  const std::vector<Bytes> records = Records(5);
  const Bytes bytes = Joined(records);
  const Verified verdict = Verify(bytes);
  REQUIRE(verdict.state == State::kIntact);
  REQUIRE(verdict.entries.size() == 5);
  REQUIRE(verdict.intact_bytes == bytes.size());
  REQUIRE(verdict.hashes[4] == HashOfRecord(records[4]));
  REQUIRE(verdict.entries[3].round() == 4);
  REQUIRE(verdict.entries[3].previous_hash() == ToString(verdict.hashes[2]));
}

TEST_CASE("a record is its length, its entry and the entry's SHA-256", "[ledger]") {
  const v1::LedgerEntry entry = EntryOf(0, {});
  const Bytes record = *EncodeRecord(entry);
  const std::string text = entry.SerializeAsString();
  REQUIRE(record.size() == text.size() + kRecordOverhead);
  REQUIRE(record[0] == text.size() % 256);
  REQUIRE(record[1] == text.size() / 256);
  REQUIRE(HashOfRecord(record) == crypto::Sha256(AsBytes(text)));
}

TEST_CASE("a ledger cut at every byte keeps its whole records and is torn between them",
          "[ledger]") {
  const std::vector<Bytes> records = Records(4);
  const Bytes bytes = Joined(records);
  std::size_t whole = 0;
  std::size_t boundary = 0;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    if (whole < records.size() && cut == boundary + records[whole].size()) {
      boundary = cut;
      ++whole;
    }
    const Verified verdict = Verify(BytesView(bytes).first(cut));
    REQUIRE(verdict.state == (cut == boundary ? State::kIntact : State::kTornTail));
    REQUIRE(verdict.entries.size() == whole);
    REQUIRE(verdict.intact_bytes == boundary);
  }
}

TEST_CASE("an edit of any byte of an earlier record is found", "[ledger]") {
  const std::vector<Bytes> records = Records(4);
  const Bytes bytes = Joined(records);
  const std::size_t earlier = bytes.size() - records[3].size();
  for (std::size_t at = 0; at < earlier; ++at) {
    for (const std::uint8_t flip : Bytes{0x01, 0x80, 0xff}) {
      Bytes edited = bytes;
      edited[at] ^= flip;
      const Verified verdict = Verify(edited);
      INFO("byte " << at << " flip " << int{flip});
      REQUIRE(verdict.state == State::kTampered);
      REQUIRE(!verdict.damage_is_last);
      REQUIRE(verdict.damaged_record == verdict.entries.size());
      REQUIRE(verdict.intact_bytes <= at);
    }
  }
}

TEST_CASE("an edit of any byte of the last record never passes as intact", "[ledger]") {
  const std::vector<Bytes> records = Records(3);
  const Bytes bytes = Joined(records);
  for (std::size_t at = bytes.size() - records[2].size(); at < bytes.size(); ++at) {
    Bytes edited = bytes;
    edited[at] ^= 0x04;
    const Verified verdict = Verify(edited);
    REQUIRE(verdict.state != State::kIntact);
    REQUIRE(verdict.entries.size() == 2);
  }
}

TEST_CASE("records reordered, removed, repeated or from elsewhere are found", "[ledger]") {
  std::vector<Bytes> records = Records(4);
  const std::vector<Bytes> swapped = {records[0], records[2], records[1], records[3]};
  REQUIRE(Verify(Joined(swapped)).state == State::kTampered);
  REQUIRE(Verify(Joined(swapped)).damaged_record == 1);
  REQUIRE(Verify(Joined({records[0], records[2], records[3]})).damaged_record == 1);
  REQUIRE(Verify(Joined({records[1], records[2]})).damaged_record == 0);
  REQUIRE(Verify(Joined({records[0], records[0]})).damaged_record == 1);
  // A record that is right in itself and has the right number, but continues another ledger.
  const Bytes stranger = *EncodeRecord(EntryOf(1, crypto::Sha256(AsBytes("elsewhere"))));
  const Verified verdict = Verify(Joined({records[0], stranger}));
  REQUIRE(verdict.state == State::kTampered);
  REQUIRE(!verdict.damage_is_last);
}

TEST_CASE("zeros after the records are a write that never got its content", "[ledger]") {
  const Bytes bytes = Joined(Records(2));
  for (const std::size_t zeros : std::vector<std::size_t>{1, 3, 4, 40, 300, 4096, 10000}) {
    Bytes longer = bytes;
    longer.resize(bytes.size() + zeros, 0);
    const Verified verdict = Verify(longer);
    REQUIRE(verdict.state == State::kTornTail);
    REQUIRE(verdict.intact_bytes == bytes.size());
  }
}

TEST_CASE("a length no record can have is damage, not a torn tail", "[ledger]") {
  Bytes bytes = Joined(Records(1));
  ByteWriter writer;
  writer.U32(0x7fffffff);
  bytes.insert(bytes.end(), writer.bytes().begin(), writer.bytes().end());
  REQUIRE(Verify(bytes).state == State::kTampered);
  REQUIRE(Verify(bytes).damage_is_last);
  bytes.resize(bytes.size() + 100000, 1);
  REQUIRE(!Verify(bytes).damage_is_last);
}

TEST_CASE("arbitrary bytes give a verdict whose intact part verifies", "[ledger]") {
  TestRng rng(5);
  const Bytes good = Joined(Records(6));
  for (int world = 0; world < 3000; ++world) {
    Bytes bytes = rng.Below(2) == 0 ? good : Bytes(rng.Below(600));
    const std::uint64_t edits = 1 + rng.Below(8);
    for (std::uint64_t i = 0; i < edits && !bytes.empty(); ++i) {
      bytes[rng.Below(bytes.size())] = static_cast<std::uint8_t>(rng.Below(256));
    }
    const Verified verdict = Verify(bytes);
    REQUIRE(verdict.intact_bytes <= bytes.size());
    const auto intact = static_cast<std::size_t>(verdict.intact_bytes);
    const Verified again = Verify(BytesView(bytes).first(intact));
    REQUIRE(again.state == State::kIntact);
    REQUIRE(again.entries.size() == verdict.entries.size());
  }
}

TEST_CASE("entries too large for a record are refused", "[ledger]") {
  v1::LedgerEntry entry;
  entry.set_job(std::string(kMaxEntryBytes, 'x'));
  REQUIRE(EncodeRecord(entry).status().code() == StatusCode::kInvalidArgument);
  REQUIRE(EncodeRecord(v1::LedgerEntry()).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("an event that cannot be accounted costs everything, never nothing", "[ledger]") {
  const dp::SubsampledGaussian event{0.01, 1.1, 20};
  const auto is_unknown = [](const v1::MechanismEvent& message) {
    const std::optional<dp::Event> read = ToEvent(message);
    return read && std::holds_alternative<dp::UnknownRelease>(*read) && dp::StepsOf(*read) > 0;
  };
  REQUIRE(*ToEvent(ToMechanismEvent(event)) == dp::Event(event));
  v1::MechanismEvent unknown = ToMechanismEvent(event);
  unknown.set_mechanism("laplace");
  REQUIRE(is_unknown(unknown));
  REQUIRE(is_unknown(v1::MechanismEvent()));
  v1::MechanismEvent impossible = ToMechanismEvent(event);
  impossible.set_sampling_rate(std::numeric_limits<double>::quiet_NaN());
  REQUIRE(is_unknown(impossible));
  v1::MechanismEvent none;
  none.set_mechanism(std::string(kNoMechanism));
  REQUIRE(!ToEvent(none).has_value());
}

TEST_CASE("every mechanism of a round is read back as it was written", "[ledger]") {
  for (const dp::Event& event :
       std::vector<dp::Event>{dp::SubsampledGaussian{0.01, 1.1, 20},
                              dp::DistributedDiscreteGaussian{4, 6, 50, 20, 1000, 0.5, 3},
                              dp::Skellam{200, 50, 20, 0.5, 3}, dp::TreeAggregation{7, 30, 1},
                              dp::TreeAggregation{7, 30, 0}}) {
    REQUIRE(*ToEvent(ToMechanismEvent(event)) == event);
  }
}

TEST_CASE("a client's round counts for its examples at twice the sensitivity", "[ledger]") {
  v1::LedgerEntry entry;
  entry.set_unit("client");
  *entry.mutable_event() =
      ToMechanismEvent(dp::DistributedDiscreteGaussian{4, 6, 50, 20, 1000, 1, 1});
  *entry.mutable_model_event() =
      ToMechanismEvent(dp::DistributedDiscreteGaussian{4, 8, 50, 20, 1000, 1, 1});
  const auto whole = EventsFor(entry, "client");
  REQUIRE(whole->coordinator ==
          dp::Event(dp::DistributedDiscreteGaussian{4, 6, 50, 20, 1000, 1, 1}));
  REQUIRE(whole->models == dp::Event(dp::DistributedDiscreteGaussian{4, 8, 50, 20, 1000, 1, 1}));
  const auto one = EventsFor(entry, "example");
  REQUIRE(one->coordinator ==
          dp::Event(dp::DistributedDiscreteGaussian{4, 6, 100, 40, 1000, 1, 1}));
  entry.set_unit("example");
  REQUIRE_FALSE(EventsFor(entry, "client").has_value());
  entry.clear_model_event();
  REQUIRE(EventsFor(entry, "example")->models == EventsFor(entry, "example")->coordinator);
}

}  // namespace
}  // namespace tutti::ledger
