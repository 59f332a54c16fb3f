// Frozen, personal and adapted parameters: which values are trained and which are sent.
#include "common/model/parts.h"

#include <string>

#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"
#include "tests/unit/model/specs.h"

namespace tutti::model {
namespace {

// 0.weight [4, 3], 0.bias [4], 2.weight [2, 4], 2.bias [2]
v1::ModelSpec Mlp() {
  v1::ModelSpec spec;
  spec.set_architecture("mlp");
  spec.add_input_shape(3);
  spec.add_hidden(4);
  spec.set_classes(2);
  return spec;
}

std::string PartsOf(const Layout& layout) {
  std::string text;
  for (const Parameter& parameter : layout.parameters) {
    text += parameter.part == Part::kCommon ? 'c' : parameter.part == Part::kFrozen ? 'f' : 'p';
  }
  return text;
}

TEST_CASE("patterns are names, or their beginning and a star", "[parts]") {
  REQUIRE(NameMatches("0.weight", "0.weight"));
  REQUIRE_FALSE(NameMatches("0.weight", "0.weights"));
  REQUIRE(NameMatches("0.*", "0.weight"));
  REQUIRE_FALSE(NameMatches("0.*", "10.weight"));
  REQUIRE(NameMatches("*", "anything"));
  REQUIRE_FALSE(NameMatches("", "0.weight"));
}

TEST_CASE("frozen and personal parameters leave the vector that is sent", "[parts]") {
  v1::ModelSpec spec = Mlp();
  spec.add_frozen("0.*");
  spec.add_personal("2.bias");
  const auto layout = LayoutOf(spec);
  REQUIRE(layout.ok());
  REQUIRE(PartsOf(*layout) == "ffcp");
  REQUIRE(layout->values == 26);  // the checkpoint holds all
  REQUIRE(ValuesIn(*layout, Section::kCommon) == 8);
  REQUIRE(ValuesIn(*layout, Section::kTrained) == 10);
  const Layout personal = Sublayout(*layout, Section::kPersonal);
  REQUIRE(personal.values == 2);
  REQUIRE(personal.parameters.size() == 1);
  REQUIRE(personal.parameters[0].name == "2.bias");
  REQUIRE(personal.parameters[0].offset == 0);
}

TEST_CASE("an update of some values is zero for the others", "[parts]") {
  v1::ModelSpec spec = Mlp();
  spec.add_frozen("0.*");
  spec.add_personal("2.weight");
  const Layout layout = LayoutOf(spec).value();
  const std::vector<float> all = Spread(layout, Section::kCommon, {5, 6});
  REQUIRE(all.size() == 26);
  REQUIRE(all[24] == 5);
  REQUIRE(all[25] == 6);
  for (std::size_t i = 0; i < 24; ++i) {
    REQUIRE(all[i] == 0);
  }
  REQUIRE(Spread(LayoutOf(Mlp()).value(), Section::kCommon, std::vector<float>(26, 1)) ==
          std::vector<float>(26, 1));
}

TEST_CASE("patterns that name nothing, two things or everything are refused", "[parts]") {
  v1::ModelSpec spec = Mlp();
  SECTION("nothing") {
    spec.add_frozen("layer9.*");
    REQUIRE(ErrorOf(spec) ==
            "model.frozen: \"layer9.*\" names no parameter; the model has 0.weight, 0.bias, "
            "2.weight, 2.bias; write a name, or the beginning of names and *");
  }
  SECTION("frozen and personal") {
    spec.add_frozen("0.*");
    spec.add_personal("0.bias");
    REQUIRE(ErrorOf(spec).find("model.personal: \"0.bias\" names 0.bias, which is frozen") == 0);
  }
  SECTION("all frozen") {
    spec.add_frozen("*");
    REQUIRE(ErrorOf(spec).find("model.frozen names every parameter") == 0);
  }
  SECTION("all that is trained personal") {
    spec.add_frozen("0.*");
    spec.add_personal("2.*");
    REQUIRE(ErrorOf(spec).find("model.personal names every parameter that is trained") == 0);
  }
  SECTION("adapters without a linear layer") {
    v1::ModelSpec convolution;
    convolution.set_architecture("layers");
    convolution.add_input_shape(8);
    convolution.set_classes(2);
    v1::LayerSpec& layer = *convolution.add_layers();
    layer.set_type("conv1d");
    layer.set_outputs(2);
    layer.set_kernel(3);
    convolution.add_layers()->set_type("mean_pool");
    convolution.set_adapter_rank(2);
    REQUIRE(ErrorOf(convolution).find("model.adapter_rank is 2, but the model has no linear") == 0);
  }
}

TEST_CASE("adapters stand beside frozen weights and start as nothing", "[parts]") {
  v1::ModelSpec spec = Mlp();
  spec.set_adapter_rank(3);
  const Architecture made = ArchitectureOf(spec).value();
  const Layout& layout = made.layout;
  REQUIRE(PartsOf(layout) == "ffccffcc");
  REQUIRE(layout.parameters[2].name == "0.lora_A");
  REQUIRE(layout.parameters[2].shape == Shape{3, 3});
  REQUIRE(layout.parameters[3].name == "0.lora_B");
  REQUIRE(layout.parameters[3].shape == Shape{4, 3});
  REQUIRE(layout.parameters[6].shape == Shape{2, 4});  // at most the smaller side
  REQUIRE(made.layers[0].adapter == 2);
  REQUIRE(ValuesIn(layout, Section::kCommon) == 9 + 12 + 8 + 4);
  const std::vector<float> weights = InitialWeights(layout, 1);
  for (std::uint64_t i = 0; i < 12; ++i) {
    REQUIRE(weights[layout.parameters[3].offset + i] == 0);
  }
  REQUIRE(weights[layout.parameters[2].offset] != 0);
}

TEST_CASE("a transformer has an adapter at each of its four maps", "[parts]") {
  v1::ModelSpec spec;
  spec.set_architecture("transformer");
  spec.add_input_shape(5);
  spec.set_classes(2);
  spec.set_vocabulary(9);
  spec.set_width(8);
  spec.set_adapter_rank(2);
  spec.add_frozen("0.weight");
  const Layout layout = LayoutOf(spec).value();
  // Of each block A and B of [24, 8], [8, 8], [32, 8] and [8, 32], and its norms; the last norm;
  // the head's.
  REQUIRE(ValuesIn(layout, Section::kCommon) ==
          2 * (2 * (24 + 8 + 8 + 8 + 32 + 8 + 8 + 32) + 32) + 16 + 2 * 8 + 2 * 2);
}

}  // namespace
}  // namespace tutti::model
