#include "common/learn/train.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "common/base/text.h"
#include "common/crypto/random.h"
#include "common/learn/adversary.h"
#include "common/learn/network.h"
#include "common/learn/optimiser.h"
#include "common/learn/sampling.h"
#include "common/learn/weight_average.h"
#include "common/model/safetensors.h"
#include "common/model/training_plan.h"
#include "common/noise/gaussian.h"

namespace tutti::learn {
namespace {

// Examples computed at once: larger batches are summed from parts, so memory does not grow with the
// batch.
constexpr std::size_t kPartExamples = 256;

Status CheckLabels(const model::Architecture& architecture, const DataView& data) {
  if (architecture.clusters) {
    return OkStatus();  // nothing reads them
  }
  if (architecture.classes == 1) {
    if (!data.labels.empty()) {
      return InvalidArgument(
          "the data has labels of classes, the job predicts a number (model.classes = 1); set "
          "data.target = \"number\" in client.toml");
    }
    const auto bad = std::find_if(data.targets.begin(), data.targets.end(),
                                  [](float value) { return !std::isfinite(value); });
    return bad == data.targets.end()
               ? OkStatus()
               : InvalidArgument(Join("example ", bad - data.targets.begin(),
                                      " has a target that is no finite number"));
  }
  if (!data.targets.empty()) {
    return InvalidArgument(Join("the data has numbers to predict, the job has ",
                                architecture.classes,
                                " classes; set data.target = \"class\" in client.toml"));
  }
  const auto label = std::find_if(data.labels.begin(), data.labels.end(), [&](std::uint32_t value) {
    return value >= architecture.classes;
  });
  if (label != data.labels.end()) {
    return InvalidArgument(Join("example ", label - data.labels.begin(), " has label ", *label,
                                ", expected below model.classes = ", architecture.classes));
  }
  return OkStatus();
}

// Text comes as numbers of tokens.
Status CheckTokens(const model::Architecture& architecture, const DataView& data) {
  if (architecture.vocabulary == 0) {
    return OkStatus();
  }
  const auto last = static_cast<float>(architecture.vocabulary - 1);
  const auto bad = std::find_if(data.features.begin(), data.features.end(), [&](float value) {
    return !(value >= 0 && value <= last && value == std::floor(value));
  });
  if (bad == data.features.end()) {
    return OkStatus();
  }
  const auto place = static_cast<std::uint64_t>(bad - data.features.begin());
  return InvalidArgument(Join("example ", place / architecture.input[0], " has the token ", *bad,
                              ", expected whole numbers from 0 (padding) to ",
                              architecture.vocabulary - 1,
                              "; raise the vocabulary, or prepare the text with the job's"));
}

}  // namespace

Status CheckData(const model::Architecture& architecture, const DataView& data,
                 std::size_t weights) {
  std::uint64_t width = 1;
  for (const std::uint64_t size : architecture.input) {
    width *= size;
  }
  if (data.features.size() != data.size() * width) {
    return InvalidArgument(Join("the data has ", data.features.size(), " feature values for ",
                                data.size(), " examples, the model reads ", width, " each"));
  }
  if (data.size() > std::numeric_limits<std::uint32_t>::max()) {
    return InvalidArgument(
        Join("the data has ", data.size(), " examples, expected fewer than 2^32"));
  }
  if (weights != architecture.layout.values) {
    return InvalidArgument(
        Join("received ", weights, " weights, the model has ", architecture.layout.values));
  }
  TUTTI_TRY(CheckLabels(architecture, data));
  return CheckTokens(architecture, data);
}

namespace {

// What neither the plan nor the optimiser checks.
Status CheckSpecs(const v1::TrainingSpec& training, const v1::PrivacySpec& privacy) {
  if (!privacy.unit().empty() && privacy.unit() != "none" && privacy.unit() != "example") {
    return InvalidArgument(
        Join("privacy.unit is \"", Escaped(privacy.unit(), 40), "\", expected none or example"));
  }
  if (!(training.average_decay() >= 0 && training.average_decay() < 1)) {
    return InvalidArgument(Join("training.average_decay is ", training.average_decay(),
                                ", expected at least 0 and below 1"));
  }
  return OkStatus();
}

// A step over a part of the data would move the centres to the means of that part.
Status CheckWholeBatch(const model::Architecture& architecture, const v1::TrainingSpec& training,
                       const v1::PrivacySpec& privacy, const DataView& data) {
  const bool sampled = privacy.unit() != "none" && privacy.sampling_rate() > 0;
  const double batch = static_cast<double>(data.size()) * (sampled ? privacy.sampling_rate() : 1);
  if (!architecture.clusters || training.batch_size() >= batch) {
    return OkStatus();
  }
  return FailedPrecondition(Join(
      "training.batch_size is ", training.batch_size(), " and the one step of k-means takes ",
      batch, " of the ", data.size(), " examples; raise it to the most that any client takes"));
}

// One a class, or none.
StatusOr<std::vector<float>> ClassWeightsOf(const v1::TrainingSpec& training,
                                            const model::Architecture& architecture,
                                            const GroupTilts& tilts) {
  const auto& weights = training.class_weights();
  if (weights.empty()) return std::vector<float>();
  const bool sound = std::all_of(weights.begin(), weights.end(),
                                 [](double weight) { return weight > 0 && std::isfinite(weight); });
  if (!sound || architecture.clusters || architecture.classes < 2 ||
      static_cast<std::size_t>(weights.size()) != architecture.classes ||
      (tilts.scales() && !tilts.empty())) {
    return InvalidArgument(Join("training.class_weights has ", weights.size(),
                                " numbers, expected one above 0 for each of the model's ",
                                architecture.classes,
                                " classes, and nothing else that scales the loss"));
  }
  return std::vector<float>(weights.begin(), weights.end());
}

Status CheckTerms(const StepTerms& terms, std::size_t weights) {
  if ((!terms.drift.empty() && terms.drift.size() != weights) ||
      (!terms.anchor.empty() && terms.anchor.size() != weights)) {
    return InvalidArgument(Join("a strategy's vectors have ", terms.drift.size(), " and ",
                                terms.anchor.size(), " values, expected none or ", weights));
  }
  if (!(terms.pull >= 0) || !std::isfinite(terms.pull)) {
    return InvalidArgument(
        Join("training.proximal is ", terms.pull, ", expected a finite number of at least 0"));
  }
  return OkStatus();
}

// A strategy's vectors, of all weights, for those that are trained.
class TrainedTerms {
 public:
  TrainedTerms(const model::Layout& layout, const StepTerms& terms, std::span<const float> received)
      : pull_(terms.pull) {
    if (!terms.drift.empty()) drift_ = Take(layout, model::Section::kTrained, terms.drift);
    if (pull_ > 0) {
      anchor_ =
          Take(layout, model::Section::kTrained, terms.anchor.empty() ? received : terms.anchor);
    }
  }
  StepTerms view() const { return {.drift = drift_, .pull = pull_, .anchor = anchor_}; }

 private:
  double pull_;
  std::vector<float> drift_;
  std::vector<float> anchor_;
};

// Rows of the data copied side by side.
class Gathered {
 public:
  Gathered(const DataView& data, std::span<const std::uint32_t> rows, const TrainHooks& hooks,
           std::span<const float> class_weights)
      : tilts_(hooks.tilts) {
    const std::size_t width = data.features.size() / data.size();
    features_.reserve(rows.size() * width);
    for (const std::uint32_t row : rows) {
      const auto from = data.features.begin() + static_cast<std::ptrdiff_t>(row * width);
      features_.insert(features_.end(), from, from + static_cast<std::ptrdiff_t>(width));
      if (hooks.change) {
        hooks.change(std::span(features_).last(width));
      }
      if (!tilts_.empty()) {
        coefficients_.push_back(tilts_.Of(data.groups[row], data.labels[row]));
      }
      if (!class_weights.empty()) factors_.push_back(class_weights[data.labels[row]]);
      if (data.targets.empty()) {
        labels_.push_back(data.labels[row]);
      } else {
        targets_.push_back(data.targets[row]);
      }
    }
  }
  Batch batch() const {
    Batch batch{.features = features_, .labels = labels_, .targets = targets_};
    batch.factors = factors_;
    if (!coefficients_.empty()) (tilts_.scales() ? batch.factors : batch.tilts) = coefficients_;
    batch.tilted_class = tilts_.positive_class();
    return batch;
  }
  std::span<float> features() { return features_; }

 private:
  std::vector<float> features_;
  std::vector<std::uint32_t> labels_;
  std::vector<float> targets_;
  const GroupTilts& tilts_;
  std::vector<float> coefficients_;  // one a row; empty: none
  std::vector<float> factors_;       // likewise; never beside coefficients that scale
};

// Sums of one round of training.
struct Totals {
  double loss_sum = 0;
  std::size_t counted = 0;
  std::size_t clipped = 0;
};

class Trainer {
 public:
  Trainer(Network& network, const DataView& data, model::TrainingPlan plan,
          std::optional<noise::NoisePlan> privacy, std::optional<Adversary> adversary,
          SecureRng& rng, const Progress& progress, const TrainHooks& hooks,
          std::vector<float> class_weights)
      : network_(network),
        data_(data),
        plan_(plan),
        privacy_(privacy),
        adversary_(adversary),
        rng_(rng),
        progress_(progress),
        hooks_(hooks),
        class_weights_(std::move(class_weights)) {}

  // `average` starts at the network's weights and holds the result.
  Status Run(Optimiser& optimiser, std::uint32_t batch_size, WeightAverage& average) {
    const auto examples = static_cast<std::uint32_t>(data_.size());
    ShuffledBatches shuffled(rng_, examples, batch_size);
    std::vector<float> gradient(network_.weights().size());
    for (step_ = 0; step_ < plan_.steps; ++step_) {
      std::fill(gradient.begin(), gradient.end(), 0.0F);
      double divisor =
          plan_.sampling_rate * examples;  // the EXPECTED batch: the real size is private
      if (privacy_) {
        TUTTI_TRY(AddExamples(PoissonBatch(rng_, examples, plan_.sampling_rate), gradient));
        AddNoise(gradient);
      } else {
        const std::vector<std::uint32_t> rows = shuffled.Next();
        TUTTI_TRY(AddExamples(rows, gradient));
        divisor = static_cast<double>(rows.size());
      }
      const auto scale = static_cast<float>(1.0 / divisor);
      for (float& value : gradient) {
        value *= scale;
      }
      AddTerms(gradient);
      optimiser.Step(gradient, network_.weights());
      average.Add(network_.weights());
      if (hooks_.seen) {
        hooks_.seen(step_ + 1, average.values());
      }
      progress_(step_ + 1, plan_.steps);
    }
    return OkStatus();
  }

  const Totals& totals() const { return totals_; }

 private:
  Status AddExamples(std::span<const std::uint32_t> rows, std::span<float> gradient) {
    for (std::size_t start = 0; start < rows.size(); start += kPartExamples) {
      Gathered part(data_, rows.subspan(start, std::min(kPartExamples, rows.size() - start)),
                    hooks_, class_weights_);
      if (adversary_) {
        TUTTI_TRY(adversary_->ChangeShare(network_, part.batch(), part.features(), rng_));
      }
      TUTTI_ASSIGN(const BatchLoss loss,
                   privacy_
                       ? network_.AddClippedGradients(part.batch(), privacy_->inner_clip, gradient)
                       : network_.AddGradients(part.batch(), gradient));
      totals_.loss_sum += loss.loss_sum;
      totals_.counted += loss.counted;
      totals_.clipped += loss.clipped;
      progress_(step_, plan_.steps);
    }
    if (!privacy_ && !std::isfinite(totals_.loss_sum)) {
      return FailedPrecondition(
          Join("training diverged at step ", step_ + 1,
               ": the loss is not finite; lower "
               "training.learning_rate or check the data for extreme values"));
    }
    return OkStatus();
  }

  void AddTerms(std::span<float> gradient) const {
    for (std::size_t i = 0; i < hooks_.terms.drift.size(); ++i)
      gradient[i] += hooks_.terms.drift[i];
    if (hooks_.terms.pull == 0) return;
    const std::span<const float> weights = network_.weights();
    const auto pull = static_cast<float>(hooks_.terms.pull);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      gradient[i] += pull * (weights[i] - hooks_.terms.anchor[i]);
    }
  }

  // A fresh key each step: no state of an earlier step tells anything about this one's noise.
  void AddNoise(std::span<float> gradient) {
    Secret32 key;
    rng_.Fill(key.mutable_view());
    crypto::AesCtrStream stream(key);
    noise::Gaussian gaussian(stream);
    noise::AddGridNoise(privacy_->noise, gaussian, gradient);
  }

  Network& network_;
  const DataView& data_;
  model::TrainingPlan plan_;
  std::optional<noise::NoisePlan> privacy_;
  std::optional<Adversary> adversary_;
  SecureRng& rng_;
  const Progress& progress_;
  const TrainHooks& hooks_;
  std::vector<float> class_weights_;
  Totals totals_;
  std::uint64_t step_ = 0;
};

}  // namespace

StatusOr<TrainResult> Train(const v1::ModelSpec& model, const v1::TrainingSpec& training,
                            const v1::PrivacySpec& privacy, const DataView& data,
                            std::span<float> weights, SecureRng& rng, const Progress& progress,
                            const TrainHooks& hooks, const std::string& script_file) {
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(model));
  TUTTI_TRY(CheckData(architecture, data, weights.size()));
  TUTTI_ASSIGN(Network network, Network::Create(architecture, script_file));
  return Train(network, training, privacy, data, weights, rng, progress, hooks);
}

StatusOr<TrainResult> Train(Network& network, const v1::TrainingSpec& training,
                            const v1::PrivacySpec& privacy, const DataView& data,
                            std::span<float> weights, SecureRng& rng, const Progress& progress,
                            const TrainHooks& hooks) {
  const model::Architecture& architecture = network.architecture();
  TUTTI_TRY(CheckData(architecture, data, weights.size()));
  TUTTI_TRY(CheckTerms(hooks.terms, weights.size()));
  TUTTI_TRY(hooks.tilts.CheckFit(architecture.classes, data.labels.size(), data.groups.size()));
  TUTTI_ASSIGN(std::vector<float> class_weights,
               ClassWeightsOf(training, architecture, hooks.tilts));
  const bool with_privacy = privacy.unit() != "none";
  TUTTI_TRY(CheckSpecs(training, privacy));
  const model::Layout& layout = network.architecture().layout;
  TUTTI_ASSIGN(const Loss loss, LossOf(training, architecture));
  TUTTI_ASSIGN(const model::TrainingPlan plan,
               model::PlanOf(training, with_privacy, data.size(), privacy.sampling_rate()));
  TUTTI_TRY(CheckWholeBatch(architecture, training, privacy, data));
  network.UseLoss(loss);
  network.Load(weights);
  const std::size_t trained_values = network.weights().size();
  std::optional<noise::NoisePlan> noise_plan;
  if (with_privacy) {
    TUTTI_ASSIGN(noise_plan,
                 noise::PlanNoise(privacy.clip_norm(), privacy.noise_multiplier(), trained_values));
  }
  TUTTI_ASSIGN(const std::optional<Adversary> adversary,
               Adversary::CreateIfAny(hooks.adversary, architecture));
  TUTTI_ASSIGN(Optimiser optimiser, Optimiser::Create(training, trained_values));

  std::string method = "plain";
  if (with_privacy) {
    TUTTI_ASSIGN(method, network.GradientMethod());
  }
  const TrainedTerms terms(layout, hooks.terms, weights);
  TrainHooks added = hooks;
  added.terms = terms.view();
  Trainer trainer(network, data, plan, noise_plan, adversary, rng, progress, added,
                  std::move(class_weights));
  WeightAverage average(training.average_decay(), network.weights());
  TUTTI_TRY(trainer.Run(optimiser, training.batch_size(), average));
  if (!model::AllFinite(average.values())) {
    return FailedPrecondition(
        "training diverged: a weight is not finite; lower training.learning_rate");
  }

  TrainResult result{.examples = data.size(),
                     .steps = plan.steps,
                     .sampling_rate = plan.sampling_rate,
                     .noise_multiplier = with_privacy ? privacy.noise_multiplier() : 0,
                     .method = method};
  const Totals& totals = trainer.totals();
  result.counted = totals.counted;
  result.clipped = totals.clipped;
  if (totals.counted > 0) {
    result.loss = totals.loss_sum / static_cast<double>(totals.counted);
    result.clipped_fraction =
        static_cast<double>(totals.clipped) / static_cast<double>(totals.counted);
  }
  std::vector<float> update = Take(layout, model::Section::kTrained, weights);
  for (std::size_t i = 0; i < update.size(); ++i) {
    update[i] = average.values()[i] - update[i];
    result.max_abs_update = std::max(result.max_abs_update, std::abs(update[i]));
  }
  std::fill(weights.begin(), weights.end(), 0.0F);
  Put(layout, model::Section::kTrained, update, weights);
  return result;
}

StatusOr<EvaluateResult> Evaluate(const v1::ModelSpec& model, const DataView& data,
                                  std::span<const float> weights, const Progress& progress,
                                  const std::string& script_file) {
  TUTTI_ASSIGN(const model::Architecture architecture, model::ArchitectureOf(model));
  TUTTI_TRY(CheckData(architecture, data, weights.size()));
  TUTTI_ASSIGN(Network network, Network::Create(architecture, script_file));
  return Evaluate(network, data, weights, progress);
}

StatusOr<EvaluateResult> Evaluate(Network& network, const DataView& data,
                                  std::span<const float> weights, const Progress& progress) {
  TUTTI_TRY(CheckData(network.architecture(), data, weights.size()));
  const std::size_t examples = data.size();
  if (examples == 0) {
    return FailedPrecondition("there are no examples to evaluate on, expected at least one");
  }
  const Loss loss = MeasuredBy(network.architecture());
  network.UseLoss(loss);
  network.Load(weights);
  const std::size_t width = data.features.size() / examples;
  const std::uint64_t parts = (examples + kPartExamples - 1) / kPartExamples;
  BatchScore total;
  for (std::size_t start = 0; start < examples; start += kPartExamples) {
    const std::size_t count = std::min(kPartExamples, examples - start);
    Batch batch{.features = data.features.subspan(start * width, count * width)};
    if (!data.targets.empty()) {
      batch.targets = data.targets.subspan(start, count);
    } else {
      batch.labels = data.labels.subspan(start, count);
    }
    TUTTI_ASSIGN(const BatchScore part, network.Score(batch));
    total.loss_sum += part.loss_sum;
    total.correct += part.correct;
    total.absolute_error_sum += part.absolute_error_sum;
    progress(start / kPartExamples + 1, parts);
  }
  const auto count = static_cast<double>(examples);
  return EvaluateResult{
      .examples = examples,
      .loss = total.loss_sum / count,
      .accuracy = loss == Loss::kCrossEntropy ? static_cast<double>(total.correct) / count : -1,
      .mean_absolute_error = total.absolute_error_sum / count};
}

}  // namespace tutti::learn
