#include "common/model/warm_start.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"
#include "tests/catch.h"

namespace tutti::model {
namespace {

v1::ModelSpec Logistic(std::uint32_t classes = 2) {
  v1::ModelSpec spec;
  spec.set_architecture("logistic");
  spec.add_input_shape(3);
  spec.set_classes(classes);
  spec.set_seed(5);
  return spec;
}

// A safetensors file of one tensor, or of several: `header` without braces.
Bytes FileOf(const std::string& header, BytesView data) {
  ByteWriter writer;
  writer.U64(header.size() + 2);
  writer.Raw(AsBytes("{" + header + "}"));
  writer.Raw(data);
  return writer.Take();
}

template <typename Value>
Bytes DataOf(std::initializer_list<Value> values) {
  const std::vector<Value> list(values);
  Bytes data(list.size() * sizeof(Value));
  std::memcpy(data.data(), list.data(), data.size());
  return data;
}

std::string ErrorOf(const v1::ModelSpec& spec, BytesView file) {
  const auto weights = ReuseWeights(spec, LayoutOf(spec).value(), file);
  REQUIRE_FALSE(weights.ok());
  return std::string(MessageOf(weights.status()));
}

std::vector<float> Bias(const std::string& dtype, BytesView data) {
  const std::string header = R"("0.bias":{"dtype":")" + dtype +
                             R"(","shape":[2],"data_offsets":[0,)" + std::to_string(data.size()) +
                             "]}";
  const v1::ModelSpec spec = Logistic();
  const auto weights = ReuseWeights(spec, LayoutOf(spec).value(), FileOf(header, data));
  INFO(weights.status());
  REQUIRE(weights.ok());
  return {weights->end() - 2, weights->end()};
}

TEST_CASE("a checkpoint of this very model is taken whole", "[warm-start]") {
  const v1::ModelSpec spec = Logistic();
  const Layout layout = LayoutOf(spec).value();
  const std::vector<float> values{1, 2, 3, 4, 5, 6, 7, 8};
  const Bytes file = WriteSafetensors(layout, values, {{"round", "3"}});
  REQUIRE(ReuseWeights(spec, layout, file).value() == values);
  const auto plan = PlanReuse(spec, layout, file);
  REQUIRE(plan->complete());
  REQUIRE(TextOf(*plan) == "taken from the file: 2 of 2 parameters");
}

TEST_CASE("what fits is taken, the rest starts from the seed, and both are told", "[warm-start]") {
  v1::ModelSpec trained;  // 0: three to four, 2: four to ten
  trained.set_architecture("mlp");
  trained.add_input_shape(3);
  trained.add_hidden(4);
  trained.set_classes(10);
  v1::ModelSpec wanted = trained;
  wanted.set_classes(2);
  wanted.add_hidden(5);
  wanted.set_seed(9);
  const Layout from = LayoutOf(trained).value(), to = LayoutOf(wanted).value();
  const std::vector<float> values = InitialWeights(from, 77), fresh = InitialWeights(to, 9);
  const Bytes file = WriteSafetensors(from, values, {});
  const auto weights = ReuseWeights(wanted, to, file);
  REQUIRE(weights.ok());
  REQUIRE(std::equal(values.begin(), values.begin() + 16, weights->begin()));
  REQUIRE(std::equal(fresh.begin() + 16, fresh.end(), weights->begin() + 16));
  REQUIRE(TextOf(*PlanReuse(wanted, to, file)) ==
          "taken from the file: 2 of 6 parameters (0.weight, 0.bias)\n"
          "from the seed: 2.weight (the file has [10, 4], the model [5, 4]), 2.bias (the file has "
          "[10], the model [5]), 4.weight (not in the file), 4.bias (not in the file)");
}

TEST_CASE("half, bfloat and double values become float32", "[warm-start]") {
  using Limits = std::numeric_limits<float>;
  REQUIRE(Bias("F32", DataOf<float>({0.1F, -Limits::max()})) ==
          std::vector<float>{0.1F, -Limits::max()});
  REQUIRE(Bias("F64", DataOf<double>({0.1, -2.5})) == std::vector<float>{0.1F, -2.5F});
  REQUIRE(Bias("F16", DataOf<std::uint16_t>({0x3c00, 0xc100})) == std::vector<float>{1.0F, -2.5F});
  REQUIRE(Bias("F16", DataOf<std::uint16_t>({0x7bff, 0x0400})) ==
          std::vector<float>{65504.0F, 0x1p-14F});
  REQUIRE(Bias("F16", DataOf<std::uint16_t>({0x8001, 0x03ff})) ==  // below the normal ones
          std::vector<float>{-0x1p-24F, 1023 * 0x1p-24F});
  REQUIRE(std::signbit(Bias("F16", DataOf<std::uint16_t>({0x8000, 0}))[0]));
  REQUIRE(Bias("BF16", DataOf<std::uint16_t>({0x3f80, 0xc020})) == std::vector<float>{1.0F, -2.5F});
}

TEST_CASE("values that are no finite float32 are refused", "[warm-start]") {
  const auto error = [](const std::string& dtype, BytesView data) {
    return ErrorOf(Logistic(),
                   FileOf(R"("0.bias":{"dtype":")" + dtype + R"(","shape":[2],"data_offsets":[0,)" +
                              std::to_string(data.size()) + "]}",
                          data));
  };
  for (const std::string& found :
       {error("F16", DataOf<std::uint16_t>({0x7c00, 0})),
        error("F16", DataOf<std::uint16_t>({0, 0x7e00})),
        error("BF16", DataOf<std::uint16_t>({0x7f80, 0})), error("F64", DataOf<double>({1e300, 0})),
        error("F32", DataOf<float>({std::nanf(""), 0}))}) {
    REQUIRE(found == "tensor \"0.bias\" of the safetensors file holds a NaN or infinite weight");
  }
  REQUIRE(
      error("F16", DataOf<float>({1, 2})).find("data_offsets span 8 bytes, the shape needs 4") !=
      std::string::npos);
}

TEST_CASE("a file of another kind of model is refused", "[warm-start]") {
  const Bytes data = DataOf<float>({1, 2, 3});
  REQUIRE(ErrorOf(Logistic(),
                  FileOf(R"("head":{"dtype":"F32","shape":[3],"data_offsets":[0,12]})", data)) ==
          "no tensor of the file has the name and shape of a parameter: 0.weight (not in the "
          "file), 0.bias (not in the file); the file has head");
  REQUIRE(ErrorOf(Logistic(),
                  FileOf(R"("0.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]})", data))
              .find("0.bias (the file has [3], the model [2])") != std::string::npos);
  REQUIRE(ErrorOf(Logistic(), AsBytes("not a file")).find("safetensors header") !=
          std::string::npos);
  REQUIRE(ErrorOf(Logistic(),
                  FileOf(R"("0.bias":{"dtype":"I32","shape":[2],"data_offsets":[0,8]})", data))
              .find("0.bias (the file holds no floats)") != std::string::npos);
}

TEST_CASE("tensors that are no weights are left alone", "[warm-start]") {
  const std::string header = R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("steps":{"dtype":"I64","shape":[],"data_offsets":[8,16]})";
  const v1::ModelSpec spec = Logistic();
  const Bytes file = FileOf(header, DataOf<float>({1, 2, 3, 4}));
  const auto plan = PlanReuse(spec, LayoutOf(spec).value(), file);
  REQUIRE(plan.ok());
  REQUIRE(plan->taken == std::vector<std::string>{"0.bias"});
  REQUIRE(plan->unused == std::vector<std::string>{"steps"});
}

TEST_CASE("a frozen parameter has to be in the file", "[warm-start]") {
  v1::ModelSpec spec = Logistic();
  spec.add_frozen("0.weight");
  const Bytes file =
      FileOf(R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", DataOf<float>({1, 2}));
  REQUIRE(ErrorOf(spec, file).find("model.frozen names 0.weight, which would stay random") == 0);
}

TEST_CASE("a TorchScript model takes all its weights from the file or none", "[warm-start]") {
  v1::ModelSpec spec = Logistic();
  spec.set_architecture("torchscript");
  spec.set_torchscript_sha256(std::string(64, 'a'));
  for (const std::string name : {"a", "b"}) {
    v1::ParameterSpec& parameter = *spec.add_parameters();
    parameter.set_name(name);
    parameter.add_shape(2);
  }
  const Bytes file =
      FileOf(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", DataOf<float>({1, 2}));
  REQUIRE(ErrorOf(spec, file)
              .find("a torchscript model needs all its weights from the file, which "
                    "lacks b (not in the file)") == 0);
}

}  // namespace
}  // namespace tutti::model
