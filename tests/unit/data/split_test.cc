#include "client/data/split.h"

#include <algorithm>
#include <set>

#include "tests/unit/data/tables.h"

namespace tutti::data {
namespace {

std::string Numbers(int from, int to) {
  std::string text = "a,y\n";
  for (int i = from; i < to; ++i) text += std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  return text;
}

std::set<float> Validation(const Dataset& data) {
  return {data.features.begin() + static_cast<std::ptrdiff_t>(data.training()),
          data.features.end()};
}

Change Fraction(double fraction, const std::string& identity = "default") {
  return [=](v1::DataConfig& config) {
    config.set_validation_fraction(fraction);
    config.set_identity(identity);
  };
}

}  // namespace

TEST_CASE("about the fraction asked for is kept for validation, behind the rest", "[data]") {
  const auto data = Prepared(Numbers(0, 4000), Fraction(0.25));
  REQUIRE(data->examples == 4000);
  // 1000 expected, standard deviation 27: five of them, chance of a false alarm below 1e-6.
  REQUIRE(data->validation > 865);
  REQUIRE(data->validation < 1135);
  for (std::size_t i = 0; i < data->examples; ++i) {
    REQUIRE(data->labels[i] == static_cast<std::uint32_t>(data->features[i]) % 2);
  }
  std::set<float> all(data->features.begin(), data->features.end());
  REQUIRE(all.size() == 4000);
  const auto training = static_cast<std::ptrdiff_t>(data->training());
  REQUIRE(std::is_sorted(data->features.begin(), data->features.begin() + training));
  REQUIRE(data->first_measured() == data->training());
  REQUIRE(Prepared(Numbers(0, 40), Fraction(0))->first_measured() == 0);
}

TEST_CASE("the draw of an example does not depend on the others or on the order", "[data]") {
  const auto whole = Prepared(Numbers(0, 300), Fraction(0.3));
  const auto later = Prepared(Numbers(100, 300), Fraction(0.3));
  for (const float value : Validation(*later)) REQUIRE(Validation(*whole).count(value) == 1);
  const auto count = std::count_if(whole->features.begin(), whole->features.end(),
                                   [](float value) { return value < 100; });
  REQUIRE(count == 100);
  REQUIRE(whole->validation >= later->validation);
}

TEST_CASE("the slices of an experiment draw the rows that the whole file draws", "[data]") {
  const auto whole = Prepared(Numbers(0, 300), Fraction(0.3));
  std::set<float> drawn;
  for (std::uint32_t part = 0; part < 3; ++part) {
    const auto data = Prepared(Numbers(0, 300), [&](v1::DataConfig& config) {
      Fraction(0.3)(config);
      config.mutable_slice()->set_kind("iid");
      config.mutable_slice()->set_index(part);
      config.mutable_slice()->set_count(3);
    });
    drawn.merge(Validation(*data));
  }
  REQUIRE(drawn == Validation(*whole));
}

TEST_CASE("equal rows are on one side, another identity draws others", "[data]") {
  std::string text = "a,y\n";
  for (int i = 0; i < 50; ++i) text += "3,1\n";
  const auto same = Prepared(text, Fraction(0.5));
  REQUIRE((same->validation == 0 || same->validation == 50));
  REQUIRE(Validation(*Prepared(Numbers(0, 300), Fraction(0.3, "one"))) !=
          Validation(*Prepared(Numbers(0, 300), Fraction(0.3, "two"))));
}

TEST_CASE("a split that leaves one side empty is a warning", "[data]") {
  const TestFolder folder;
  v1::DataConfig config = TableConfig(folder.Write("t.csv", "a,y\n3,1\n3,1\n"));
  config.set_validation_fraction(0.5);
  const auto data = Load(config, Model({1}, 2));
  REQUIRE(Says(data->warnings.at(0), "equal examples stay together"));
}

TEST_CASE("images are split by their content too", "[data]") {
  const TestFolder folder;
  std::string pixels, labels;
  for (int i = 0; i < 200; ++i) {
    pixels += {static_cast<char>(i), static_cast<char>(i / 2)};
    labels.push_back(static_cast<char>(i % 2));
  }
  v1::DataConfig config;
  config.set_format("idx");
  config.set_images(folder.Write("i", Idx({200, 1, 2}, pixels)));
  config.set_labels(folder.Write("l", Idx({200}, labels)));
  config.set_scale(1);
  config.set_validation_fraction(0.3);
  const auto data = Load(config, Model({1, 2}, 2));
  REQUIRE(data->examples == 200);
  REQUIRE(data->validation > 25);
  REQUIRE(data->validation < 95);
  std::vector<int> seen(200);
  for (std::size_t i = 0; i < 200; ++i) {
    const auto image = static_cast<std::size_t>(data->features[2 * i]);
    ++seen[image];
    REQUIRE(data->labels[i] == image % 2);
  }
  REQUIRE(seen == std::vector<int>(200, 1));
  const auto counts = data->ClassCounts(2);
  REQUIRE(counts[0] + counts[1] == data->training());
}

}  // namespace tutti::data
