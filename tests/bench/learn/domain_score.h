// How good a model is on the rows of a domain's table that were kept for validation, as JSON.
// Thread safety: pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "client/data/dataset.h"

namespace tutti::bench {

// Four digits after the point.
double Rounded(double value);

// Of a model of classes: accuracy, loss (mean cross entropy); of two classes also auc, and of each
// group how often the last class is said, found and said wrongly. Of one that predicts a number:
// rmse, mae and loss (mean square). The first key is the one to compare by.
StatusOr<nlohmann::ordered_json> ScoreOf(const v1::ModelSpec& model, const data::Dataset& test,
                                         std::span<const float> weights);

// The same of saying the most frequent class, or the mean, of `train` whatever the row.
nlohmann::ordered_json BaselineOf(const v1::ModelSpec& model, const data::Dataset& train,
                                  const data::Dataset& test);

}  // namespace tutti::bench
