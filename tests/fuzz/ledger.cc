// A privacy ledger as it lies on the disk. The first byte chooses: the bytes as they are, or, so
// that mutations get past the hashes, entries (u16 length, bytes) that are put into right records.
#include <algorithm>
#include <cmath>

#include "common/crypto/hash.h"
#include "common/ledger/ledger.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

Bytes RightRecords(BytesView bytes, bool chained) {
  ByteReader in(bytes);
  ByteWriter out;
  Digest previous{};
  for (std::uint64_t sequence = 0; !in.AtEnd() && in.ok(); ++sequence) {
    const std::size_t size = in.U16();
    std::string entry = ToString(in.Raw(size));
    v1::LedgerEntry parsed;
    if (chained && parsed.ParseFromString(entry)) {
      parsed.set_sequence(sequence);
      parsed.set_previous_hash(ToString(previous));
      entry = parsed.SerializeAsString();
    }
    previous = crypto::Sha256(AsBytes(entry));
    out.Text(entry);
    out.Raw(previous);
  }
  return out.Take();
}

void CheckVerdict(BytesView bytes, const ledger::Verified& verdict) {
  Expect(verdict.intact_bytes <= bytes.size(), "what is intact is part of the file");
  Expect(verdict.entries.size() == verdict.hashes.size(), "every entry has its hash");
  Expect((verdict.state == ledger::State::kIntact) == (verdict.intact_bytes == bytes.size()),
         "a file is intact when all of it is");
  const ledger::Verified prefix = ledger::Verify(bytes.first(verdict.intact_bytes));
  Expect(prefix.state == ledger::State::kIntact && prefix.hashes == verdict.hashes,
         "what comes before the damage is a ledger");
}

// Nothing in a file makes a release free: what cannot be counted counts as unbounded.
void CheckCharges(const ledger::Verified& verdict) {
  dp::Accountant spent;
  for (std::size_t i = 0; i < std::min<std::size_t>(verdict.entries.size(), 3); ++i) {
    for (const char* const unit : {"example", "client"}) {
      const auto events = ledger::EventsFor(verdict.entries[i], unit);
      if (!events.has_value()) continue;
      // Relations may exclude each other: then the sum is refused, never smaller.
      if (!spent.Add(events->coordinator).ok() || !spent.Add(events->models).ok()) return;
    }
  }
  const StatusOr<dp::SpentBudget> budget = spent.Spent(1e-5);
  Expect(budget.ok() && !std::isnan(budget->epsilon) && budget->epsilon >= 0,
         "what was spent is a number");
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const auto [choice, rest] = fuzz::Choose(data, size);
  const Bytes bytes = choice % 3 == 0 ? ToBytes(rest) : fuzz::RightRecords(rest, choice % 3 == 1);
  const ledger::Verified verdict = ledger::Verify(bytes);
  fuzz::CheckVerdict(bytes, verdict);
  fuzz::CheckCharges(verdict);
  return 0;
}
