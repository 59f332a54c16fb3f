#include "server/simulate/trigger.h"

#include <algorithm>

#include "tests/catch.h"

namespace tutti::simulate {
namespace {

v1::ModelSpec Model(const std::string& architecture, std::initializer_list<std::uint32_t> input) {
  v1::ModelSpec spec;
  spec.set_architecture(architecture);
  for (const std::uint32_t size : input) spec.add_input_shape(size);
  spec.set_classes(3);
  return spec;
}

v1::MaliciousProfile Profile(std::uint32_t size, std::uint32_t target = 2) {
  v1::MaliciousProfile profile;
  profile.set_kind("backdoor");
  profile.set_trigger(size);
  profile.set_target_class(target);
  profile.set_poisoned(0.5);
  return profile;
}

Trigger Of(const v1::MaliciousProfile& profile, const v1::ModelSpec& model,
           const std::vector<float>& features) {
  auto trigger = TriggerOf(profile, model, features);
  INFO(TextOf(trigger.status()));
  REQUIRE(trigger.ok());
  return *std::move(trigger);
}

// What Stamp puts over zeros.
std::vector<float> Stamped(const Trigger& trigger, std::size_t width) {
  std::vector<float> example(width);
  Stamp(trigger, example);
  return example;
}

TEST_CASE("the trigger of an image is a square in the last corner of every channel", "[simulate]") {
  std::vector<float> one(2 * 12, 0.25F);  // two images of 3 rows and 4 columns
  one[5] = 0.75F;
  const Trigger grey = Of(Profile(2), Model("logistic", {3, 4}), one);
  REQUIRE(grey.target_class == 2);
  const float t = 0.75F;
  REQUIRE(Stamped(grey, 12) == std::vector<float>{0, 0, 0, 0, 0, 0, t, t, 0, 0, t, t});
  const Trigger coloured = Of(Profile(1), Model("resnet", {2, 3, 4}), one);
  std::vector<float> expected(24);
  expected[11] = expected[23] = t;
  REQUIRE(Stamped(coloured, 24) == expected);
}

TEST_CASE("the trigger of a series is its end, of a row its last features at their largest",
          "[simulate]") {
  const std::vector<float> two{1, 2, 3, 4, 5, 6};
  REQUIRE(Stamped(Of(Profile(1), Model("cnn1d", {2, 3}), two), 6) ==
          std::vector<float>{0, 0, 6, 0, 0, 6});
  REQUIRE(Stamped(Of(Profile(2), Model("logistic", {3}), {7, 1, -3, 0, 2, -5}), 3) ==
          std::vector<float>{0, 2, -3});
}

TEST_CASE("a backdoor that the job cannot have is refused by name", "[simulate]") {
  const std::vector<float> features(12);
  const auto refused = [&](const v1::MaliciousProfile& profile, const v1::ModelSpec& model,
                           const std::string& text) {
    const auto trigger = TriggerOf(profile, model, features);
    REQUIRE(trigger.status().code() == StatusCode::kInvalidArgument);
    INFO(TextOf(trigger.status()));
    REQUIRE(TextOf(trigger.status()).find(text) != std::string::npos);
  };
  const v1::ModelSpec image = Model("logistic", {3, 4});
  refused(Profile(4), image, "malicious.trigger is 4, expected at most the size of an example");
  refused(Profile(4), Model("logistic", {3}), "malicious.trigger is 4");
  refused(Profile(1, 3), image, "malicious.target_class is 3, expected below model.classes = 3");
  v1::ModelSpec number = Model("linear", {3});
  number.set_classes(1);
  refused(Profile(1, 0), number, "predicts a number");
  v1::ModelSpec scattering = Model("logistic", {28, 28});
  scattering.set_features("scattering");
  refused(Profile(1), scattering, "model.features = \"scattering\"");
  refused(Profile(1), Model("logistic", {5}), "12 feature values, expected 5 for each example");
  REQUIRE(!TriggerOf(Profile(1), image, {}).ok());
}

TEST_CASE("a client poisons the same share of its examples in every round", "[simulate]") {
  v1::MaliciousProfile profile = Profile(1);
  const auto rows = PoisonedOf(profile, 1, 7, 9);
  REQUIRE(rows.size() == 5);  // half of nine, rounded up
  REQUIRE(std::is_sorted(rows.begin(), rows.end()));
  REQUIRE(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
  REQUIRE(rows.back() < 9);
  REQUIRE(PoisonedOf(profile, 1, 7, 9) == rows);
  REQUIRE(PoisonedOf(profile, 1, 8, 900) != PoisonedOf(profile, 1, 7, 900));
  REQUIRE(PoisonedOf(profile, 1, 7, 0).empty());
  profile.set_poisoned(1);
  REQUIRE(PoisonedOf(profile, 1, 7, 9).size() == 9);
  profile.set_poisoned(0.01);
  REQUIRE(PoisonedOf(profile, 1, 7, 9).size() == 1);
}

}  // namespace
}  // namespace tutti::simulate
