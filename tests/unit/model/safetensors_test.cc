#include "common/model/safetensors.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "common/base/text.h"
#include "common/model/architecture.h"
#include "tests/catch.h"

namespace tutti::model {
namespace {

Layout SmallLayout() {
  Layout layout;
  layout.parameters = {{.name = "0.weight", .shape = {2, 3}, .offset = 0, .values = 6, .fan_in = 3},
                       {.name = "0.bias", .shape = {2}, .offset = 6, .values = 2, .fan_in = 3}};
  layout.values = 8;
  return layout;
}

std::vector<float> SmallValues() { return {1.0F, -2.5F, 0.0F, 1e-30F, 3.25F, -0.0F, 7.0F, 8.5F}; }

Bytes FileOf(const std::string& header, std::size_t data_bytes) {
  ByteWriter writer;
  writer.U64(header.size());
  writer.Raw(AsBytes(header));
  Bytes file = writer.Take();
  file.resize(file.size() + data_bytes);
  return file;
}

std::string ErrorOf(BytesView file) {
  const auto read = ReadSafetensors(file, SmallLayout());
  const auto view = ViewSafetensors(file, SmallLayout());
  REQUIRE_FALSE(read.ok());
  REQUIRE_FALSE(view.ok());
  return std::string(MessageOf(read.status()));
}

const std::string kWeight = R"("0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]})";
const std::string kBias = R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]})";

TEST_CASE("weights written are read back bit for bit, with their metadata", "[safetensors]") {
  const Metadata metadata{{"job", "demo"}, {"round", "3"}};
  const Bytes file = WriteSafetensors(SmallLayout(), SmallValues(), metadata);
  const auto read = ReadSafetensors(file, SmallLayout());
  REQUIRE(read.ok());
  const std::vector<float> values = SmallValues();
  REQUIRE(std::memcmp(read->data(), values.data(), 32) == 0);
  REQUIRE(*SafetensorsMetadata(file) == metadata);
}

TEST_CASE("the same weights give the same bytes, with data at a multiple of eight",
          "[safetensors]") {
  const Bytes file = WriteSafetensors(SmallLayout(), SmallValues(), {{"a", "b"}});
  REQUIRE(file == WriteSafetensors(SmallLayout(), SmallValues(), {{"a", "b"}}));
  REQUIRE((file.size() - 32) % 8 == 0);
  REQUIRE(ToString(BytesView(file).subspan(8, file.size() - 40))
              .find(R"({"__metadata__":{"a":"b"},"0.weight":)") == 0);
}

TEST_CASE("our own files are read without a copy", "[safetensors]") {
  const Bytes file = WriteSafetensors(SmallLayout(), SmallValues(), {});
  const auto view = ViewSafetensors(file, SmallLayout());
  REQUIRE(view.ok());
  REQUIRE(view->size() == 8);
  REQUIRE(reinterpret_cast<const std::uint8_t*>(view->data()) == file.data() + file.size() - 32);
  REQUIRE(view->front() == 1.0F);
}

TEST_CASE("tensors in another order are copied but not viewed", "[safetensors]") {
  const std::string header = R"({"0.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}})";
  Bytes file = FileOf(header, 32);
  const std::vector<float> stored{7.0F, 8.5F, 1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F};
  std::memcpy(file.data() + file.size() - 32, stored.data(), 32);
  const auto read = ReadSafetensors(file, SmallLayout());
  REQUIRE(read.ok());
  REQUIRE(*read == std::vector<float>{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F, 7.0F, 8.5F});
  REQUIRE(ViewSafetensors(file, SmallLayout()).status().code() == StatusCode::kFailedPrecondition);
}

TEST_CASE("a file cut off at any byte is refused", "[safetensors]") {
  const Bytes file = WriteSafetensors(SmallLayout(), SmallValues(), {{"a", "b"}});
  for (std::size_t size = 0; size < file.size(); ++size) {
    const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE_FALSE(ReadSafetensors(cut, SmallLayout()).ok());
    REQUIRE_FALSE(ViewSafetensors(cut, SmallLayout()).ok());
  }
  Bytes longer = file;
  longer.push_back(0);
  REQUIRE(ErrorOf(longer).find("has 33 bytes of data, its tensors name 32") != std::string::npos);
}

TEST_CASE("a file with any one header byte changed is read the same or refused", "[safetensors]") {
  const Bytes file = WriteSafetensors(SmallLayout(), SmallValues(), {});
  const auto right = ReadSafetensors(file, SmallLayout());
  for (std::size_t i = 0; i < file.size() - 32; ++i) {
    for (const unsigned flip : {0x01U, 0x10U, 0x80U, 0xffU}) {
      Bytes damaged = file;
      damaged[i] = static_cast<std::uint8_t>(damaged[i] ^ flip);
      const auto read = ReadSafetensors(damaged, SmallLayout());
      if (read.ok()) {
        REQUIRE(std::memcmp(read->data(), right->data(), 32) == 0);
      }
    }
  }
}

TEST_CASE("hostile headers are refused", "[safetensors]") {
  const std::string both = "{" + kWeight + "," + kBias + "}";
  REQUIRE(ReadSafetensors(FileOf(both, 32), SmallLayout()).ok());
  SECTION("a name twice") {
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + kBias + "," + kBias + "}", 32)).find("twice") !=
            std::string::npos);
  }
  SECTION("a field twice") {
    const std::string twice =
        R"("0.bias":{"dtype":"F32","shape":[9],"shape":[2],"data_offsets":[24,32]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + twice + "}", 32)).find("twice") !=
            std::string::npos);
  }
  SECTION("a tensor missing") {
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "}", 24)).find("no tensor \"0.bias\"") !=
            std::string::npos);
  }
  SECTION("a tensor too many") {
    const std::string extra = R"("1.x":{"dtype":"F32","shape":[1],"data_offsets":[32,36]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + kBias + "," + extra + "}", 36))
                .find("has 3 tensors") != std::string::npos);
  }
  SECTION("an overlap") {
    const std::string low = R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[20,28]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + low + "}", 28)).find("overlap") !=
            std::string::npos);
  }
  SECTION("a gap") {
    const std::string high = R"("0.bias":{"dtype":"F32","shape":[2],"data_offsets":[28,36]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + high + "}", 36)).find("gap") != std::string::npos);
  }
  SECTION("offsets outside the data") {
    REQUIRE(ErrorOf(FileOf(both, 28)).find("data_offsets do not lie") != std::string::npos);
  }
  SECTION("offsets that do not match the shape") {
    const std::string wide = R"("0.bias":{"dtype":"F32","shape":[3],"data_offsets":[24,32]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + wide + "}", 32)).find("the shape needs 12") !=
            std::string::npos);
  }
  SECTION("another shape of the same size") {
    const std::string turned = R"("0.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]})";
    REQUIRE(ErrorOf(FileOf("{" + turned + "," + kBias + "}", 32)).find("another shape") !=
            std::string::npos);
  }
  SECTION("a product that overflows") {
    const std::string huge =
        R"("0.bias":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[24,32]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + huge + "}", 32)).find("more than") !=
            std::string::npos);
  }
  SECTION("numbers that are negative, fractions or too long") {
    for (const std::string number :
         {"-2", "2.0", "1e400", "99999999999999999999999", "true", "\"2\""}) {
      const std::string odd =
          R"("0.bias":{"dtype":"F32","shape":[)" + number + R"(],"data_offsets":[24,32]})";
      ErrorOf(FileOf("{" + kWeight + "," + odd + "}", 32));
    }
  }
  SECTION("another dtype") {
    const std::string half = R"("0.bias":{"dtype":"F16","shape":[2],"data_offsets":[24,28]})";
    REQUIRE(ErrorOf(FileOf("{" + kWeight + "," + half + "}", 28)).find("dtype") !=
            std::string::npos);
  }
  SECTION("metadata that is not text") {
    ErrorOf(FileOf("{\"__metadata__\":{\"a\":1}," + kWeight + "," + kBias + "}", 32));
    ErrorOf(FileOf("{\"__metadata__\":7," + kWeight + "," + kBias + "}", 32));
  }
  SECTION("deep nesting") {
    REQUIRE(ErrorOf(FileOf(std::string(500000, '['), 0)).find("nests deeper") != std::string::npos);
  }
  SECTION("a header above the limit") {
    REQUIRE(ErrorOf(FileOf(std::string(kMaxSafetensorsHeader + 1, ' '), 0)).find("at most") !=
            std::string::npos);
    ByteWriter writer;
    writer.U64(std::numeric_limits<std::uint64_t>::max());
    writer.U64(0);
    ErrorOf(writer.bytes());
  }
  SECTION("not JSON") {
    for (const std::string text :
         {"", "null", "[]", "{", "{\"a\":\xff\xfe}", "{}x", "{\"0.bias\":7}", "{\"0.bias\":{}}"}) {
      ErrorOf(FileOf(text, 32));
    }
  }
}

TEST_CASE("weights that are not finite are refused", "[safetensors]") {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values = SmallValues();
    values[5] = bad;
    REQUIRE_FALSE(AllFinite(values));
    REQUIRE(ErrorOf(WriteSafetensors(SmallLayout(), values, {})).find("NaN or infinite") !=
            std::string::npos);
  }
  REQUIRE(AllFinite(std::vector<float>{std::numeric_limits<float>::max(),
                                       std::numeric_limits<float>::denorm_min()}));
}

TEST_CASE("metadata that is no UTF-8 still gives a readable file", "[safetensors]") {
  const Bytes file = WriteSafetensors(SmallLayout(), SmallValues(), {{"note", "caf\xe9"}});
  REQUIRE(ReadSafetensors(file, SmallLayout()).ok());
}

TEST_CASE("a file tells the names and shapes of its tensors in the order of its data",
          "[safetensors]") {
  Layout layout = SmallLayout();
  layout.parameters.push_back({.name = "a.scale", .shape = {}, .offset = 8, .values = 1});
  layout.values = 9;
  const Bytes file = WriteSafetensors(layout, std::vector<float>(9), {{"job", "demo"}});
  const auto parameters = SafetensorsParameters(file);
  REQUIRE(parameters.ok());
  REQUIRE(parameters->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {  // not in the order of their names
    const v1::ParameterSpec& found = (*parameters)[i];
    REQUIRE(found.name() == layout.parameters[i].name);
    REQUIRE(Shape(found.shape().begin(), found.shape().end()) == layout.parameters[i].shape);
  }
  const auto refused = [](const std::string& tensor, std::size_t bytes) {
    return std::string(
        MessageOf(SafetensorsParameters(FileOf("{" + tensor + "}", bytes)).status()));
  };
  REQUIRE(refused(R"("w":{"dtype":"I32","shape":[1],"data_offsets":[0,4]})", 4)
              .find("holds no floats") != std::string::npos);
  REQUIRE(refused(R"("w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})", 0)
              .find("has a size of 0") != std::string::npos);
}

}  // namespace
}  // namespace tutti::model
