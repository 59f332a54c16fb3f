// Who may be the client that spoils sums. A sum that fails its checks says that one of its
// survivors lied and not which, because single vectors stay hidden; several such sums together say
// more.
//
// Two things are kept of the sums that were checked:
//   - a score for each client: one more for a spoiled sum it is in, one less for a sum that passed.
//     Clients with a score are suspects; WhoSitsOut says who of them the next cohort does without.
//     It is a guess: it makes rounds succeed, it accuses nobody.
//   - the spoiled sums themselves, as evidence. A client is excluded when f + 1 of them hold it and
//     no two of these share another client.
//
// With at most f corrupt clients no honest one is excluded: in each of those f + 1 sums somebody
// lied. Were the client they share honest, the liar would be one of the others of its sum, and
// these are different clients from sum to sum, so f + 1 of them would be corrupt. What anybody else
// does cannot change this, and neither can evidence that is forgotten: fewer sums prove less. Sums
// that share nobody have different liars: where there are more of these than f, they count as f.
//
// docs/privacy.md, section 8. Thread safety: value types; Suspicion is confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/rng.h"

namespace tutti::cohort {

struct SpoiledSum {
  Digest session{};                 // names it
  std::vector<ClientId> survivors;  // ascending
};

struct Standing {
  std::uint32_t suspicion = 0;  // 0 to kHighestSuspicion
  std::string excluded;         // what proves that it lied; empty: nothing does
};

// Everything that has to outlive the process.
struct SuspicionRecord {
  std::map<ClientId, Standing> clients;  // only those of whom there is something to say
  std::vector<SpoiledSum> sums;          // oldest first
};

// What is taken for granted when a client is excluded.
struct Assumption {
  std::uint32_t corrupt = 1;     // f; counts as 1 at least: somebody lied
  std::uint32_t population = 0;  // of so many clients, for the words
};

// A suspect of this score takes part in about one of 2^16 rounds: whoever is honest after all comes
// back some day.
inline constexpr std::uint32_t kHighestSuspicion = 16;
// The oldest evidence goes first; one sum is kept however many survivors it has.
inline constexpr std::size_t kSumsKept = 128;
inline constexpr std::size_t kSurvivorsKept = 65536;  // of all kept sums together

struct SittingOut {
  std::set<ClientId> clients;
  std::size_t needed = 0;  // suspects that should sit out as well and without whom it does not go
};

class Suspicion {
 public:
  // What an earlier process recorded; beyond the bounds above the oldest is left out.
  void Restore(SuspicionRecord record);
  const SuspicionRecord& record() const { return record_; }

  bool IsExcluded(const ClientId& client) const;
  std::uint32_t ScoreOf(const ClientId& client) const;

  // A sum of these clients passed its checks. True: something changed.
  bool Passed(std::span<const ClientId> survivors);
  // A sum failed them.
  void Spoiled(SpoiledSum sum);
  // Excludes whom the spoiled sums prove to have lied; gives those that were not excluded before.
  // The sums an excluded client was in are explained by it and held against nobody else.
  std::vector<ClientId> Exclude(const Assumption& assumption);
  // Takes back what is held against a client, also against the others of its spoiled sums: nobody
  // knows any more who spoiled them. True: something changed.
  bool Forget(const ClientId& client);

  // Which of `available` the next cohort does without, so that at least `at_least` stay. Each
  // suspect of score s counts 1 / 2^s, and as many as that makes together take part (what is left
  // of a whole one by chance), those of the lowest scores first, equal ones in random order. So
  // half of the clients of one spoiled sum stay away, the other half the next time, and one that
  // goes on spoiling comes back half as often each time.
  SittingOut WhoSitsOut(std::span<const ClientId> available, std::size_t at_least,
                        SecureRng& rng) const;

  // Different clients of the kept sums and of `others`.
  std::size_t CountClients(std::set<ClientId> others) const;

 private:
  void Lower(const ClientId& client);
  void DropSumsOf(const ClientId& client);
  void KeepBounds();
  std::uint32_t DisjointSums() const;
  std::optional<ClientId> FindLiar(std::uint32_t corrupt) const;
  bool IsProven(const ClientId& client, std::uint32_t corrupt) const;

  SuspicionRecord record_;
};

}  // namespace tutti::cohort
