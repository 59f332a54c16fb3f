// The logistic model of the tests, computed in plain loops: what a round has to give, without any
// of the code under test. Thread safety: pure functions.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/e2e/world.h"

namespace tutti::e2e {

// Softmax regression from four features to three classes.
struct Weights {
  std::array<std::array<double, 4>, 3> weight{};
  std::array<double, 3> bias{};
};

// A safetensors file of these weights, written by hand.
std::string SafetensorsOf(const Weights& weights);
// Through read_safetensors.py, which knows the format only from its description.
Json ReadWithPython(const std::string& path);
Weights WeightsFrom(const Json& tensors);

// The weights after one step of plain gradient descent on the mean cross entropy of the rows.
Weights Step(const Weights& from, const Table& table, double learning_rate);
// `from` plus the way to `to`, shortened to `norm` where it is longer.
Weights WithinNorm(const Weights& from, const Weights& to, double norm);
Weights Mean(const std::vector<Weights>& all);
double LargestDifference(const Weights& a, const Weights& b);

}  // namespace tutti::e2e
