// What a confusion matrix says of a model, class by class. Thread safety: value types and pure
// functions.
#pragma once

#include <span>
#include <vector>

#include "common/measure/estimate.h"

namespace tutti::measure {

struct ClassFigures {
  Count examples;      // of this class
  Estimate precision;  // of what is predicted as this class, the share that is
  Estimate recall;     // of what is this class, the share that is predicted as it
  Estimate f1;         // their harmonic mean
};

struct ConfusionFigures {
  Count examples;
  Estimate accuracy;
  std::vector<ClassFigures> classes;
  // Means over the classes whose figure is known. A class that has examples and is never predicted
  // has precision 0 here, unless noise hides it. Their doubt takes the classes for independent.
  Estimate macro_precision, macro_recall, macro_f1;
};

// `cells` row major {classes, classes}, label by prediction; `classes` at least 1.
ConfusionFigures FiguresOf(std::span<const Count> cells, std::size_t classes);

// The mean of those that are known; not known when none is.
Estimate MeanOf(std::span<const Estimate> estimates);

}  // namespace tutti::measure
