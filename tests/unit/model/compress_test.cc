#include "common/model/compress.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/rng.h"
#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"
#include "common/model/warm_start.h"
#include "tests/catch.h"

namespace tutti::model {
namespace {

v1::ModelSpec Perceptron() {
  v1::ModelSpec spec;
  spec.set_architecture("mlp");
  spec.add_input_shape(13);
  spec.add_hidden(20);
  spec.set_classes(7);
  spec.set_seed(5);
  return spec;
}

struct Model {
  v1::ModelSpec spec = Perceptron();
  Layout layout = LayoutOf(spec).value();
  std::vector<float> values = InitialWeights(layout, 77);
  Bytes file() const { return WriteSafetensors(layout, values, {{"job", "digits"}}); }

  bool IsWeight(std::size_t place) const {
    for (const Parameter& parameter : layout.parameters) {
      if (place < parameter.offset + parameter.values) return parameter.shape.size() >= 2;
    }
    return false;
  }
  std::vector<float> Reused(BytesView compressed) const {
    const auto plan = PlanReuse(spec, layout, compressed);
    INFO(plan.status());
    REQUIRE(plan.ok());
    REQUIRE(plan->complete());
    return ReuseWeights(spec, layout, compressed).value();
  }
};

Compressed Made(BytesView file, const CompressSettings& settings) {
  auto compressed = CompressModel(file, settings);
  INFO(compressed.status());
  REQUIRE(compressed.ok());
  return *std::move(compressed);
}

std::string ErrorOf(BytesView file, const CompressSettings& settings) {
  const auto compressed = CompressModel(file, settings);
  REQUIRE_FALSE(compressed.ok());
  return tutti::TextOf(compressed.status());
}

nlohmann::json HeaderOf(BytesView file) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  return nlohmann::json::parse(AsText(file.subspan(8, length)));
}

// The file with another header, over the same data.
Bytes WithHeader(BytesView file, const nlohmann::json& header) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  const std::string text = header.dump();
  ByteWriter writer;
  writer.U64(text.size());
  writer.Raw(AsBytes(text));
  writer.Raw(file.subspan(8 + length));
  return writer.Take();
}

}  // namespace

TEST_CASE("a channel is rounded within half its scale, and its largest value is kept",
          "[compress]") {
  TestRng rng(3);
  for (int channel = 0; channel < 200; ++channel) {
    std::vector<float> values(1 + rng.Below(40));
    const double size = std::pow(10, static_cast<double>(rng.Below(60)) - 30);
    for (float& value : values) {
      value = static_cast<float>(size * (static_cast<double>(rng.Below(2001)) - 1000) / 1000);
    }
    const RoundedChannel rounded = RoundChannel(values);
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double back = static_cast<double>(rounded.numbers[i]) * rounded.scale;
      error = std::max(error, std::abs(back - values[i]));
      largest = std::max(largest, std::abs(static_cast<double>(values[i])));
      REQUIRE(std::abs(rounded.numbers[i]) <= 127);
    }
    REQUIRE(rounded.scale == Approx(largest / 127));
    // Quotient and scale are float32: 2^-23 of 127 steps, twice.
    REQUIRE(error <= rounded.scale * (0.5 + 127 * 0x1p-22));
    if (largest > 0) {
      REQUIRE(std::any_of(rounded.numbers.begin(), rounded.numbers.end(),
                          [](int number) { return std::abs(number) == 127; }));
    }
  }
}

TEST_CASE("channels of zeros and of the smallest numbers are rounded soundly", "[compress]") {
  const std::vector<float> zeros(4);
  REQUIRE(RoundChannel(zeros).scale == 0);
  REQUIRE(RoundChannel(zeros).numbers == std::vector<std::int8_t>(4));
  const std::vector<float> tiny{1e-44F, -1e-45F};
  const RoundedChannel rounded = RoundChannel(tiny);
  REQUIRE(rounded.scale == std::numeric_limits<float>::min());
  REQUIRE(std::abs(rounded.numbers[0]) <= 1);
  const std::vector<float> huge{std::numeric_limits<float>::max(), -1};
  REQUIRE(std::isfinite(127.0F * RoundChannel(huge).scale));
}

TEST_CASE("pruning sets exactly the smallest of all parts to zero", "[compress]") {
  TestRng rng(4);
  for (const double sparsity : {0.0, 0.1, 0.5, 0.8, 0.99}) {
    std::vector<float> first(37), second(64);
    for (float& value : first) value = static_cast<float>(rng.Below(4001)) / 1000 - 2;
    for (float& value : second) value = static_cast<float>(rng.Below(4001)) / 1000 - 2;
    std::vector<float> all(first);
    all.insert(all.end(), second.begin(), second.end());
    // Plainly: sort by magnitude, of equals the first first.
    std::vector<std::size_t> order(all.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return std::abs(all[a]) < std::abs(all[b]); });
    const auto count = static_cast<std::size_t>(std::llround(sparsity * 101));
    for (std::size_t i = 0; i < count; ++i) all[order[i]] = 0;
    const std::vector<std::span<float>> parts{first, second};
    PruneSmallest(sparsity, parts);
    first.insert(first.end(), second.begin(), second.end());
    REQUIRE(first == all);
  }
}

TEST_CASE("of values of one size the first are pruned, and zeros count as pruned", "[compress]") {
  std::vector<float> values{1, -1, 1, -1, 0, 2};
  const std::vector<std::span<float>> parts{values};
  PruneSmallest(0.5, parts);
  REQUIRE(values == std::vector<float>{0, 0, 1, -1, 0, 2});
}

TEST_CASE("an int8 file is read back within half a scale, biases as they were", "[compress]") {
  const Model model;
  const Bytes file = model.file();
  const Compressed made = Made(file, {.int8 = true, .sparsity = 0});
  REQUIRE(made.values == model.layout.values);
  REQUIRE(made.weights == 13 * 20 + 20 * 7);
  REQUIRE(made.file.size() < file.size());
  const std::vector<float> back = model.Reused(made.file);
  double largest = 0;
  for (std::size_t i = 0; i < back.size(); ++i) {
    if (!model.IsWeight(i)) REQUIRE(back[i] == model.values[i]);
    largest = std::max(largest, std::abs(static_cast<double>(back[i]) - model.values[i]));
  }
  REQUIRE(largest == Approx(made.largest_weight_error).epsilon(1e-5));
  for (const Parameter& parameter : model.layout.parameters) {
    if (parameter.shape.size() < 2) continue;
    const std::size_t width = parameter.values / parameter.shape[0];
    for (std::size_t channel = 0; channel < parameter.shape[0]; ++channel) {
      const auto at = [&](const std::vector<float>& values) {
        return std::span(values).subspan(parameter.offset + channel * width, width);
      };
      const RoundedChannel rounded = RoundChannel(at(model.values));
      for (std::size_t i = 0; i < width; ++i) {
        REQUIRE(at(back)[i] == static_cast<float>(rounded.numbers[i]) * rounded.scale);
      }
    }
  }
  const nlohmann::json header = HeaderOf(made.file);
  REQUIRE(header["__metadata__"]["job"] == "digits");
  REQUIRE(header["__metadata__"]["tutti.compressed"] == "1");
  REQUIRE(header["0.weight"]["dtype"] == "I8");
  REQUIRE(header["0.weight"]["shape"] == nlohmann::json({20, 13}));
  REQUIRE(header["0.weight.scale"]["shape"] == nlohmann::json({20}));
  REQUIRE(header["0.bias"]["dtype"] == "F32");
}

TEST_CASE("a pruned file holds what was kept, bit for bit, and is smaller", "[compress]") {
  const Model model;
  const Bytes file = model.file();
  for (const bool int8 : {false, true}) {
    const Compressed made = Made(file, {.int8 = int8, .sparsity = 0.8});
    const std::vector<float> back = model.Reused(made.file);
    REQUIRE(HeaderOf(made.file)["__metadata__"]["shape.0.weight"] == "20,13");
    std::uint64_t zeros = 0;
    for (std::size_t i = 0; i < back.size(); ++i) {
      if (model.IsWeight(i) && back[i] == 0) ++zeros;
      if (!int8 && back[i] != 0) REQUIRE(back[i] == model.values[i]);
      if (!model.IsWeight(i)) REQUIRE(back[i] == model.values[i]);
    }
    REQUIRE(zeros == made.zeros);
    REQUIRE(zeros >= 320);  // 0.8 of 400
    REQUIRE(zeros <= (int8 ? 330 : 320));
    const std::uint64_t data = made.file.size() - 8 - HeaderOf(made.file).dump().size();
    // Bits of both weights; values left; biases, and scales; padding of the header.
    REQUIRE(data <= 33U + 18U + 80U * (int8 ? 1U : 4U) + 27U * 4U + (int8 ? 27U * 4U : 0U) + 8U);
  }
}

TEST_CASE("a compressed file may be compressed again", "[compress]") {
  const Model model;
  const Compressed pruned = Made(model.file(), {.int8 = false, .sparsity = 0.5});
  const Compressed twice = Made(pruned.file, {.int8 = true, .sparsity = 0});
  const Compressed at_once = Made(model.file(), {.int8 = true, .sparsity = 0.5});
  REQUIRE(model.Reused(twice.file) == model.Reused(at_once.file));
  // Rounding what was rounded changes no number; a scale may differ in its last bit.
  const Compressed again = Made(at_once.file, {.int8 = true, .sparsity = 0});
  REQUIRE(again.file.size() == at_once.file.size());
  REQUIRE(again.zeros == at_once.zeros);
  const std::vector<float> one = model.Reused(at_once.file), two = model.Reused(again.file);
  for (std::size_t i = 0; i < one.size(); ++i) REQUIRE(two[i] == Approx(one[i]).epsilon(1e-6));
}

TEST_CASE("control variates of scaffold are left out", "[compress]") {
  const Model model;
  Layout with = model.layout;
  for (Parameter parameter : model.layout.parameters) {
    parameter.name = "control." + parameter.name;
    parameter.offset += model.layout.values;
    with.parameters.push_back(parameter);
  }
  with.values *= 2;
  std::vector<float> values = model.values;
  values.insert(values.end(), model.values.begin(), model.values.end());
  const Compressed made =
      Made(WriteSafetensors(with, values, {{"job", "digits"}}), {.int8 = true, .sparsity = 0});
  REQUIRE(made.left_out.size() == 4);
  REQUIRE(made.file == Made(model.file(), {.int8 = true, .sparsity = 0}).file);
}

TEST_CASE("what cannot be compressed is refused with what to do", "[compress]") {
  const Model model;
  const Bytes file = model.file();
  const CompressSettings int8{.int8 = true, .sparsity = 0};
  for (const double wrong : {1.0, -0.1, 2.0, std::numeric_limits<double>::quiet_NaN()}) {
    REQUIRE(ErrorOf(file, {.int8 = false, .sparsity = wrong}).find("expected 0 up to") !=
            std::string::npos);
  }
  REQUIRE(ErrorOf(file, {}).find("nothing is asked for") != std::string::npos);
  REQUIRE(ErrorOf(AsBytes("no model"), int8).find("safetensors header") != std::string::npos);
  REQUIRE(ErrorOf(Bytes(), int8).find("is cut off") != std::string::npos);
  Layout flat;
  flat.parameters = {{.name = "a", .shape = {3}, .offset = 0, .values = 3}};
  flat.values = 3;
  REQUIRE(ErrorOf(WriteSafetensors(flat, std::vector<float>(3), {}), int8)
              .find("none of two dimensions") != std::string::npos);
  Model bad;
  bad.values[3] = std::numeric_limits<float>::infinity();
  REQUIRE(ErrorOf(bad.file(), int8).find("\"0.weight\" of the file holds a NaN") !=
          std::string::npos);
  Layout clash;
  clash.parameters = {{.name = "w", .shape = {2, 2}, .offset = 0, .values = 4},
                      {.name = "w.scale", .shape = {2}, .offset = 4, .values = 2}};
  clash.values = 6;
  REQUIRE(ErrorOf(WriteSafetensors(clash, std::vector<float>(6, 1), {}), int8)
              .find("rename it before") != std::string::npos);
}

TEST_CASE("a damaged compressed file is found out", "[compress]") {
  const Model model;
  const Compressed made = Made(model.file(), {.int8 = true, .sparsity = 0.8});
  const auto error = [&](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json header = HeaderOf(made.file);
    change(header);
    const Bytes damaged = WithHeader(made.file, header);
    const auto weights = ReuseWeights(model.spec, model.layout, damaged);
    REQUIRE_FALSE(weights.ok());
    REQUIRE_FALSE(PlanReuse(model.spec, model.layout, damaged).ok());
    return tutti::TextOf(weights.status());
  };
  using Json = nlohmann::json;
  const auto found = [](const std::string& text, const std::string& words) {
    INFO(text);
    REQUIRE(text.find(words) != std::string::npos);
  };
  found(error([](Json& h) { h.erase("0.weight.scale"); }), "no fitting scales");
  found(error([](Json& h) { h["0.weight.scale"]["shape"] = {4, 5}; }), "no fitting scales");
  found(error([](Json& h) { h["__metadata__"].erase("shape.0.weight"); }), "state its shape");
  for (const char* const shape : {"", "20,", "20,x", "0,13", "-1", "20 13", ",20"}) {
    found(error([&](Json& h) { h["__metadata__"]["shape.0.weight"] = shape; }), "state its shape");
  }
  found(error([](Json& h) { h["__metadata__"]["shape.0.weight"] = "21,13"; }), "values need 35");
  found(error([](Json& h) { h["__metadata__"]["shape.0.weight"] = "4000000000,4000000000"; }),
        "has more than");
  found(error([](Json& h) { h["__metadata__"]["tutti.compressed"] = "2"; }), "version 2");
  found(error([](Json& h) {
          h["0.weight.present"]["data_offsets"] = h["2.weight.present"]["data_offsets"];
        }),
        "bytes");
  // One bit more than there are values.
  Bytes flipped = made.file;
  const Json header = HeaderOf(made.file);
  std::uint64_t length = 0;
  std::memcpy(&length, flipped.data(), 8);
  const std::size_t bits =
      8 + length + header["0.weight.present"]["data_offsets"][0].get<std::size_t>();
  flipped[bits] ^= 1;
  found(tutti::TextOf(ReuseWeights(model.spec, model.layout, flipped).status()),
        "are there, the file has");
  // A scale that is not finite.
  Bytes infinite = made.file;
  const std::size_t scale =
      8 + length + header["0.weight.scale"]["data_offsets"][0].get<std::size_t>();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(infinite.data() + scale, &nan, sizeof(nan));
  found(tutti::TextOf(ReuseWeights(model.spec, model.layout, infinite).status()),
        "NaN or infinite");
  for (std::size_t cut = 0; cut < made.file.size(); ++cut) {
    REQUIRE_FALSE(ReuseWeights(model.spec, model.layout, BytesView(made.file).first(cut)).ok());
  }
}

TEST_CASE("whole numbers without scales are no weights, and peers never get a compressed file",
          "[compress]") {
  const Model model;
  const Compressed made = Made(model.file(), {.int8 = true, .sparsity = 0});
  nlohmann::json header = HeaderOf(made.file);
  header["__metadata__"].erase("tutti.compressed");
  const auto plan = PlanReuse(model.spec, model.layout, WithHeader(made.file, header));
  REQUIRE(plan.ok());  // of the biases
  REQUIRE(TextOf(*plan).find("0.weight (the file holds no floats)") != std::string::npos);
  REQUIRE(tutti::TextOf(ReadSafetensors(made.file, model.layout).status())
              .find("dtype is not \"F32\"") != std::string::npos);
}

TEST_CASE("the parameters of a compressed file are those of the model", "[compress]") {
  const Model model;
  const Compressed made = Made(model.file(), {.int8 = true, .sparsity = 0.8});
  const auto parameters = SafetensorsParameters(made.file);
  REQUIRE(parameters.ok());
  REQUIRE(parameters->size() == model.layout.parameters.size());
  for (const v1::ParameterSpec& parameter : *parameters) {
    const auto known =
        std::find_if(model.layout.parameters.begin(), model.layout.parameters.end(),
                     [&](const Parameter& own) { return own.name == parameter.name(); });
    REQUIRE(known != model.layout.parameters.end());
    REQUIRE(std::equal(known->shape.begin(), known->shape.end(), parameter.shape().begin(),
                       parameter.shape().end()));
  }
}

}  // namespace tutti::model
