#include "common/ledger/ledger.h"

#include <algorithm>
#include <variant>

#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::ledger {
namespace {

constexpr std::size_t kHashBytes = 32;

std::uint32_t LengthAt(BytesView bytes) {
  ByteReader reader(bytes.first(4));
  return reader.U32();
}

bool Equal(BytesView a, BytesView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// A write that a crash cut short never ends in a whole record, but a file whose length field was
// edited does: the records after the edit are still there. Looks for a record that ends exactly at
// the end of `tail`.
bool EndsInWholeRecord(BytesView tail) {
  for (std::size_t at = 1; at + kRecordOverhead < tail.size(); ++at) {
    const BytesView rest = tail.subspan(at);
    const std::uint32_t length = LengthAt(rest);
    if (length == 0 || length + kRecordOverhead != rest.size()) continue;
    if (Equal(crypto::Sha256(rest.subspan(4, length)), rest.last(kHashBytes))) return true;
  }
  return false;
}

void MarkTampered(Verified& verdict, std::string damage, bool is_last) {
  verdict.state = State::kTampered;
  verdict.damaged_record = verdict.entries.size();
  verdict.damage = std::move(damage);
  verdict.damage_is_last = is_last;
}

// Why `entry` cannot follow the records in `verdict`; empty when it can.
std::string ChainFault(const v1::LedgerEntry& entry, const Verified& verdict) {
  const std::uint64_t expected = verdict.entries.size();
  if (entry.sequence() != expected) {
    return Join("has sequence ", entry.sequence(), ", expected ", expected);
  }
  const Digest previous = verdict.hashes.empty() ? Digest{} : verdict.hashes.back();
  if (!Equal(AsBytes(entry.previous_hash()), previous)) {
    return "does not continue the record before it";
  }
  return {};
}

}  // namespace

StatusOr<Bytes> EncodeRecord(const v1::LedgerEntry& entry) {
  const std::string text = entry.SerializeAsString();
  if (text.empty() || text.size() > kMaxEntryBytes) {
    return InvalidArgument(
        Join("ledger entry has ", text.size(), " bytes, expected 1 to ", kMaxEntryBytes));
  }
  ByteWriter writer;
  writer.Sized(AsBytes(text));
  writer.Raw(crypto::Sha256(AsBytes(text)));
  return writer.Take();
}

Digest HashOfRecord(BytesView record) {
  TUTTI_CHECK(record.size() > kRecordOverhead);
  Digest hash;
  std::copy(record.end() - kHashBytes, record.end(), hash.begin());
  return hash;
}

Verified Verify(BytesView bytes) {
  Verified verdict;
  BytesView rest = bytes;
  while (!rest.empty()) {
    // Zeros are what a file system leaves of a write it had only made room for.
    const bool no_content =
        std::all_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte == 0; });
    const std::uint32_t length = rest.size() >= 4 ? LengthAt(rest) : 0;
    if (!no_content && rest.size() >= 4 && (length == 0 || length > kMaxEntryBytes)) {
      MarkTampered(verdict, Join("has length ", length, ", expected 1 to ", kMaxEntryBytes),
                   rest.size() <= kMaxEntryBytes + kRecordOverhead && !EndsInWholeRecord(rest));
      return verdict;
    }
    if (no_content || length + kRecordOverhead > rest.size()) {
      if (EndsInWholeRecord(rest)) {
        MarkTampered(verdict, "has a wrong length: whole records follow it", false);
      } else {
        verdict.state = State::kTornTail;
      }
      return verdict;
    }
    const BytesView entry_bytes = rest.subspan(4, length);
    const BytesView hash = rest.subspan(4 + length, kHashBytes);
    const bool is_last = length + kRecordOverhead == rest.size();
    v1::LedgerEntry entry;
    if (!Equal(crypto::Sha256(entry_bytes), hash)) {
      MarkTampered(verdict, "does not have the content its hash says", is_last);
      return verdict;
    }
    if (!entry.ParseFromArray(entry_bytes.data(), static_cast<int>(length))) {
      MarkTampered(verdict, "is not a ledger entry", false);
      return verdict;
    }
    if (std::string fault = ChainFault(entry, verdict); !fault.empty()) {
      MarkTampered(verdict, std::move(fault), false);
      return verdict;
    }
    verdict.entries.push_back(std::move(entry));
    verdict.hashes.push_back(*ToArray<kHashBytes>(hash, "record hash"));
    rest = rest.subspan(length + kRecordOverhead);
    verdict.intact_bytes = bytes.size() - rest.size();
  }
  return verdict;
}

v1::MechanismEvent ToMechanismEvent(const dp::Event& event) {
  v1::MechanismEvent message;
  message.set_mechanism(std::holds_alternative<dp::SubsampledGaussian>(event) ? std::string(kDpSgd)
                                                                              : dp::NameOf(event));
  message.set_steps(dp::StepsOf(event));
  std::visit(
      [&](const auto& mechanism) {
        if constexpr (requires { mechanism.sampling_rate; })
          message.set_sampling_rate(mechanism.sampling_rate);
        if constexpr (requires { mechanism.noise_multiplier; })
          message.set_noise_multiplier(mechanism.noise_multiplier);
        if constexpr (requires { mechanism.share_sigma; }) {
          message.set_share_sigma(mechanism.share_sigma);
          message.set_shares(mechanism.shares);
          message.set_values(mechanism.values);
        }
        if constexpr (requires { mechanism.l1_sensitivity; }) {
          message.set_l1_sensitivity(mechanism.l1_sensitivity);
          message.set_l2_sensitivity(mechanism.l2_sensitivity);
        }
        if constexpr (requires { mechanism.variance; }) message.set_variance(mechanism.variance);
        if constexpr (requires { mechanism.leaves; }) message.set_leaves(mechanism.leaves);
      },
      event);
  return message;
}

std::optional<dp::Event> ToEvent(const v1::MechanismEvent& event) {
  const std::string& name = event.mechanism();
  if (name == kNoMechanism) return std::nullopt;
  const dp::Event unknown{
      dp::UnknownRelease{.name = name, .steps = std::max<std::uint64_t>(event.steps(), 1)}};
  dp::Event known = unknown;
  if (name == kDpSgd) {
    known = dp::SubsampledGaussian{event.sampling_rate(), event.noise_multiplier(), event.steps()};
  } else if (name == dp::NameOf(dp::DistributedDiscreteGaussian{})) {
    known = dp::DistributedDiscreteGaussian{.share_sigma = event.share_sigma(),
                                            .shares = event.shares(),
                                            .l1_sensitivity = event.l1_sensitivity(),
                                            .l2_sensitivity = event.l2_sensitivity(),
                                            .values = event.values(),
                                            .sampling_rate = event.sampling_rate(),
                                            .steps = event.steps()};
  } else if (name == dp::NameOf(dp::Skellam{})) {
    known = dp::Skellam{.variance = event.variance(),
                        .l1_sensitivity = event.l1_sensitivity(),
                        .l2_sensitivity = event.l2_sensitivity(),
                        .sampling_rate = event.sampling_rate(),
                        .steps = event.steps()};
  } else if (name == dp::NameOf(dp::TreeAggregation{})) {
    known = dp::TreeAggregation{.noise_multiplier = event.noise_multiplier(),
                                .leaves = event.leaves(),
                                .steps = event.steps()};
  }
  return dp::CheckEvent(known).ok() ? known : unknown;
}

std::optional<UnitEvents> EventsFor(const v1::LedgerEntry& entry, std::string_view unit) {
  const bool of_client = entry.unit() == "client";
  if (unit == "client" && !of_client) return std::nullopt;
  const std::optional<dp::Event> coordinator = ToEvent(entry.event());
  if (!coordinator) return std::nullopt;
  UnitEvents events{*coordinator, *coordinator};
  if (entry.has_model_event()) {
    const std::optional<dp::Event> models = ToEvent(entry.model_event());
    events.models = models ? *models : dp::UnknownRelease{.name = "none", .steps = 1};
  }
  if (of_client && unit != "client") {
    events.coordinator = dp::AsExampleEvent(std::move(events.coordinator));
    events.models = dp::AsExampleEvent(std::move(events.models));
  }
  return events;
}

}  // namespace tutti::ledger
