// Frozen and personal parameters and adapters in training: gradients, norms, noise and updates are
// of what is trained alone.
#include "common/learn/train.h"
#include "tests/unit/learn/seeded_rng.h"
#include "tests/unit/learn/single_examples.h"

namespace tutti::learn {
namespace {

const Progress kQuiet = [](std::uint64_t, std::uint64_t) {};

v1::ModelSpec Mlp() {
  v1::ModelSpec spec = Spec("mlp", {6}, 3);
  spec.add_hidden(5);
  return spec;
}

TEST_CASE("clipping counts the gradients of what is trained alone", "[parts]") {
  v1::ModelSpec spec = Mlp();
  spec.add_frozen("0.*");
  spec.add_personal("2.bias");
  RequireEqualToLoop(spec);
  v1::ModelSpec last = Mlp();
  last.add_frozen("2.weight");  // behind a trained layer
  RequireEqualToLoop(last);
  v1::ModelSpec gru = Spec("gru", {2, 5}, 3);
  gru.set_width(4);
  gru.add_frozen("0.*");
  RequireEqualToLoop(gru);
  gru.clear_frozen();
  gru.add_frozen("0.weight_hh_l0");
  RequireEqualToLoop(gru);
  v1::ModelSpec resnet = Spec("resnet", {8, 8}, 2);
  resnet.set_width(4);
  resnet.add_frozen("0.*");
  resnet.add_frozen("1.weight");
  RequireEqualToLoop(resnet, 8);
}

TEST_CASE("clipping counts the gradients of adapters alone", "[parts]") {
  v1::ModelSpec spec = Mlp();
  spec.set_adapter_rank(2);
  RequireEqualToLoop(spec);
  v1::ModelSpec text = Spec("transformer", {6}, 3);
  text.set_vocabulary(20);
  text.set_width(8);
  text.set_adapter_rank(2);
  text.add_frozen("0.weight");
  RequireEqualToLoop(text, 12);
}

TEST_CASE("an adapter whose second half is zero leaves the model as it was", "[parts]") {
  v1::ModelSpec adapted = Mlp();
  adapted.set_adapter_rank(2);
  World with = Make(adapted, 10);
  World without = Make(Mlp(), 10);
  const model::Layout layout = model::LayoutOf(adapted).value();
  std::vector<float> all = model::InitialWeights(layout, 3);
  with.network.Load(all);
  without.network.Load(Take(layout, model::Section::kFrozen, all));  // weights and biases
  const auto same = [&] {
    const double a = with.network.Score(with.Rows(0, 10))->loss_sum;
    return std::abs(a - without.network.Score(with.Rows(0, 10))->loss_sum) < 1e-5;
  };
  REQUIRE(same());
  std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(layout.parameters[3].offset), 4, 1.0F);
  with.network.Load(all);
  REQUIRE_FALSE(same());
}

TEST_CASE("training leaves frozen parameters alone, also with noise", "[parts]") {
  v1::ModelSpec spec = Mlp();
  spec.add_frozen("0.*");
  spec.add_personal("2.bias");
  const World world = Make(spec, 30);
  const DataView data{.features = world.features, .labels = world.labels};
  v1::TrainingSpec training;
  training.set_learning_rate(0.5);
  training.set_batch_size(10);
  training.set_local_steps(4);
  training.set_weight_decay(0.1);
  v1::PrivacySpec privacy;
  privacy.set_unit("example");
  privacy.set_clip_norm(0.5);
  privacy.set_noise_multiplier(1);
  const model::Layout layout = model::LayoutOf(spec).value();
  for (const std::string unit : {"none", "example"}) {
    privacy.set_unit(unit);
    std::vector<float> update = model::InitialWeights(layout, 5);
    auto rng = SeededRng(1);
    const auto result = Train(spec, training, privacy, data, update, rng, kQuiet);
    INFO(result.status());
    REQUIRE(result.ok());
    for (const float value : Take(layout, model::Section::kFrozen, update)) {
      REQUIRE(value == 0);
    }
    for (const float value : Take(layout, model::Section::kTrained, update)) {
      REQUIRE(value != 0);
    }
  }
}

}  // namespace
}  // namespace tutti::learn
