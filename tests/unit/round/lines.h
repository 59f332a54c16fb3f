// What the round machine's unit tests ask of the effects a stage shows.
// Thread safety: pure functions.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/transcripts/stage.h"

namespace tutti::round {

using transcripts::Stage;
using Lines = std::vector<std::string>;

// How many effects contain `text`.
inline std::size_t CountOf(const Lines& lines, std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(),
                    [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}
inline bool Has(const Lines& lines, std::string_view text) { return CountOf(lines, text) > 0; }

// Whether the first effect with `earlier` comes before the first with `later`; both are there.
inline bool InOrder(const Lines& lines, std::string_view earlier, std::string_view later) {
  const auto at = [&](std::string_view text) {
    return std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  };
  return at(later) != lines.end() && at(earlier) < at(later);
}

// Three clients at level curious up to a phase, in a job of one cohort.
inline constexpr std::string_view kAttach = "attach a\nattach b\nattach c";
inline constexpr std::string_view kJoin = "join a\njoin b\njoin c";
inline constexpr std::string_view kShare = "share a\nshare b\nshare c";
inline constexpr std::string_view kUpload = "upload a\nupload b\nupload c";
inline constexpr std::string_view kCommit = "commit a\ncommit b\ncommit c";
inline constexpr std::string_view kUnmask = "unmask a\nunmask b\nunmask c";

inline void PlayRound(Stage& stage) {
  for (const std::string_view part : {kJoin, kShare, kUpload, kUnmask}) {
    stage.Play(part);
  }
}

}  // namespace tutti::round
