#include "common/privacy/setting.h"

#include "common/privacy/clip_norm.h"
#include "tests/catch.h"

namespace tutti::privacy {
namespace {

v1::PrivacySpec Spec(const std::string& unit, const std::string& noise) {
  v1::PrivacySpec privacy;
  privacy.set_unit(unit);
  privacy.set_noise(noise);
  return privacy;
}

TEST_CASE("every combination has a mechanism and says whom it trusts", "[privacy]") {
  const auto name = [](const std::string& unit, const std::string& noise) {
    return MechanismName(*SettingOf(Spec(unit, noise)));
  };
  REQUIRE(name("", "") == "dp-sgd/poisson/gaussian");
  REQUIRE(name("none", "local") == "none");
  REQUIRE(name("example", "distributed") == "dp-sgd/poisson/distributed-discrete-gaussian");
  REQUIRE(name("client", "distributed") == "client/distributed-discrete-gaussian");
  REQUIRE(name("client", "local") == "client/local-discrete-gaussian");
  REQUIRE(name("client", "central") == "client/central-gaussian");
  REQUIRE(name("client", "tree") == "client/tree-aggregation");
  v1::PrivacySpec skellam = Spec("client", "distributed");
  skellam.set_distribution("skellam");
  REQUIRE(MechanismName(*SettingOf(skellam)) == "client/distributed-skellam");
  REQUIRE(Assumption(*SettingOf(Spec("client", "central"))).find("coordinator is trusted") !=
          std::string::npos);
  REQUIRE(Assumption(*SettingOf(Spec("example", "local"))).find("nobody") != std::string::npos);
}

TEST_CASE("a word that is none is named with those that are", "[privacy]") {
  const Status unit = SettingOf(Spec("group", "local")).status();
  REQUIRE(unit.code() == StatusCode::kInvalidArgument);
  REQUIRE(MessageOf(unit) == "privacy.unit is \"group\", expected one of none, example, client");
  REQUIRE_FALSE(SettingOf(Spec("client", "secret")).ok());
}

TEST_CASE("where the noise comes from decides who adds it", "[privacy]") {
  REQUIRE(SettingOf(Spec("example", "local"))->noise_in_trainer());
  REQUIRE_FALSE(SettingOf(Spec("example", "local"))->in_ring());
  REQUIRE(SettingOf(Spec("client", "local"))->noise_in_ring());
  REQUIRE(SettingOf(Spec("example", "distributed"))->noise_in_ring());
  REQUIRE(SettingOf(Spec("client", "tree"))->noise_by_coordinator());
  REQUIRE_FALSE(SettingOf(Spec("client", "tree"))->noise_in_ring());
}

TEST_CASE("the clip norm follows the quantile and stays in its bounds", "[privacy]") {
  v1::PrivacySpec privacy = Spec("client", "distributed");
  privacy.set_target_quantile(0.5);
  privacy.set_clip_learning_rate(0.2);
  REQUIRE(NextClipNorm(privacy, 1, 0.5) == 1);
  REQUIRE(NextClipNorm(privacy, 1, 1) == Approx(std::exp(-0.1)));
  REQUIRE(NextClipNorm(privacy, 1, 0) == Approx(std::exp(0.1)));
  REQUIRE(NextClipNorm(privacy, kLeastClipNorm, 1) == kLeastClipNorm);
  model::Metadata metadata;
  SetClipNorm(0.1 + 0.2, metadata);
  const model::Layout layout{.parameters = {{.name = "w", .shape = {1}, .values = 1}}, .values = 1};
  const std::vector<float> weight{1};
  REQUIRE(**ClipNormOf(model::WriteSafetensors(layout, weight, metadata)) == 0.1 + 0.2);
  REQUIRE_FALSE(ClipNormOf(model::WriteSafetensors(layout, weight, {}))->has_value());
  for (const char* const text : {"", "nan", "-1", "0", "1e9", "1x"}) {
    metadata["clip_norm"] = text;
    REQUIRE_FALSE(ClipNormOf(model::WriteSafetensors(layout, weight, metadata)).ok());
  }
}

}  // namespace
}  // namespace tutti::privacy
