#include "common/base/rng.h"
#include "tests/catch.h"
#include "tests/unit/config/texts.h"
#include "tutti/v1/config.pb.h"

namespace tutti::config {
namespace {

// One random edit: a byte replaced, removed or doubled, or a piece copied to another place.
void Damage(std::string& text, TestRng& rng) {
  const std::size_t at = rng.Below(text.size());
  const std::size_t length = 1 + rng.Below(40);
  switch (rng.Below(4)) {
    case 0:
      text[at] = static_cast<char>(rng.Below(256));
      break;
    case 1:
      text.erase(at, length);
      break;
    case 2: {
      static const std::string kSyntax = "[]{}=.,\"'#\n\\-+e_0";
      text.insert(at, 1, kSyntax[rng.Below(kSyntax.size())]);
      break;
    }
    default:
      text.insert(rng.Below(text.size()), text.substr(at, length));
  }
}

TEST_CASE("damaged files are loaded or refused, never worse", "[config]") {
  TestRng rng(20240917);
  const std::string sample =
      ReadAll(std::string(TUTTI_SOURCE_DIR) + "/configs/jobs/fashion-mnist.toml");
  std::string keys;  // without the comments, so that most edits hit something
  std::istringstream lines(sample);
  for (std::string line; std::getline(lines, line);) {
    keys += line.empty() || line.front() == '#' ? "" : line + "\n";
  }
  int refused = 0;
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = keys;
    for (std::uint64_t edits = rng.Below(4); edits > 0 && !text.empty(); --edits) {
      Damage(text, rng);
    }
    v1::JobConfig job;
    LoadResult result = LoadText(text, "job.toml", job);
    if (result.readable) {
      Validate(job, result);
    }
    for (const Problem& problem : result.problems) {
      for (const char c : ToText(problem)) {
        REQUIRE((c >= 0x20 && c < 0x7f));
      }
    }
    if (!result.problems.empty()) {
      ++refused;
      continue;
    }
    ++accepted;
    // What is accepted holds every bound, and prints to a file that is accepted again.
    REQUIRE(CheckJob(job).ok());
    v1::JobConfig again;
    REQUIRE(LoadText(PrintEffective(job, result.origins), "again.toml", again).problems.empty());
  }
  REQUIRE(refused > 1000);
  REQUIRE(accepted > 300);
}

}  // namespace
}  // namespace tutti::config
