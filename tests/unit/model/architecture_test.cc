#include "common/model/architecture.h"

#include <functional>
#include <string>

#include "common/base/text.h"
#include "common/model/initial_weights.h"
#include "tests/catch.h"
#include "tests/unit/model/specs.h"

namespace tutti::model {
namespace {

TEST_CASE("logistic regression on features has one weight for each feature and class", "[model]") {
  const auto architecture = ArchitectureOf(Spec("logistic", {30}, 2));
  REQUIRE(architecture.ok());
  REQUIRE(architecture->layers.size() == 1);
  REQUIRE(architecture->layout.values == 62);
  REQUIRE(architecture->layout.parameters[0].name == "0.weight");
  REQUIRE(architecture->layout.parameters[0].shape == Shape{2, 30});
  REQUIRE(architecture->layout.parameters[1].name == "0.bias");
  REQUIRE(architecture->layout.parameters[1].offset == 60);
  REQUIRE(architecture->layout.parameters[1].fan_in == 30);
}

TEST_CASE("a multilayer perceptron on images flattens them first", "[model]") {
  v1::ModelSpec spec = Spec("mlp", {28, 28});
  spec.add_hidden(256);
  const auto architecture = ArchitectureOf(spec);
  REQUIRE(architecture.ok());
  REQUIRE(architecture->layers.front().kind == LayerKind::kFlatten);
  REQUIRE(architecture->layout.values == 784 * 256 + 256 + 256 * 10 + 10);
  REQUIRE(architecture->layout.parameters.back().name == "3.bias");
}

TEST_CASE("lenet5 on 28 x 28 images has the 61,706 parameters of the classic", "[model]") {
  const auto plain = ArchitectureOf(Spec("lenet5", {28, 28}));
  REQUIRE(plain.ok());
  REQUIRE(plain->layout.values == 61706);
  v1::ModelSpec with_norm = Spec("lenet5", {28, 28});
  with_norm.set_normalisation("group");
  with_norm.set_activation("tanh");
  const auto normed = ArchitectureOf(with_norm);
  REQUIRE(normed.ok());
  REQUIRE(normed->layout.values == 61706 + 2 * 6 + 2 * 16);
  REQUIRE(normed->layers[1].kind == LayerKind::kGroupNorm);
  REQUIRE(normed->layers[1].groups == 2);
  REQUIRE(normed->layers[2].kind == LayerKind::kTanh);
}

TEST_CASE("shapes follow strides and padding through a list of layers", "[model]") {
  v1::ModelSpec spec = Spec("layers", {3, 32, 30});
  Add(spec, "conv2d", 16, 5, 2, 1);  // (32+2-5)/2+1 = 15, (30+2-5)/2+1 = 14
  Add(spec, "layer_norm");
  Add(spec, "relu");
  Add(spec, "avg_pool2d", 0, 3);  // stride 3: 5, 4
  Add(spec, "flatten");
  Add(spec, "linear", 10);
  const auto architecture = ArchitectureOf(spec);
  REQUIRE(architecture.ok());
  REQUIRE(architecture->layers[0].output == Shape{16, 15, 14});
  REQUIRE(architecture->layers[0].stride == 2);
  REQUIRE(architecture->layers[3].stride == 3);
  REQUIRE(architecture->layers[3].output == Shape{16, 5, 4});
  REQUIRE(architecture->layout.parameters[2].shape == Shape{16, 15, 14});
  REQUIRE(architecture->layout.values == 16 * 3 * 25 + 16 + 2 * 16 * 15 * 14 + 320 * 10 + 10);
  std::uint64_t end = 0;
  for (const Parameter& parameter : architecture->layout.parameters) {
    REQUIRE(parameter.offset == end);
    end += parameter.values;
  }
  REQUIRE(end == architecture->layout.values);
}

TEST_CASE("an error names the layer as the job file counts it", "[model]") {
  v1::ModelSpec spec = Spec("layers", {28, 28});
  Add(spec, "conv2d", 16, 5);
  Add(spec, "relu");
  Add(spec, "linear", 10);
  REQUIRE(ErrorOf(spec) ==
          "layer 3 (linear): input has shape [16, 24, 24], expected one dimension; put a flatten "
          "layer before it");
}

TEST_CASE("mistakes in a list of layers are refused with what to change", "[model]") {
  v1::ModelSpec spec = Spec("layers", {1, 8, 8});
  SECTION("unknown type") {
    Add(spec, "lstm");
    REQUIRE(ErrorOf(spec).find("layer 1: type is \"lstm\", expected one of linear") == 0);
  }
  SECTION("kernel larger than the image") {
    Add(spec, "conv2d", 4, 9);
    REQUIRE(ErrorOf(spec).find(
                "layer 1 (conv2d): kernel is 9 pixels, the padded input is only 8") == 0);
  }
  SECTION("a field without meaning") {
    Add(spec, "relu", 5);
    REQUIRE(ErrorOf(spec).find("layer 1 (relu): outputs is 5 but has no meaning here") == 0);
  }
  SECTION("a missing size") {
    Add(spec, "conv2d", 0, 3);
    REQUIRE(ErrorOf(spec).find("layer 1 (conv2d): outputs is missing") == 0);
  }
  SECTION("groups that do not divide the channels") {
    Add(spec, "conv2d", 6, 3);
    Add(spec, "group_norm").set_groups(4);
    REQUIRE(ErrorOf(spec).find("layer 2 (group_norm): groups is 4, expected a divisor of the 6") ==
            0);
  }
  SECTION("group norm of single values") {
    Add(spec, "conv2d", 6, 8);
    Add(spec, "group_norm").set_groups(6);
    REQUIRE(ErrorOf(spec).find("each group holds one value") != std::string::npos);
  }
  SECTION("pool padding above half the kernel") {
    Add(spec, "max_pool2d", 0, 2, 0, 2);
    REQUIRE(ErrorOf(spec).find("layer 1 (max_pool2d): padding is 2") == 0);
  }
  SECTION("an image layer after flatten") {
    Add(spec, "flatten");
    Add(spec, "conv2d", 4, 3);
    REQUIRE(ErrorOf(spec).find("layer 2 (conv2d): input has shape [64]") == 0);
  }
  SECTION("an end that is not one value a class") {
    Add(spec, "flatten");
    Add(spec, "linear", 12);
    REQUIRE(ErrorOf(spec).find("layer 2 (linear) is the last and gives [12], expected [10]") == 0);
  }
  SECTION("no layers") { REQUIRE(ErrorOf(spec).find("model.layers is empty") == 0); }
  SECTION("no parameters") {
    v1::ModelSpec bare = Spec("layers", {10});
    Add(bare, "relu");
    REQUIRE(ErrorOf(bare).find("the model has no parameters") == 0);
  }
}

TEST_CASE("contradictions around the list of layers are refused", "[model]") {
  v1::ModelSpec with_layers = Spec("lenet5", {28, 28});
  Add(with_layers, "relu");
  REQUIRE(ErrorOf(with_layers).find("model.layers has 1 entries") == 0);
  v1::ModelSpec with_hidden = Spec("logistic", {4});
  with_hidden.add_hidden(3);
  REQUIRE(ErrorOf(with_hidden).find("model.hidden is set") == 0);
  REQUIRE(ErrorOf(Spec("mlp", {4})).find("model.hidden is empty") == 0);
  v1::ModelSpec with_norm = Spec("logistic", {4});
  with_norm.set_normalisation("group");
  REQUIRE(ErrorOf(with_norm).find("model.normalisation") == 0);
  REQUIRE(ErrorOf(Spec("perceptron", {4})).find("model.architecture is \"perceptron\"") == 0);
  REQUIRE(ErrorOf(Spec("logistic", {4}, 1)).find("model.classes is 1") == 0);
  REQUIRE(ErrorOf(Spec("logistic", {})).find("model.input_shape has 0") == 0);
  REQUIRE(ErrorOf(Spec("logistic", {1, 2, 3, 4})).find("model.input_shape has 4") == 0);
  REQUIRE(ErrorOf(Spec("logistic", {0})).find("model.input_shape holds a 0") == 0);
  REQUIRE(ErrorOf(Spec("lenet5", {30})).find("layer 1 (conv2d): input has shape [30]") == 0);
}

v1::ModelSpec Script() {
  v1::ModelSpec spec = Spec("torchscript", {28, 28});
  spec.set_torchscript_sha256(std::string(63, '0') + "a");
  v1::ParameterSpec& weight = *spec.add_parameters();
  weight.set_name("body.weight");
  weight.add_shape(10);
  weight.add_shape(784);
  spec.add_parameters()->set_name("scale");
  return spec;
}

TEST_CASE("a TorchScript model has the layout its parameters say, and no layers", "[model]") {
  const auto architecture = ArchitectureOf(Script());
  REQUIRE(architecture.ok());
  REQUIRE(architecture->layers.empty());
  REQUIRE(architecture->script_sha256 == Script().torchscript_sha256());
  REQUIRE(architecture->input == Shape{1, 28, 28});
  REQUIRE(architecture->layout.values == 7841);
  REQUIRE(architecture->layout.parameters[0].name == "body.weight");
  REQUIRE(architecture->layout.parameters[0].shape == Shape{10, 784});
  REQUIRE(architecture->layout.parameters[1].offset == 7840);
  REQUIRE(architecture->layout.parameters[1].values == 1);
  REQUIRE(ArchitectureOf(Spec("logistic", {4}))->script_sha256.empty());
}

TEST_CASE("a TorchScript model whose layout or hash makes no sense is refused", "[model]") {
  const auto error = [](const std::function<void(v1::ModelSpec&)>& change) {
    v1::ModelSpec spec = Script();
    change(spec);
    return ErrorOf(spec);
  };
  for (const std::string hash : {"", "abc", "../../model.pt"}) {
    REQUIRE(error([&](auto& spec) {
              spec.set_torchscript_sha256(hash);
            }).find("model.torchscript_sha256 is \"" + hash) == 0);
  }
  REQUIRE(error([](auto& spec) {
            spec.set_torchscript_sha256(std::string(64, 'A'));
          }).find("in lower case") != std::string::npos);
  REQUIRE(error([](auto& spec) { spec.clear_parameters(); }).find("model.parameters is empty") ==
          0);
  for (const std::string& name : {std::string(), std::string("a b"), std::string("__metadata__"),
                                  std::string(257, 'x'), std::string("\n")}) {
    REQUIRE(error([&](auto& spec) {
              spec.mutable_parameters(1)->set_name(name);
            }).find("model.parameters 2: found the name") == 0);
  }
  REQUIRE(error([](auto& spec) {
            spec.mutable_parameters(1)->set_name("body.weight");
          }).find("model.parameters 2: the name \"body.weight\" stands twice") == 0);
  REQUIRE(error([](auto& spec) {
            spec.mutable_parameters(0)->set_shape(1, 0);
          }).find("model.parameters 1: found a shape") == 0);
  REQUIRE(error([](auto& spec) {
            for (int i = 0; i < 7; ++i) spec.mutable_parameters(0)->add_shape(1);
          }).find("model.parameters 1: found a shape of 9 sizes") == 0);
  REQUIRE(error([](auto& spec) {
            spec.mutable_parameters(0)->set_shape(0, 1U << 31);
            spec.mutable_parameters(0)->set_shape(1, 1U << 31);
          }).find("model.parameters 1: a parameter") == 0);
  REQUIRE(error([](auto& spec) {
            for (int i = 0; i < 2048; ++i) spec.add_parameters()->set_name(Join("p", i));
          }).find("model.parameters has 2050 entries") == 0);
  REQUIRE(error([](auto& spec) { spec.add_hidden(4); }).find("model.hidden is set") == 0);
  REQUIRE(error([](auto& spec) {
            spec.add_layers()->set_type("relu");
          }).find("model.layers is set") == 0);
  REQUIRE(error([](auto& spec) {
            spec.set_normalisation("group");
          }).find("model.normalisation is set") == 0);
  REQUIRE(error([](auto& spec) {
            spec.set_architecture("logistic");
          }).find("model.parameters is set, but is read only with") == 0);
}

TEST_CASE("a model too large for memory is refused before memory is taken", "[model]") {
  REQUIRE(ErrorOf(Spec("logistic", {65536, 65536, 65536})).find("more than") != std::string::npos);
  v1::ModelSpec wide = Spec("mlp", {65536});
  wide.add_hidden(65536);
  REQUIRE(ErrorOf(wide).find("layer 1 (linear): a parameter") == 0);
  v1::ModelSpec deep = Spec("layers", {65536});
  for (int i = 0; i < 64; ++i) {
    Add(deep, "linear", 32000);
    Add(deep, "linear", 65536);
  }
  REQUIRE(ErrorOf(deep).find("the model passes") != std::string::npos);
}

TEST_CASE("first weights equal those of an independent implementation", "[model]") {
  // tests/vectors/first_weights.py prints these (Python 3, integers and struct only).
  v1::ModelSpec spec = Spec("layers", {1, 4, 4}, 2);
  Add(spec, "conv2d", 2, 3);
  Add(spec, "group_norm");
  Add(spec, "flatten");
  Add(spec, "linear", 2);
  spec.set_seed(42);
  const auto weights = InitialWeights(spec);
  REQUIRE(weights.ok());
  REQUIRE(weights->size() == 18 + 2 + 2 + 2 + 16 + 2);
  const std::vector<float> expected{
      0x1.49d10a0000000p-3F, -0x1.d055f00000000p-3F, -0x1.2e48860000000p-3F, -0x1.a976a00000000p-4F,
      0x1.4b238a0000000p-2F, -0x1.3524620000000p-2F, 0x1.21194a0000000p-4F,  0x1.5b08680000000p-4F};
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(weights->at(i) == expected[i]);
  }
  REQUIRE(weights->at(20) == 1.0F);  // group norm's weight and bias draw nothing
  REQUIRE(weights->at(22) == 0.0F);
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(weights->at(24 + i) == expected[4 + i]);
  }
}

TEST_CASE("first weights depend on the seed and stay within their bound", "[model]") {
  v1::ModelSpec spec = Spec("mlp", {100}, 3);
  spec.add_hidden(50);
  spec.set_seed(1);
  const auto one = InitialWeights(spec);
  REQUIRE(*one == *InitialWeights(spec));
  spec.set_seed(2);
  const auto two = InitialWeights(spec);
  REQUIRE(*one != *two);
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < 5050; ++i) {
    REQUIRE(std::abs(one->at(i)) <= 0.1F);
    sum += one->at(i);
    squares += static_cast<double>(one->at(i)) * one->at(i);
  }
  // Mean 0 and variance bound^2/3; the tolerances are five standard errors.
  REQUIRE(std::abs(sum / 5050) < 5 * 0.1 / std::sqrt(3.0 * 5050));
  REQUIRE(squares / 5050 == Approx(0.01 / 3).epsilon(0.065));
}

}  // namespace
}  // namespace tutti::model
