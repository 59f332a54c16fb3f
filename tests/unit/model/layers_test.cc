// Layers of series, text and residual networks: shapes, layouts and what is refused.
#include "common/model/layers.h"

#include <cmath>
#include <string>

#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"
#include "tests/unit/model/specs.h"

namespace tutti::model {
namespace {

Architecture Made(const v1::ModelSpec& spec) {
  auto architecture = ArchitectureOf(spec);
  INFO(architecture.status());
  REQUIRE(architecture.ok());
  return *std::move(architecture);
}

TEST_CASE("the residual network halves the image twice and ends with a mean", "[model]") {
  const Architecture made = Made(Spec("resnet", {3, 32, 32}));
  REQUIRE(made.layers.front().output == Shape{16, 32, 32});
  REQUIRE(made.layers[made.layers.size() - 2].input == Shape{64, 8, 8});
  REQUIRE(made.layers.back().input == Shape{64});
  // conv 3x3 with bias, group norm: 9 * in * out + 3 * out.
  const auto conv = [](std::uint64_t in, std::uint64_t out) { return 9 * in * out + 3 * out; };
  REQUIRE(made.layout.values == conv(3, 16) + 2 * conv(16, 16) + conv(16, 32) + conv(32, 32) +
                                    conv(32, 64) + conv(64, 64) + 650);
  const Layer& second = made.layers[15];  // the shortcut from [16, 32, 32] to [32, 16, 16]
  REQUIRE(second.kind == LayerKind::kAdd);
  REQUIRE(second.skip == 6);
  REQUIRE(second.stride == 2);
  REQUIRE(Made(Spec("resnet", {28, 28})).layers[22].stride == 2);  // 14 to 7
  REQUIRE(Made(Spec("resnet", {7, 5})).layers.back().input == Shape{64});
}

TEST_CASE("networks of series take one channel or several", "[model]") {
  const Architecture one = Made(Spec("cnn1d", {50}));
  REQUIRE(one.input == Shape{1, 50});
  REQUIRE(one.layers[3].output == Shape{32, 50});
  REQUIRE(one.layers.back().input == Shape{16});
  const Architecture several = Made(Spec("gru", {3, 50}));
  REQUIRE(several.input == Shape{3, 50});
  REQUIRE(several.layers[0].output == Shape{16});
  REQUIRE(several.layout.parameters[0].name == "0.weight_ih_l0");
  REQUIRE(several.layout.parameters[0].shape == Shape{48, 3});
  REQUIRE(several.layout.values == 48 * 3 + 48 * 16 + 2 * 48 + 170);
  v1::ModelSpec layers = Spec("layers", {2, 9});
  Add(layers, "conv1d", 4, 3, 2, 1);
  Add(layers, "max_pool1d", 0, 2);
  Add(layers, "flatten");
  Add(layers, "linear", 10);
  REQUIRE(Made(layers).layers[0].output == Shape{4, 5});
  REQUIRE(Made(layers).layers[1].output == Shape{4, 2});
  REQUIRE(Made(layers).layout.parameters[0].shape == Shape{4, 2, 3});
  REQUIRE(Made(layers).layout.parameters[0].fan_in == 6);
}

TEST_CASE("networks of text read tokens and leave padding out", "[model]") {
  v1::ModelSpec bag = Spec("text_bag", {100}, 4);
  bag.set_vocabulary(5000);
  bag.set_width(32);
  const Architecture made = Made(bag);
  REQUIRE(made.input == Shape{100});
  REQUIRE(made.vocabulary == 5000);
  REQUIRE(made.layers[0].output == Shape{32, 100});
  REQUIRE(made.layers[1].masked);
  REQUIRE(made.layout.values == 5000 * 32 + 32 * 4 + 4);

  v1::ModelSpec attention = Spec("transformer", {100}, 4);
  attention.set_vocabulary(5000);
  attention.set_width(32);
  const Architecture encoder = Made(attention);
  REQUIRE(encoder.layers[1].heads == 4);
  REQUIRE(encoder.layers[1].adds_positions);
  REQUIRE_FALSE(encoder.layers[2].adds_positions);
  const std::uint64_t block = 12 * 32 * 32 + (3 + 1 + 4 + 1) * 32 + 4 * 32;
  REQUIRE(encoder.layout.values == 5000 * 32 + 2 * block + 64 + 132);
  attention.set_width(6);  // heads that divide it
  REQUIRE(Made(attention).layers[1].heads == 3);

  v1::ModelSpec layers = Spec("layers", {8}, 2);
  Add(layers, "embedding", 4).set_vocabulary(9);
  Add(layers, "conv1d", 4, 3);
  Add(layers, "mean_pool");
  Add(layers, "linear", 2);
  REQUIRE_FALSE(Made(layers).layers[2].masked);  // a position is three tokens now
}

TEST_CASE("the sizes that docs/models.md states are those of the architectures", "[model]") {
  REQUIRE(Made(Spec("resnet", {3, 32, 32})).layout.values == 75530);
  REQUIRE(Made(Spec("cnn1d", {100})).layout.values == 4570);
  REQUIRE(Made(Spec("gru", {3, 50})).layout.values == 1178);
  REQUIRE(Made(Spec("kmeans", {8}, 5)).layout.values == 45);
  v1::ModelSpec text = Spec("text_bag", {100}, 4);
  text.set_vocabulary(5000);
  text.set_width(32);
  REQUIRE(Made(text).layout.values == 160132);
  text.set_architecture("transformer");
  REQUIRE(Made(text).layout.values == 185604);
  text.set_adapter_rank(4);
  text.add_frozen("0.weight");
  REQUIRE(Made(text).layout.values == 189844);
  REQUIRE(ValuesIn(Made(text).layout, Section::kCommon) == 4560);
}

TEST_CASE("linear regression has one output", "[model]") {
  REQUIRE(Made(Spec("linear", {13}, 1)).layout.values == 14);
  REQUIRE(Made(Spec("linear", {4, 4}, 1)).layers.size() == 2);
  REQUIRE(ErrorOf(Spec("linear", {13}, 3)).find("model.classes is 3, expected 1") == 0);
  v1::ModelSpec mlp = Spec("mlp", {13}, 1);
  mlp.add_hidden(4);
  REQUIRE(Made(mlp).classes == 1);
  REQUIRE(ErrorOf(Spec("mlp", {13}, 0)).find("model.classes is 0") == 0);
}

TEST_CASE("layers that do not fit are refused by name", "[model]") {
  v1::ModelSpec spec = Spec("layers", {2, 8});
  SECTION("series layers on images") {
    v1::ModelSpec image = Spec("layers", {8, 8});
    Add(image, "conv2d", 4, 3);
    Add(image, "conv1d", 4, 3);
    REQUIRE(ErrorOf(image).find("layer 2 (conv1d): input has shape [4, 6, 6], expected [channels, "
                                "length]") == 0);
  }
  SECTION("a series in three dimensions") {
    v1::ModelSpec deep = Spec("layers", {2, 8, 8});
    Add(deep, "gru", 4);
    REQUIRE(ErrorOf(deep).find("model.input_shape has 3 dimensions, expected [length] or") == 0);
  }
  SECTION("text in two dimensions") {
    Add(spec, "embedding", 4).set_vocabulary(9);
    REQUIRE(ErrorOf(spec).find("model.input_shape has 2 dimensions, expected [length]") == 0);
  }
  SECTION("an embedding of what a layer gives") {
    v1::ModelSpec late = Spec("layers", {8});
    Add(late, "relu");
    Add(late, "embedding", 4).set_vocabulary(9);
    REQUIRE(ErrorOf(late).find("layer 2 (embedding): it reads the tokens") == 0);
  }
  SECTION("an embedding without words") {
    v1::ModelSpec none = Spec("layers", {8});
    Add(none, "embedding", 4).set_vocabulary(1);
    REQUIRE(ErrorOf(none).find("layer 1 (embedding): vocabulary is 1, expected at least 2") == 0);
  }
  SECTION("heads that do not divide") {
    Add(spec, "transformer").set_heads(3);
    REQUIRE(ErrorOf(spec).find("layer 1 (transformer): heads is 3, expected a divisor of the 2") ==
            0);
  }
  SECTION("a mean of features") {
    v1::ModelSpec flat = Spec("layers", {8});
    Add(flat, "mean_pool");
    REQUIRE(ErrorOf(flat).find("layer 1 (mean_pool): input has shape [8], expected channels") == 0);
  }
  SECTION("adding what is not there") {
    Add(spec, "conv1d", 2, 1);
    Add(spec, "add").set_skip(3);
    REQUIRE(ErrorOf(spec).find("layer 2 (add): skip is 3, expected at most 2") == 0);
  }
  SECTION("adding without saying what") {
    Add(spec, "conv1d", 2, 1);
    Add(spec, "add");
    REQUIRE(ErrorOf(spec).find("layer 2 (add): skip is missing") == 0);
  }
  SECTION("adding another shape") {
    Add(spec, "conv1d", 1, 1);
    Add(spec, "add").set_skip(2);
    REQUIRE(ErrorOf(spec).find("layer 2 (add): the output added has shape [2, 8], the layer before "
                               "gives [1, 8], expected the same") == 0);
  }
  SECTION("fields of other layers") {
    Add(spec, "gru", 4).set_heads(2);
    REQUIRE(ErrorOf(spec).find("layer 1 (gru): heads is 2 but has no meaning here") == 0);
  }
}

TEST_CASE("a vocabulary belongs to text alone, and text needs one", "[model]") {
  REQUIRE(ErrorOf(Spec("text_bag", {8})).find("model.vocabulary is 0, expected the number") == 0);
  v1::ModelSpec mlp = Spec("mlp", {8});
  mlp.add_hidden(4);
  mlp.set_vocabulary(10);
  REQUIRE(ErrorOf(mlp).find("model.vocabulary is 10, but is read only with") == 0);
}

TEST_CASE("attention that would not fit into memory is refused", "[model]") {
  v1::ModelSpec spec = Spec("transformer", {40000}, 2);
  spec.set_vocabulary(10);
  REQUIRE(ErrorOf(spec).find("layer 2 (transformer): the attention of shape [4, 40000, 40000] has "
                             "more than") == 0);
}

TEST_CASE("first weights of the new layers keep torch.nn's bounds", "[model]") {
  v1::ModelSpec spec = Spec("transformer", {8}, 2);
  spec.set_vocabulary(50);
  const Layout layout = Made(spec).layout;
  const std::vector<float> weights = InitialWeights(layout, 3);
  for (const Parameter& parameter : layout.parameters) {
    INFO(parameter.name);
    const float bound = parameter.start == Start::kUniform
                            ? 1 / std::sqrt(static_cast<float>(parameter.fan_in))
                            : 1.0F;
    float largest = 0;
    for (std::uint64_t i = 0; i < parameter.values; ++i) {
      largest = std::max(largest, std::abs(weights[parameter.offset + i]));
    }
    REQUIRE(largest <= bound);
    REQUIRE((parameter.start == Start::kZero || largest > 0.5F * bound));
  }
}

TEST_CASE("a section of the layout is taken out and put back in order", "[model]") {
  Layout layout = Made(Spec("logistic", {3}, 2)).layout;
  layout.parameters[0].part = Part::kFrozen;
  layout.parameters[1].part = Part::kPersonal;
  std::vector<float> all{1, 2, 3, 4, 5, 6, 7, 8};
  REQUIRE(ValuesIn(layout, Section::kCommon) == 0);
  REQUIRE(ValuesIn(layout, Section::kFrozen) == 6);
  REQUIRE(Take(layout, Section::kTrained, all) == std::vector<float>{7, 8});
  REQUIRE(Take(layout, Section::kPersonal, all) == std::vector<float>{7, 8});
  Put(layout, Section::kTrained, std::vector<float>{9, 10}, all);
  REQUIRE(all == std::vector<float>{1, 2, 3, 4, 5, 6, 9, 10});
}

TEST_CASE("k-means is one layer of centres with their shares", "[model]") {
  const Architecture made = Made(Spec("kmeans", {4}, 3));
  REQUIRE(made.clusters);
  REQUIRE(made.layers.size() == 1);
  REQUIRE(made.layout.parameters[0].name == "0.centres");
  REQUIRE(made.layout.parameters[0].shape == Shape{3, 4});
  REQUIRE(made.layout.parameters[1].name == "0.shares");
  REQUIRE(made.layout.parameters[1].shape == Shape{3});
  REQUIRE(made.layout.values == 15);
  const std::vector<float> start = InitialWeights(made.layout, 1);
  for (std::size_t i = 0; i < 15; ++i) {
    REQUIRE(std::abs(start[i]) <= 1);
    REQUIRE((start[i] == 0) == (i >= 12));  // shares start at 0
  }
  REQUIRE(Made(Spec("kmeans", {3, 5, 7}, 2)).layers[1].input == Shape{105});
  REQUIRE(HasCentres(Spec("kmeans", {4}, 3)));
  REQUIRE_FALSE(HasCentres(Spec("logistic", {4}, 3)));
  REQUIRE_FALSE(Made(Spec("logistic", {4}, 3)).clusters);
  v1::ModelSpec list = Spec("layers", {2, 6}, 3);
  Add(list, "max_pool1d", 0, 2);
  Add(list, "flatten");
  REQUIRE_FALSE(HasCentres(list));
  Add(list, "centres", 3);
  REQUIRE(HasCentres(list));
  REQUIRE(Made(list).clusters);
}

TEST_CASE("centres are of features that stay as they are, and the last layer", "[model]") {
  v1::ModelSpec learnt = Spec("layers", {4}, 3);
  Add(learnt, "linear", 5);
  Add(learnt, "centres", 3);
  REQUIRE(ErrorOf(learnt).find("layer 2 (centres): a layer before it has parameters") !=
          std::string::npos);
  v1::ModelSpec followed = Spec("layers", {4}, 3);
  Add(followed, "centres", 3);
  Add(followed, "relu");
  REQUIRE(ErrorOf(followed).find("layer 2 (relu): it follows a centres layer") !=
          std::string::npos);
  v1::ModelSpec image = Spec("layers", {4, 4}, 3);
  Add(image, "centres", 3);
  REQUIRE(ErrorOf(image).find("put a flatten layer before it") != std::string::npos);
  REQUIRE(ErrorOf(Spec("kmeans", {4}, 1)).find("at least 2 clusters") != std::string::npos);
  v1::ModelSpec adapted = Spec("kmeans", {4}, 3);
  adapted.set_adapter_rank(2);
  REQUIRE(ErrorOf(adapted).find("no linear layer to adapt") != std::string::npos);
}

}  // namespace
}  // namespace tutti::model
