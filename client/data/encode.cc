#include "client/data/encode.h"

#include <algorithm>
#include <cmath>

#include "common/base/text.h"

namespace tutti::data {
namespace {

double Mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value / static_cast<double>(values.size());
  return sum;
}

// Of the population, two passes.
double Stddev(std::span<const double> values, double mean) {
  double sum = 0;
  for (const double value : values) {
    sum += (value - mean) * (value - mean) / static_cast<double>(values.size());
  }
  return std::sqrt(sum);
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

// Shares of the categories; with `median` all of the most frequent one (the first of several).
std::vector<double> CategoryFill(std::span<const double> present, std::size_t categories,
                                 bool median) {
  std::vector<double> shares(categories);
  for (const double code : present) {
    if (code >= 0) shares[static_cast<std::size_t>(code)] += 1;
  }
  if (median) {
    const auto most = std::max_element(shares.begin(), shares.end()) - shares.begin();
    std::fill(shares.begin(), shares.end(), 0.0);
    shares[static_cast<std::size_t>(most)] = 1;
    return shares;
  }
  for (double& share : shares) share /= static_cast<double>(present.size());
  return shares;
}

bool Scales(const TablePlan& plan, const Column& column) {
  return plan.scaling != Scaling::kNone && column.IsNumeric() && !column.mean && !column.stddev;
}

bool FillsFromExamples(const Column& column) {
  switch (column.missing) {
    case Missing::kMean:
      return !column.IsNumeric() || !column.mean;
    case Missing::kIndicator:
      return column.IsNumeric() && !column.mean;
    case Missing::kMedian:
      return true;
    case Missing::kRefuse:
    case Missing::kDrop:
    case Missing::kZero:
      break;
  }
  return false;
}

}  // namespace

bool Encoder::NeedsExamples(const TablePlan& plan) {
  return std::any_of(plan.features.begin(), plan.features.end(), [&](const Column& column) {
    return Scales(plan, column) || FillsFromExamples(column);
  });
}

void Encoder::Learn(const Column& column, Scaling scaling, std::span<const double> present,
                    Part& part) {
  const bool median = column.missing == Missing::kMedian;
  if (present.empty()) {
    warnings_.push_back(Join("column \"", Escaped(column.name, 60),
                             "\" has no value in this client's training rows; 0 stands for it"));
    return;
  }
  if (!column.IsNumeric()) {
    if (FillsFromExamples(column)) part.fill = CategoryFill(present, part.categories, median);
    return;
  }
  if (FillsFromExamples(column)) {
    part.fill[0] = median ? Median({present.begin(), present.end()}) : Mean(present);
  }
  if (scaling == Scaling::kNone) return;
  const auto [low, high] = std::minmax_element(present.begin(), present.end());
  part.shift = scaling == Scaling::kStandard ? Mean(present) : *low;
  part.divisor = scaling == Scaling::kStandard ? Stddev(present, part.shift) : *high - *low;
  if (*low == *high || !(part.divisor > 0)) {
    part.divisor = 1;
    warnings_.push_back(Join("column \"", Escaped(column.name, 60), "\" has the one value ", *low,
                             " in this client's training rows; it cannot be scaled"));
  }
}

Encoder Encoder::Create(const TablePlan& plan, const CellTable& training) {
  Encoder encoder;
  std::vector<double> present;
  for (std::size_t i = 0; i < plan.features.size(); ++i) {
    const Column& column = plan.features[i];
    Part part{.name = column.name,
              .one_hot = !column.IsNumeric(),
              .indicator = column.missing == Missing::kIndicator,
              .categories = column.categories.size(),
              .fill = std::vector<double>(column.IsNumeric() ? 1 : column.categories.size()),
              .shift = column.mean.value_or(0),
              .divisor = column.stddev.value_or(1)};
    const bool fixed_fill = column.missing == Missing::kMean || part.indicator;
    if (column.IsNumeric() && column.mean && fixed_fill) part.fill[0] = *column.mean;
    const Scaling scaling = Scales(plan, column) ? plan.scaling : Scaling::kNone;
    if (scaling != Scaling::kNone || FillsFromExamples(column)) {
      present.clear();
      for (std::size_t row = 0; row < training.rows(); ++row) {
        if (const double value = training.at(row, i); !std::isnan(value)) present.push_back(value);
      }
      encoder.Learn(column, scaling, present, part);
    }
    if (column.IsNumeric()) {  // data.mean and data.stddev come last
      part.shift += part.divisor * plan.mean;
      part.divisor *= plan.stddev;
    }
    encoder.parts_.push_back(std::move(part));
  }
  return encoder;
}

Status Encoder::Append(std::span<const double> cells, std::vector<float>& features) const {
  const std::size_t before = features.size();
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    const bool missing = std::isnan(cells[i]);
    if (part.one_hot) {
      for (std::size_t c = 0; c < part.categories; ++c) {
        const double hot = cells[i] == static_cast<double>(c) ? 1.0 : 0.0;
        features.push_back(static_cast<float>(missing ? part.fill[c] : hot));
      }
    } else {
      const double value = missing ? part.fill[0] : cells[i];
      const auto narrow = static_cast<float>((value - part.shift) / part.divisor);
      if (!std::isfinite(narrow)) {
        features.resize(before);
        return InvalidArgument(Join("column \"", Escaped(part.name),
                                    "\" does not fit a 32-bit number; give its plausible range"));
      }
      features.push_back(narrow);
    }
    if (part.indicator) features.push_back(missing ? 1.0F : 0.0F);
  }
  return OkStatus();
}

}  // namespace tutti::data
