#include <array>
#include <cmath>
#include <cstdio>
#include <random>

#include "tests/e2e/world.h"

namespace tutti::e2e {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Standard normal by Box and Muller: the standard library's own distribution differs between
// libraries.
double Normal(std::mt19937_64& random) {
  const auto uniform = [&random] {
    return (static_cast<double>(random() >> 11) + 0.5) / 9007199254740992.0;
  };
  return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * kPi * uniform());
}

constexpr double kCentres[3][4] = {{2, 0, 0, 1}, {0, 2, 1, 0}, {-1, -1, 2, -1}};

}  // namespace

Table MakeTable(std::size_t rows, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Table table;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t label = row % 3;
    std::array<double, 4> features{};
    for (std::size_t i = 0; i < features.size(); ++i) {
      // As many digits as the file has, so that whoever computes from the table computes the same.
      features[i] = std::round((kCentres[label][i] + Normal(random)) * 1000) / 1000;
    }
    table.features.push_back(features);
    table.labels.push_back(static_cast<int>(label));
  }
  return table;
}

std::string Table::Csv() const {
  std::string text = "f0,f1,f2,f3,label\n";
  for (std::size_t row = 0; row < labels.size(); ++row) {
    char line[128];
    const auto& f = features[row];
    std::snprintf(line, sizeof(line), "%.3f,%.3f,%.3f,%.3f,%d\n", f[0], f[1], f[2], f[3],
                  labels[row]);
    text += line;
  }
  return text;
}

std::string Program(const std::string& name, Build build) {
  const std::string folder = TUTTI_BIN_DIR;
  return build == Build::kProduct ? folder + "/" + name : folder + "/test/" + name + "-failpoints";
}

}  // namespace tutti::e2e
