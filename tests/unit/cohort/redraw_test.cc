// How many sums offenders spoil before the draw leaves them out. The table that is printed stands
// in docs/privacy.md, section 8:
//   tutti_cohort_test "[redraw]"
#include <cmath>
#include <iomanip>
#include <iostream>

#include "common/base/text.h"
#include "server/cohort/cohort.h"
#include "tests/sim/test_identity.h"

#include "tests/catch.h"

namespace tutti::cohort {
namespace {

struct Setting {
  std::size_t clients = 16;  // of whom all are invited that do not sit out
  std::size_t groups = 1;
  std::size_t smallest_sum = 4;
  std::size_t liars = 1;
  double lies = 1;            // how often, of the sums it is in
  std::uint32_t assumed = 0;  // liars; 0: nobody is excluded
};

struct Course {
  double spoiled = 0;       // sums
  double late = 0;          // of those, in the last quarter of the attempts
  std::size_t longest = 0;  // most attempts in a row of which no sum passed
  double excluded = 0;      // liars
  bool wronged = false;     // an honest client was excluded
};

constexpr int kAttempts = 200;
constexpr std::uint64_t kPlays = 50;

class Play {
 public:
  Play(const Setting& setting, std::uint64_t seed)
      : setting_(setting), rng_(testing::SeededRng(seed, "redraw")), chance_(seed) {
    for (std::size_t i = 0; i < setting.clients; ++i) {
      clients_.push_back(ClientId(Join("c", i)));
    }
    liars_.insert(clients_.begin(), clients_.begin() + static_cast<std::ptrdiff_t>(setting.liars));
  }

  void Attempt(bool late, Course& course) {
    std::vector<ClientId> there = clients_;
    std::erase_if(there, [this](const ClientId& client) { return suspicion_.IsExcluded(client); });
    const SittingOut out =
        suspicion_.WhoSitsOut(there, setting_.smallest_sum * setting_.groups, rng_);
    auto cohort = ChooseCohort(there, out.clients, there.size(), rng_);
    bool passed = false;
    bool spoiled = false;
    for (auto& group : SplitIntoGroups(std::move(cohort), setting_.groups, suspicion_, rng_)) {
      if (IsSpoiled(group)) {
        course.spoiled += 1;
        course.late += late ? 1 : 0;
        spoiled = true;
        suspicion_.Spoiled({{}, std::move(group)});
      } else {
        passed = true;
        suspicion_.Passed(group);
      }
    }
    if (spoiled && setting_.assumed > 0) {
      Exclude(course);
    }
    in_a_row_ = passed ? 0 : in_a_row_ + 1;
    course.longest = std::max(course.longest, in_a_row_);
  }

 private:
  bool IsSpoiled(const std::vector<ClientId>& group) {
    bool spoiled = false;
    for (const ClientId& client : group) {
      spoiled = (liars_.contains(client) && chance_.Unit() < setting_.lies) || spoiled;
    }
    return spoiled;
  }

  void Exclude(Course& course) {
    const auto population = static_cast<std::uint32_t>(setting_.clients);
    for (const ClientId& client : suspicion_.Exclude({setting_.assumed, population})) {
      course.excluded += 1;
      course.wronged = course.wronged || !liars_.contains(client);
    }
  }

  const Setting setting_;
  crypto::AesCtrStream rng_;
  TestRng chance_;
  std::vector<ClientId> clients_;
  std::set<ClientId> liars_;
  Suspicion suspicion_;
  std::size_t in_a_row_ = 0;
};

// The mean of all plays; the longest row of any.
Course Measure(const Setting& setting) {
  Course course;
  for (std::uint64_t seed = 0; seed < kPlays; ++seed) {
    Play play(setting, seed);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      play.Attempt(attempt >= kAttempts * 3 / 4, course);
    }
  }
  course.spoiled /= kPlays;
  course.late /= kPlays;
  course.excluded /= kPlays;
  std::cout << std::fixed << std::setprecision(1) << "| " << setting.clients << " | "
            << setting.groups << " | " << setting.liars << ", lying in "
            << static_cast<int>(100 * setting.lies) << " % | " << setting.assumed << " | "
            << course.spoiled << " | " << course.late << " | " << course.longest << " | "
            << course.excluded << " |\n";
  return course;
}

}  // namespace

TEST_CASE("one client that spoils every sum soon spoils hardly any", "[redraw]") {
  for (const Setting& setting : {Setting{.clients = 16}, Setting{.clients = 64, .smallest_sum = 8},
                                 Setting{.clients = 16, .groups = 2},
                                 Setting{.clients = 64, .groups = 4, .smallest_sum = 8}}) {
    const Course course = Measure(setting);
    // Found among n after about log2(n), then back half as often each time: log2 of the attempts.
    REQUIRE(course.spoiled < std::log2(setting.clients) + std::log2(kAttempts));
    REQUIRE(course.late < 1);
    REQUIRE(course.longest <= 2);
  }
}

TEST_CASE("several clients that spoil every sum do not stop a job", "[redraw]") {
  for (const Setting& setting :
       {Setting{.clients = 16, .liars = 3}, Setting{.clients = 64, .smallest_sum = 8, .liars = 3},
        Setting{.clients = 64, .smallest_sum = 8, .liars = 6},
        Setting{.clients = 16, .groups = 2, .liars = 3},
        Setting{.clients = 64, .groups = 4, .smallest_sum = 8, .liars = 6}}) {
    const Course course = Measure(setting);
    REQUIRE(course.spoiled < static_cast<double>(setting.liars) * std::log2(kAttempts));
    REQUIRE(course.late < static_cast<double>(setting.liars));
    REQUIRE(course.longest < 20);  // deadlines.max_failures
  }
}

TEST_CASE("clients that lie now and then spoil less and less", "[redraw]") {
  for (const Setting& setting :
       {Setting{.clients = 16, .lies = 0.5}, Setting{.clients = 64, .smallest_sum = 8, .lies = 0.5},
        Setting{.clients = 64, .groups = 4, .smallest_sum = 8, .liars = 3, .lies = 0.5}}) {
    const Course course = Measure(setting);
    // Every second of the sums the liars are in would be spoiled.
    REQUIRE(course.spoiled < kAttempts * 0.5 * 0.4);
    REQUIRE(course.late < course.spoiled / 4);
  }
}

TEST_CASE("small groups prove who lies, and never wrong an honest client", "[redraw]") {
  for (const Setting& setting :
       {Setting{.clients = 16, .groups = 4, .assumed = 1},
        Setting{.clients = 16, .groups = 4, .lies = 0.5, .assumed = 1},
        Setting{.clients = 64, .groups = 16, .liars = 3, .assumed = 3},
        Setting{.clients = 64, .groups = 16, .liars = 6, .lies = 0.5, .assumed = 6}}) {
    const Course course = Measure(setting);
    REQUIRE_FALSE(course.wronged);
    REQUIRE(course.excluded == Approx(static_cast<double>(setting.liars)));
  }
}

}  // namespace tutti::cohort
