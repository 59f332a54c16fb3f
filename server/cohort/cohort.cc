#include "server/cohort/cohort.h"

#include <algorithm>
#include <utility>

namespace tutti::cohort {

namespace {

// The first `count` places hold a uniform draw without replacement, in the order of the draw.
void ShuffleFirst(std::vector<ClientId>& clients, std::size_t count, SecureRng& rng) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t left = clients.size() - i;
    const std::size_t pick = i + static_cast<std::size_t>(UniformBelow(rng, left));
    std::swap(clients[i], clients[pick]);
  }
}

}  // namespace

void Shuffle(std::vector<ClientId>& clients, SecureRng& rng) {
  ShuffleFirst(clients, clients.size(), rng);
}

std::vector<ClientId> ChooseCohort(std::vector<ClientId> available,
                                   const std::set<ClientId>& left_out, std::size_t count,
                                   SecureRng& rng) {
  std::erase_if(available, [&](const ClientId& client) { return left_out.contains(client); });
  count = std::min(count, available.size());
  ShuffleFirst(available, count, rng);
  available.resize(count);
  std::sort(available.begin(), available.end());
  return available;
}

std::vector<std::vector<ClientId>> SplitIntoGroups(std::vector<ClientId> clients,
                                                   std::size_t groups, const Suspicion& suspicion,
                                                   SecureRng& rng) {
  Shuffle(clients, rng);
  std::stable_sort(clients.begin(), clients.end(), [&](const ClientId& a, const ClientId& b) {
    return suspicion.ScoreOf(a) > suspicion.ScoreOf(b);
  });
  std::vector<std::vector<ClientId>> split(groups);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    split[i % groups].push_back(std::move(clients[i]));
  }
  for (std::vector<ClientId>& group : split) {
    std::sort(group.begin(), group.end());
  }
  return split;
}

}  // namespace tutti::cohort
