#include "tests/e2e/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace tutti::e2e {
namespace {

std::array<double, 3> Probabilities(const Weights& w, const std::array<double, 4>& x) {
  std::array<double, 3> p{};
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    double score = w.bias[c];
    for (std::size_t i = 0; i < 4; ++i) score += w.weight[c][i] * x[i];
    p[c] = std::exp(score);
    sum += p[c];
  }
  for (double& value : p) value /= sum;
  return p;
}

void AppendFloat(std::string& bytes, double value) {
  const auto narrow = static_cast<float>(value);
  char raw[sizeof(narrow)];
  std::memcpy(raw, &narrow, sizeof(narrow));
  bytes.append(raw, sizeof(raw));
}

}  // namespace

std::string SafetensorsOf(const Weights& weights) {
  std::string header = R"({"0.weight":{"dtype":"F32","shape":[3,4],"data_offsets":[0,48]},)"
                       R"("0.bias":{"dtype":"F32","shape":[3],"data_offsets":[48,60]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>((header.size() >> (8 * i)) & 0xff);
  }
  bytes += header;
  for (const auto& row : weights.weight) {
    for (const double value : row) AppendFloat(bytes, value);
  }
  for (const double value : weights.bias) AppendFloat(bytes, value);
  return bytes;
}

Json ReadWithPython(const std::string& path) {
  const Ran ran = Run({"python3", std::string(TUTTI_E2E_SOURCES) + "/read_safetensors.py", path});
  if (ran.exit_code != 0) throw std::runtime_error("read_safetensors.py: " + ran.error);
  return Json::parse(ran.out);
}

Weights WeightsFrom(const Json& tensors) {
  Weights weights;
  const Json& matrix = tensors.at("0.weight").at("values");
  for (std::size_t i = 0; i < 12; ++i) weights.weight[i / 4][i % 4] = matrix.at(i);
  for (std::size_t i = 0; i < 3; ++i) weights.bias[i] = tensors.at("0.bias").at("values").at(i);
  return weights;
}

Weights Step(const Weights& from, const Table& table, double learning_rate) {
  Weights next = from;
  const double scale = learning_rate / static_cast<double>(table.labels.size());
  for (std::size_t row = 0; row < table.labels.size(); ++row) {
    const std::array<double, 4>& x = table.features[row];
    std::array<double, 3> error = Probabilities(from, x);
    error[static_cast<std::size_t>(table.labels[row])] -= 1;
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < 4; ++i) next.weight[c][i] -= scale * error[c] * x[i];
      next.bias[c] -= scale * error[c];
    }
  }
  return next;
}

Weights WithinNorm(const Weights& from, const Weights& to, double norm) {
  double squares = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    squares += std::pow(to.bias[c] - from.bias[c], 2);
    for (std::size_t f = 0; f < 4; ++f) {
      squares += std::pow(to.weight[c][f] - from.weight[c][f], 2);
    }
  }
  const double factor = std::min(1.0, norm / std::sqrt(squares));
  Weights within = from;
  for (std::size_t c = 0; c < 3; ++c) {
    within.bias[c] += factor * (to.bias[c] - from.bias[c]);
    for (std::size_t f = 0; f < 4; ++f) {
      within.weight[c][f] += factor * (to.weight[c][f] - from.weight[c][f]);
    }
  }
  return within;
}

Weights Mean(const std::vector<Weights>& all) {
  Weights mean;
  const auto count = static_cast<double>(all.size());
  for (const Weights& one : all) {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < 4; ++i) mean.weight[c][i] += one.weight[c][i] / count;
      mean.bias[c] += one.bias[c] / count;
    }
  }
  return mean;
}

double LargestDifference(const Weights& a, const Weights& b) {
  double largest = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < 4; ++i) {
      largest = std::max(largest, std::abs(a.weight[c][i] - b.weight[c][i]));
    }
    largest = std::max(largest, std::abs(a.bias[c] - b.bias[c]));
  }
  return largest;
}

}  // namespace tutti::e2e
