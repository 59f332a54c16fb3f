// Whether the simulator notices what it is there to notice: the shells are broken on purpose, one
// way at a time.
#include <string>
#include <string_view>

#include "tests/sim/simulation.h"

#include "tests/catch.h"

namespace tutti::sim {
namespace {

// Whether one of the first `worlds` seeds shows a violation with `symptom`.
bool IsFound(Sabotage sabotage, std::string_view symptom, std::uint64_t worlds) {
  for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
    Options options;
    options.sabotage = sabotage;
    if (RunWorld(seed, options).violation.find(symptom) != std::string::npos) {
      return true;
    }
  }
  return false;
}

struct Case {
  Sabotage sabotage;
  const char* symptom;  // part of the violation
};

}  // namespace

TEST_CASE("the simulator finds each fault that is put into the shells", "[sim][sabotage]") {
  for (const Case& c : {
           Case{Sabotage::kAccumulateTwice, "is not the sum of its survivors"},
           Case{Sabotage::kForgetAccumulate, "is not the sum of its survivors"},
           Case{Sabotage::kWrongLane, "is not the sum of its survivors"},
           Case{Sabotage::kAddBeforeComplete, "is not the sum of its survivors"},
           Case{Sabotage::kKeepMask, "is not the sum of its survivors"},
           Case{Sabotage::kSkipPersist, "not durable"},
           Case{Sabotage::kForgetPublished, "published twice"},
           Case{Sabotage::kSendBeforeCharge, "before the ledger"},
           Case{Sabotage::kForgetJournal, "did not record"},
           Case{Sabotage::kReuseAttempts, "answers round"},
           Case{Sabotage::kLoseTimer, "did not end"},
           Case{Sabotage::kReplyTwice, "not open"},
           Case{Sabotage::kBlameAnybody, "is excluded"},
       }) {
    INFO("expected: " << c.symptom);
    REQUIRE(IsFound(c.sabotage, c.symptom, 200));
  }
}

}  // namespace tutti::sim
