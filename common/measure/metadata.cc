#include "common/measure/metadata.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "common/base/text.h"
#include "common/measure/groups.h"
#include "common/measure/tilts.h"

namespace tutti::measure {
namespace {

constexpr char kCounts[] = "counts";
constexpr char kClients[] = "counts_clients";
constexpr char kNoise[] = "counts_noise";
constexpr char kTilts[] = "tilts";
constexpr char kDual[] = "dual";
constexpr std::size_t kMostNumbers = kMaxCountLanes;

template <typename Number>
std::string Listed(const std::vector<Number>& numbers) {
  std::string text;
  for (const Number number : numbers) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    text += text.empty() ? "" : " ";
    text.append(digits, end);
  }
  return text;
}

// Numbers between single spaces, and nothing else.
template <typename Number>
StatusOr<std::vector<Number>> Parsed(std::string_view key, std::string_view text) {
  std::vector<Number> numbers;
  const char* place = text.data();
  const char* const end = place + text.size();
  while (place < end) {
    Number number{};
    const auto [next, error] = std::from_chars(place, end, number);
    const bool separated = next == end || (*next == ' ' && next + 1 < end);
    if (error != std::errc() || !separated || numbers.size() == kMostNumbers) {
      return DataLoss(Join("the checkpoint's \"", key,
                           "\" are not numbers between single spaces, "
                           "at place ",
                           numbers.size()));
    }
    if constexpr (std::is_floating_point_v<Number>) {
      if (!std::isfinite(number)) {
        return DataLoss(Join("the checkpoint's \"", key, "\" hold a number that is not finite"));
      }
    }
    numbers.push_back(number);
    place = next == end ? end : next + 1;
  }
  return numbers;
}

template <typename Number>
StatusOr<std::vector<Number>> Read(const char* key, const model::Metadata& metadata) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::vector<Number>();
  return Parsed<Number>(key, found->second);
}

}  // namespace

void SetCounts(const OpenedCounts& opened, model::Metadata& metadata) {
  metadata[kCounts] = Listed(opened.counts);
  metadata[kClients] = std::to_string(opened.clients);
  metadata[kNoise] = Listed(std::vector<double>{opened.noise_multiplier});
}

StatusOr<std::optional<OpenedCounts>> CountsOf(const CountLayout& layout, BytesView checkpoint) {
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  if (metadata.count(kCounts) == 0) return std::optional<OpenedCounts>();
  OpenedCounts opened;
  TUTTI_ASSIGN(opened.counts, Read<std::int64_t>(kCounts, metadata));
  TUTTI_ASSIGN(const std::vector<std::uint64_t> clients, Read<std::uint64_t>(kClients, metadata));
  TUTTI_ASSIGN(const std::vector<double> noise, Read<double>(kNoise, metadata));
  if (opened.counts.size() != layout.lanes() || clients.size() != 1 || noise.size() != 1 ||
      noise[0] < 0) {
    return DataLoss(Join("the checkpoint has ", opened.counts.size(), " counts of ", clients.size(),
                         " numbers of clients, the job counts ", layout.lanes()));
  }
  opened.clients = clients[0];
  opened.noise_multiplier = noise[0];
  return std::optional(std::move(opened));
}

void SetTilts(const std::vector<double>& tilts, const std::vector<double>& dual,
              model::Metadata& metadata) {
  metadata[kTilts] = Listed(tilts);
  metadata[kDual] = Listed(dual);
}

StatusOr<std::vector<double>> TiltsOf(const v1::TaskSpec& task, BytesView checkpoint) {
  if (!HasGroups(task)) return std::vector<double>();
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  TUTTI_ASSIGN(std::vector<double> tilts, Read<double>(kTilts, metadata));
  const auto cells = static_cast<std::size_t>(task.fairness().groups_size()) * 2;
  const bool small = std::all_of(tilts.begin(), tilts.end(),
                                 [](double tilt) { return std::abs(tilt) <= kMaxTilt; });
  if (!tilts.empty() && (tilts.size() != cells || !small)) {
    return DataLoss(Join("the checkpoint has ", tilts.size(), " tilts, expected ", cells,
                         " of at most ", kMaxTilt));
  }
  return tilts;
}

StatusOr<std::vector<double>> DualOf(BytesView checkpoint) {
  TUTTI_ASSIGN(const model::Metadata metadata, model::SafetensorsMetadata(checkpoint));
  return Read<double>(kDual, metadata);
}

}  // namespace tutti::measure
