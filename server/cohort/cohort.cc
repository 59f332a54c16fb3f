#include "server/cohort/cohort.h"

#include <algorithm>
#include <utility>

namespace tutti::cohort {

std::vector<ClientId> ChooseCohort(std::vector<ClientId> available,
                                   const std::set<ClientId>& revoked, std::size_t count,
                                   SecureRng& rng) {
  std::erase_if(available, [&](const ClientId& client) { return revoked.contains(client); });
  count = std::min(count, available.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t left = available.size() - i;
    const std::size_t pick = i + static_cast<std::size_t>(UniformBelow(rng, left));
    std::swap(available[i], available[pick]);
  }
  available.resize(count);
  std::sort(available.begin(), available.end());
  return available;
}

}  // namespace tutti::cohort
