#include "tests/bench/learn/domain_score.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "common/learn/train.h"
#include "tests/bench/learn/central.h"

namespace tutti::bench {
namespace {

using Json = nlohmann::ordered_json;

void Quiet(std::uint64_t /*done*/, std::uint64_t /*total*/) {}

// How likely the model holds the last class to be, row by row: from the loss of saying it.
StatusOr<std::vector<double>> ScoresOfLast(const v1::ModelSpec& model, const data::Dataset& test,
                                           std::span<const float> weights) {
  const std::uint32_t last = model.classes() - 1;
  const std::span<const float> features = test.features;
  std::vector<double> scores;
  for (std::size_t row = 0; row < test.examples; ++row) {
    TUTTI_ASSIGN(const learn::EvaluateResult one,
                 learn::Evaluate(model,
                                 {.features = features.subspan(row * test.width, test.width),
                                  .labels = std::span(&last, 1)},
                                 weights, Quiet));
    scores.push_back(std::exp(-one.loss));
  }
  return scores;
}

// The chance that a row of the last class scores above one of the others (ties count half).
double AreaUnderCurve(const std::vector<double>& scores, const data::Dataset& test,
                      std::uint32_t last) {
  double above = 0, pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (test.labels[i] != last) continue;
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (test.labels[j] == last) continue;
      above += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
      pairs += 1;
    }
  }
  return pairs > 0 ? above / pairs : 0.5;
}

// Of one group: how often the last class is said when it is said as often as it occurs, how many
// of its rows are found and how many others are called it wrongly. Null: no such rows.
Json GroupScore(const std::vector<double>& scores, const data::Dataset& test,
                const data::Groups& groups, std::uint32_t group, std::uint32_t last) {
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto occurs =
      static_cast<std::size_t>(std::count(test.labels.begin(), test.labels.end(), last));
  const double threshold = sorted[std::min(occurs, sorted.size() - 1)];
  double rows = 0, said = 0, of_last = 0, found = 0;
  for (std::size_t row = 0; row < test.examples; ++row) {
    if (groups.codes[row] != group) continue;
    const bool is_said = scores[row] > threshold, is_last = test.labels[row] == last;
    rows += 1;
    said += is_said ? 1 : 0;
    of_last += is_last ? 1 : 0;
    found += is_said && is_last ? 1 : 0;
  }
  const auto share = [](double part, double whole) {
    return whole > 0 ? Json(Rounded(part / whole)) : Json();
  };
  return {{"column", groups.column},
          {"group", groups.names[group]},
          {"examples", rows},
          {"are", share(of_last, rows)},
          {"said", share(said, rows)},
          {"found", share(found, of_last)},
          {"wrongly", share(said - found, rows - of_last)}};
}

}  // namespace

double Rounded(double value) { return std::round(value * 1e4) / 1e4; }

StatusOr<Json> ScoreOf(const v1::ModelSpec& model, const data::Dataset& test,
                       std::span<const float> weights) {
  TUTTI_ASSIGN(const learn::EvaluateResult score,
               learn::Evaluate(model, ViewOf(test), weights, Quiet));
  if (!test.targets.empty()) {
    return Json{{"rmse", Rounded(std::sqrt(score.loss))},
                {"mae", Rounded(score.mean_absolute_error)},
                {"loss", Rounded(score.loss)}};
  }
  Json json = {{"accuracy", Rounded(score.accuracy)}, {"loss", Rounded(score.loss)}};
  if (model.classes() != 2) return json;
  TUTTI_ASSIGN(const std::vector<double> scores, ScoresOfLast(model, test, weights));
  json["auc"] = Rounded(AreaUnderCurve(scores, test, 1));
  json["groups"] = Json::array();
  for (const data::Groups& groups : test.groups) {
    for (std::uint32_t group = 0; group < groups.names.size(); ++group) {
      json["groups"].push_back(GroupScore(scores, test, groups, group, 1));
    }
  }
  return json;
}

Json BaselineOf(const v1::ModelSpec& model, const data::Dataset& train, const data::Dataset& test) {
  const auto rows = static_cast<double>(test.examples);
  if (!test.targets.empty()) {
    double mean = 0, squares = 0, absolute = 0;
    for (const float target : train.targets) {
      mean += double{target} / static_cast<double>(train.examples);
    }
    for (const float target : test.targets) {
      squares += (double{target} - mean) * (double{target} - mean) / rows;
      absolute += std::abs(double{target} - mean) / rows;
    }
    return {{"rmse", Rounded(std::sqrt(squares))}, {"mae", Rounded(absolute)}};
  }
  const auto counts = train.ClassCounts(model.classes());
  const auto most =
      static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  const auto right = static_cast<double>(test.ClassCounts(model.classes())[most]);
  return {{"accuracy", Rounded(right / rows)}, {"class", most}};
}

}  // namespace tutti::bench
