#include "common/strategy/sum_vector.h"

#include <cmath>

#include "common/base/text.h"
#include "common/measure/counts.h"
#include "common/strategy/clusters.h"
#include "common/strategy/mixture.h"

namespace tutti::strategy {
namespace {

// The scalar's share of the range [-value_clip, value_clip] is taken up by these values.
constexpr double kMostSteps = 65536;
constexpr double kMostFairWeight = 64;
// Rounding moves the scalar by up to range / 2^(value_bits - 1): with fewer bits than this it would
// be too coarse.
constexpr std::uint32_t kFewestScalarBits = 16;
constexpr double kLeastLoss = 1e-10;  // as in the reference computation of q-FedAvg

bool IsFair(const v1::TrainingSpec& training) { return training.fairness_power() > 0; }
bool IsAgnostic(const v1::TrainingSpec& training) { return training.agnostic_rate() > 0; }

Status Refuse(std::string_view strategy, std::string_view why, std::string_view fix) {
  return InvalidArgument(Join("training.", strategy, ": ", why, "; ", fix));
}

Status CheckUnweightedPlain(const v1::TaskSpec& task, std::string_view name) {
  if (task.privacy().unit() != "none") {
    return Refuse(name,
                  "with privacy the numbers of steps and losses it sends would tell of the data "
                  "without noise",
                  "set privacy.unit = \"none\", or remove it");
  }
  if (task.secure_aggregation().value_bits() < kFewestScalarBits) {
    return Refuse(name, "its scalar would be rounded too coarsely",
                  Join("raise secure_aggregation.value_bits to at least ", kFewestScalarBits));
  }
  if (task.robust().max_update_norm() > 0) {
    return Refuse(name, "robust.max_update_norm bounds updates and not what it sends",
                  "remove one of the two");
  }
  return OkStatus();
}

Status CheckPlainSgd(const v1::TrainingSpec& training, std::string_view name) {
  if (training.optimiser() == "adam") {
    return Refuse(name, "it needs steps along the gradient, which adam's are not",
                  "use optimiser = \"sgd\"");
  }
  if (training.average_decay() > 0) {
    return Refuse(name, "it needs the last weights and not an average", "set average_decay = 0");
  }
  return OkStatus();
}

bool TrainsAPart(const v1::ModelSpec& model) {
  return !model.frozen().empty() || !model.personal().empty() || model.adapter_rank() > 0;
}

Status CheckScaffold(const v1::TaskSpec& task) {
  constexpr std::string_view kName = "correction = \"scaffold\"";
  if (TrainsAPart(task.model())) {
    return Refuse(kName, "its control variates are of all parameters",
                  "remove it, or model.frozen, model.personal and model.adapter_rank");
  }
  TUTTI_TRY(CheckPlainSgd(task.training(), kName));
  if (task.training().momentum() > 0) {
    return Refuse(kName, "control variates are means of plain gradients", "set momentum = 0");
  }
  const v1::PrivacySpec& privacy = task.privacy();
  const bool local = privacy.noise().empty() || privacy.noise() == "local";
  if (privacy.unit() == "client" || (privacy.unit() != "none" && !local)) {
    return Refuse(kName, "its second vector would be in the sum without noise",
                  "use privacy.unit = \"example\" with noise = \"local\", or \"none\"");
  }
  if (task.robust().max_update_norm() > 0) {
    return Refuse(kName, "robust.max_update_norm bounds updates and not control variates",
                  "remove one of the two");
  }
  return OkStatus();
}

Status CheckLength(std::string_view name, std::size_t found, std::uint64_t expected) {
  if (found == expected) return OkStatus();
  return InvalidArgument(Join(name, " has ", found, " values, expected ", expected));
}

float Place(const v1::TaskSpec& task, double value, double most) {
  return static_cast<float>(value / most * task.secure_aggregation().value_clip());
}
double TakeOut(const v1::TaskSpec& task, float value, double most) {
  return static_cast<double>(value) / task.secure_aggregation().value_clip() * most;
}

double Dot(std::span<const float> a) {
  double sum = 0;
  for (const float value : a) sum += static_cast<double>(value) * value;
  return sum;
}

struct Scaled {
  double factor = 1;  // of the update
  float scalar = 0;
};

// q-FedAvg divided by the step size: u = F^q update, and as its weight F^q + q F^(q-1) L |update|^2
// with L = 1 / learning rate, so that the step is mean(u) / mean(weight).
StatusOr<Scaled> FairScale(const v1::TaskSpec& task, const LocalResult& local) {
  const double q = task.training().fairness_power();
  const double loss = local.initial_loss + kLeastLoss;
  const double weight = std::pow(loss, q) + q * std::pow(loss, q - 1) * Dot(local.update) /
                                                task.training().learning_rate();
  if (!(loss > 0) || !(weight <= kMostFairWeight)) {
    return FailedPrecondition(Join("a loss of ", local.initial_loss, " with fairness_power ", q,
                                   " gives this client the weight ", weight, ", at most ",
                                   kMostFairWeight,
                                   " is possible; lower training.fairness_power or learning_rate"));
  }
  return Scaled{std::pow(loss, q), Place(task, weight, kMostFairWeight)};
}

StatusOr<Scaled> AgnosticScale(const v1::TaskSpec& task, const LocalResult& local) {
  const double weight = std::exp(local.log_weight);
  if (!(weight > 0 && weight <= kMostMixtureWeight * (1 + 1e-9))) {
    return FailedPrecondition(Join("a loss of ", local.initial_loss,
                                   " gives this client the weight ", weight,
                                   " in the mixture, expected above 0 and at most ",
                                   kMostMixtureWeight, "; lower training.learning_rate"));
  }
  return Scaled{weight, Place(task, std::min(weight, kMostMixtureWeight), kMostMixtureWeight)};
}

StatusOr<Scaled> NovaScale(const v1::TaskSpec& task, const LocalResult& local) {
  const double steps = NormalisedSteps(task.training(), local.steps);
  if (!(steps > 0 && steps <= kMostSteps)) {
    return FailedPrecondition(Join(local.steps, " steps count as ", steps, ", expected at most ",
                                   kMostSteps, " with correction = \"nova\"; lower local_epochs"));
  }
  return Scaled{1 / steps, Place(task, steps, kMostSteps)};
}

StatusOr<Scaled> ScaleOf(const v1::TaskSpec& task, const LocalResult& local) {
  if (IsAgnostic(task.training())) return AgnosticScale(task, local);
  return IsFair(task.training()) ? FairScale(task, local) : NovaScale(task, local);
}

// What the scalar's range ends at.
double MostOfScalar(const v1::TrainingSpec& training) {
  if (IsAgnostic(training)) return kMostMixtureWeight;
  return IsFair(training) ? kMostFairWeight : kMostSteps;
}

}  // namespace

Correction CorrectionOf(const v1::TrainingSpec& training) {
  const std::string& name = training.correction();
  if (name == "scaffold") return Correction::kScaffold;
  if (name == "nova") return Correction::kNova;
  if (name == "ditto") return Correction::kDitto;
  return Correction::kNone;
}

Kept KeptBy(const v1::TrainingSpec& training) {
  switch (CorrectionOf(training)) {
    case Correction::kScaffold:
      return Kept::kControl;
    case Correction::kDitto:
      return Kept::kPersonal;
    default:
      return Kept::kNothing;
  }
}

Kept KeptBy(const v1::TaskSpec& task) {
  const Kept kept = KeptBy(task.training());
  if (kept != Kept::kNothing) return kept;
  if (IsAgnostic(task.training())) return Kept::kMixture;
  return task.model().personal().empty() ? Kept::kNothing : Kept::kParameters;
}

Status CheckStrategy(const v1::TaskSpec& task) {
  const v1::TrainingSpec& training = task.training();
  const Correction correction = CorrectionOf(training);
  if (correction == Correction::kNone && !training.correction().empty() &&
      training.correction() != "none") {
    return InvalidArgument(Join("training.correction is \"", Escaped(training.correction(), 40),
                                "\", expected none, scaffold, nova or ditto"));
  }
  if (correction == Correction::kScaffold) TUTTI_TRY(CheckScaffold(task));
  if (correction == Correction::kNova) {
    TUTTI_TRY(CheckUnweightedPlain(task, "correction = \"nova\""));
    TUTTI_TRY(CheckPlainSgd(training, "correction = \"nova\""));
  }
  if (correction == Correction::kDitto && training.proximal() == 0) {
    return Refuse("correction = \"ditto\"", "nothing ties the personal model to the common one",
                  "set training.proximal, for instance to 0.1");
  }
  if (correction == Correction::kDitto && !task.model().personal().empty()) {
    return Refuse("correction = \"ditto\"",
                  "each client has a whole model of its own there already",
                  "remove model.personal");
  }
  if (IsAgnostic(training)) {
    TUTTI_TRY(CheckUnweightedPlain(task, "agnostic_rate"));
    TUTTI_TRY(CheckAgnostic(task));
  }
  const std::vector<ClusterProblem> problems = ClusterProblems(task);
  if (!problems.empty()) return InvalidArgument(Join(problems[0].key, ": ", problems[0].text));
  if (!IsFair(training)) return OkStatus();
  TUTTI_TRY(CheckUnweightedPlain(task, "fairness_power"));
  if (correction == Correction::kNova || correction == Correction::kScaffold) {
    return Refuse("fairness_power",
                  Join("found beside correction = \"", training.correction(),
                       "\", which scales the update in another way"),
                  "keep one of the two");
  }
  if (task.secure_aggregation().weighting() == "examples") {
    return Refuse("fairness_power",
                  "found with weighting = \"examples\", which counts clients in "
                  "another way",
                  "use weighting = \"uniform\"");
  }
  return OkStatus();
}

SumShape SumShapeOf(const v1::TaskSpec& task) {
  if (measure::KindOf(task) != measure::Kind::kTrain) return {.update = 1};
  const Correction correction = CorrectionOf(task.training());
  SumShape shape{.update = task.values()};
  if (correction == Correction::kScaffold) shape.control = task.values();
  const v1::TrainingSpec& training = task.training();
  if (correction == Correction::kNova || IsFair(training) || IsAgnostic(training)) {
    shape.scalars = 1;
  }
  return shape;
}

model::Layout CheckpointLayout(const v1::TaskSpec& task, const model::Layout& model) {
  model::Layout layout = model;
  if (CorrectionOf(task.training()) != Correction::kScaffold) return layout;
  for (model::Parameter parameter : model.parameters) {
    parameter.name = "control." + parameter.name;
    parameter.offset += model.values;
    parameter.start = model::Start::kZero;
    layout.parameters.push_back(std::move(parameter));
  }
  layout.values += model.values;
  return layout;
}

double NormalisedSteps(const v1::TrainingSpec& training, std::uint64_t steps) {
  const auto tau = static_cast<double>(steps);
  const double momentum = training.momentum();
  if (momentum > 0) {
    return (tau - momentum * (1 - std::pow(momentum, tau)) / (1 - momentum)) / (1 - momentum);
  }
  const double shrink = training.learning_rate() * training.proximal();
  if (shrink > 0) return (1 - std::pow(1 - shrink, tau)) / shrink;
  return tau;
}

std::vector<float> NextControl(const v1::TaskSpec& task, const LocalResult& local) {
  const auto scale = static_cast<float>(
      1.0 / (static_cast<double>(local.steps) * task.training().learning_rate()));
  std::vector<float> next(local.update.size());
  for (std::size_t i = 0; i < next.size(); ++i) {
    const float own = local.client_control.empty() ? 0.0F : local.client_control[i];
    next[i] = own - local.control[i] - scale * local.update[i];
  }
  return next;
}

StatusOr<std::vector<float>> MakeSumVector(const v1::TaskSpec& task, const LocalResult& local) {
  const SumShape shape = SumShapeOf(task);
  TUTTI_TRY(CheckLength("the update", local.update.size(), shape.update));
  if (local.steps == 0) return InvalidArgument("an update of 0 steps, expected at least 1");
  std::vector<float> vector(local.update.begin(), local.update.end());
  vector.reserve(shape.total());
  if (shape.control > 0) {
    TUTTI_TRY(CheckLength("the common control variate", local.control.size(), shape.control));
    const std::vector<float> next = NextControl(task, local);
    // In the unit of the update, so that one range fits both.
    const auto rate = static_cast<float>(task.training().learning_rate());
    for (std::size_t i = 0; i < next.size(); ++i) {
      const float own = local.client_control.empty() ? 0.0F : local.client_control[i];
      vector.push_back(rate * (next[i] - own));
    }
  }
  if (shape.scalars == 0) return vector;
  TUTTI_ASSIGN(const Scaled scaled, ScaleOf(task, local));
  const auto factor = static_cast<float>(scaled.factor);
  for (float& value : vector) value *= factor;
  vector.push_back(scaled.scalar);
  return vector;
}

StatusOr<OpenedMean> OpenSumVector(const v1::TaskSpec& task, std::vector<float> mean) {
  const SumShape shape = SumShapeOf(task);
  TUTTI_TRY(CheckLength("the mean vector", mean.size(), shape.total()));
  OpenedMean opened;
  if (shape.scalars > 0) {
    const bool weighs = CorrectionOf(task.training()) != Correction::kNova;
    const double scalar = TakeOut(task, mean.back(), MostOfScalar(task.training()));
    mean.pop_back();
    if (!(scalar > 0)) {
      return DataLoss(Join("the clients' mean ", weighs ? "weight" : "number of steps", " is ",
                           scalar, "; a client sent a wrong vector, the sum is discarded"));
    }
    if (weighs) opened.mean_weight = scalar;
    const auto factor = static_cast<float>(weighs ? 1 / scalar : scalar);
    for (float& value : mean) value *= factor;
  }
  if (shape.control > 0) {
    const auto per_rate = static_cast<float>(1 / task.training().learning_rate());
    opened.control_change.assign(mean.begin() + static_cast<std::ptrdiff_t>(shape.update),
                                 mean.end());
    for (float& value : opened.control_change) value *= per_rate;
    mean.resize(shape.update);
  }
  opened.update = std::move(mean);
  return opened;
}

}  // namespace tutti::strategy
