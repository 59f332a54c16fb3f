#include "server/cohort/suspicion.h"

#include <algorithm>
#include <utility>

#include "common/base/text.h"
#include "server/cohort/cohort.h"

namespace tutti::cohort {
namespace {

// Steps of one search for disjoint evidence. Giving up early misses a proof and makes no wrong one.
constexpr int kSearchSteps = 4096;

bool Holds(const SpoiledSum& sum, const ClientId& client) {
  return std::binary_search(sum.survivors.begin(), sum.survivors.end(), client);
}

// Whether two sums that both hold one client share no other.
bool ShareOnlyOne(const SpoiledSum& a, const SpoiledSum& b) {
  std::size_t shared = 0;
  auto left = a.survivors.begin();
  auto right = b.survivors.begin();
  while (left != a.survivors.end() && right != b.survivors.end() && shared < 2) {
    if (*left < *right) {
      ++left;
    } else if (*right < *left) {
      ++right;
    } else {
      ++shared;
      ++left;
      ++right;
    }
  }
  return shared < 2;
}

// Looks for `wanted` more of `sums`, from `next` on, that fit those chosen and each other.
bool CanChoose(const std::vector<const SpoiledSum*>& sums, std::size_t next, std::size_t wanted,
               std::vector<const SpoiledSum*>& chosen, int& steps) {
  if (wanted == 0) {
    return true;
  }
  for (; next + wanted <= sums.size() && steps > 0; ++next) {
    --steps;
    const bool fits = std::all_of(chosen.begin(), chosen.end(), [&](const SpoiledSum* other) {
      return ShareOnlyOne(*sums[next], *other);
    });
    if (!fits) {
      continue;
    }
    chosen.push_back(sums[next]);
    if (CanChoose(sums, next + 1, wanted - 1, chosen, steps)) {
      return true;
    }
    chosen.pop_back();
  }
  return false;
}

}  // namespace

void Suspicion::Restore(SuspicionRecord record) {
  record_ = std::move(record);
  for (auto& [client, standing] : record_.clients) {
    standing.suspicion = std::min(standing.suspicion, kHighestSuspicion);
  }
  for (SpoiledSum& sum : record_.sums) {
    std::sort(sum.survivors.begin(), sum.survivors.end());
  }
  KeepBounds();
}

bool Suspicion::IsExcluded(const ClientId& client) const {
  const auto found = record_.clients.find(client);
  return found != record_.clients.end() && !found->second.excluded.empty();
}

std::uint32_t Suspicion::ScoreOf(const ClientId& client) const {
  const auto found = record_.clients.find(client);
  return found == record_.clients.end() ? 0 : found->second.suspicion;
}

void Suspicion::Lower(const ClientId& client) {
  const auto found = record_.clients.find(client);
  if (found == record_.clients.end() || found->second.suspicion == 0) {
    return;
  }
  --found->second.suspicion;
  if (found->second.suspicion == 0 && found->second.excluded.empty()) {
    record_.clients.erase(found);
  }
}

bool Suspicion::Passed(std::span<const ClientId> survivors) {
  bool changed = false;
  for (const ClientId& client : survivors) {
    changed = changed || ScoreOf(client) > 0;
    Lower(client);
  }
  return changed;
}

void Suspicion::Spoiled(SpoiledSum sum) {
  std::sort(sum.survivors.begin(), sum.survivors.end());
  for (const ClientId& client : sum.survivors) {
    std::uint32_t& score = record_.clients[client].suspicion;
    score = std::min(score + 1, kHighestSuspicion);
  }
  record_.sums.push_back(std::move(sum));
  KeepBounds();
}

std::vector<ClientId> Suspicion::Exclude(const Assumption& assumption) {
  const std::uint32_t corrupt = std::max({1U, assumption.corrupt, DisjointSums()});
  std::vector<ClientId> excluded;
  while (const std::optional<ClientId> liar = FindLiar(corrupt)) {
    DropSumsOf(*liar);
    record_.clients[*liar] = {
        0, Join(corrupt + 1,
                " spoiled sums had this client in common and no two of them another, "
                "and at most ",
                corrupt, " of ", assumption.population, " clients are assumed to lie")};
    excluded.push_back(*liar);
  }
  return excluded;
}

// A lower bound: as many as are found by taking the newest first.
std::uint32_t Suspicion::DisjointSums() const {
  std::set<ClientId> seen;
  std::uint32_t count = 0;
  for (auto sum = record_.sums.rbegin(); sum != record_.sums.rend(); ++sum) {
    const bool fresh = std::none_of(sum->survivors.begin(), sum->survivors.end(),
                                    [&](const ClientId& client) { return seen.contains(client); });
    if (fresh) {
      seen.insert(sum->survivors.begin(), sum->survivors.end());
      ++count;
    }
  }
  return count;
}

std::optional<ClientId> Suspicion::FindLiar(std::uint32_t corrupt) const {
  if (record_.sums.size() <= corrupt) {
    return std::nullopt;
  }
  std::map<ClientId, std::uint32_t> held;
  for (const SpoiledSum& sum : record_.sums) {
    for (const ClientId& client : sum.survivors) {
      ++held[client];
    }
  }
  const auto liar = std::find_if(held.begin(), held.end(), [&](const auto& entry) {
    return entry.second > corrupt && IsProven(entry.first, corrupt);
  });
  return liar == held.end() ? std::nullopt : std::optional(liar->first);
}

bool Suspicion::IsProven(const ClientId& client, std::uint32_t corrupt) const {
  std::vector<const SpoiledSum*> sums;
  for (const SpoiledSum& sum : record_.sums) {
    if (Holds(sum, client)) {
      sums.push_back(&sum);
    }
  }
  // Small sums leave the most room for others.
  std::stable_sort(sums.begin(), sums.end(), [](const SpoiledSum* a, const SpoiledSum* b) {
    return a->survivors.size() < b->survivors.size();
  });
  std::vector<const SpoiledSum*> chosen;
  int steps = kSearchSteps;
  return CanChoose(sums, 0, std::size_t{corrupt} + 1, chosen, steps);
}

void Suspicion::DropSumsOf(const ClientId& client) {
  for (const SpoiledSum& sum : record_.sums) {
    if (Holds(sum, client)) {
      for (const ClientId& survivor : sum.survivors) {
        Lower(survivor);
      }
    }
  }
  std::erase_if(record_.sums, [&](const SpoiledSum& sum) { return Holds(sum, client); });
}

bool Suspicion::Forget(const ClientId& client) {
  const std::size_t sums = record_.sums.size();
  DropSumsOf(client);
  return record_.clients.erase(client) > 0 || record_.sums.size() != sums;
}

void Suspicion::KeepBounds() {
  std::size_t survivors = 0;
  std::size_t keep = 0;
  for (auto sum = record_.sums.rbegin(); sum != record_.sums.rend(); ++sum) {
    survivors += sum->survivors.size();
    if (keep == kSumsKept || (keep > 0 && survivors > kSurvivorsKept)) {
      break;
    }
    ++keep;
  }
  record_.sums.erase(record_.sums.begin(), record_.sums.end() - static_cast<std::ptrdiff_t>(keep));
}

SittingOut Suspicion::WhoSitsOut(std::span<const ClientId> available, std::size_t at_least,
                                 SecureRng& rng) const {
  std::vector<ClientId> suspects;
  std::uint64_t parts = 0;  // of which 2^kHighestSuspicion make one suspect that takes part
  for (const ClientId& client : available) {
    if (const std::uint32_t score = ScoreOf(client); score > 0) {
      suspects.push_back(client);
      parts += std::uint64_t{1} << (kHighestSuspicion - score);
    }
  }
  SittingOut out;
  if (suspects.empty()) {
    return out;
  }
  constexpr std::uint64_t kWhole = std::uint64_t{1} << kHighestSuspicion;
  const std::size_t wanted =
      parts / kWhole + (UniformBelow(rng, kWhole) < parts % kWhole ? std::size_t{1} : 0);
  const std::size_t others = available.size() - suspects.size();
  const std::size_t stay =
      std::min(suspects.size(), std::max(wanted, at_least - std::min(at_least, others)));
  out.needed = stay - wanted;
  Shuffle(suspects, rng);
  std::stable_sort(suspects.begin(), suspects.end(), [this](const ClientId& a, const ClientId& b) {
    return ScoreOf(a) < ScoreOf(b);
  });
  out.clients.insert(suspects.begin() + static_cast<std::ptrdiff_t>(stay), suspects.end());
  return out;
}

std::size_t Suspicion::CountClients(std::set<ClientId> others) const {
  for (const SpoiledSum& sum : record_.sums) {
    others.insert(sum.survivors.begin(), sum.survivors.end());
  }
  return others.size();
}

}  // namespace tutti::cohort
