#include "client/policy/noise_source.h"

#include "client/policy/policy.h"
#include "tests/catch.h"

namespace tutti::policy {

TEST_CASE("predictable noise is refused unless the owner says otherwise", "[policy]") {
  v1::PolicyConfig policy;
  v1::TrainerConfig trainer;
  REQUIRE(CheckNoiseSource(policy, trainer).ok());
  trainer.set_insecure_noise_seed(424242);
  const Status refused = CheckNoiseSource(policy, trainer);
  REQUIRE(refused.code() == StatusCode::kPermissionDenied);
  REQUIRE(CodeOf(refused) == "INSECURE_SEED");
  REQUIRE(ReasonOf(refused).find("trainer.insecure_noise_seed") != std::string::npos);
  REQUIRE(ReasonOf(refused).find("allow_insecure_seed") != std::string::npos);
  REQUIRE(TextOf(refused).find("424242") == std::string::npos);  // the seed is the noise
  policy.set_allow_insecure_seed(true);
  REQUIRE(CheckNoiseSource(policy, trainer).ok());
}

}  // namespace tutti::policy
