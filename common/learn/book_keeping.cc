#include "common/learn/book_keeping.h"

#include <utility>

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/base/text.h"
#include "common/learn/capture.h"
#include "common/learn/example_gradients.h"
#include "common/learn/example_losses.h"
#include "common/learn/per_example.h"

namespace tutti::learn {
namespace {

// Norms are float32 sums of squares, right to about 1e-6: clipping to a bound that much smaller
// keeps the real norm within it.
constexpr double kNormMargin = 1e-6;
constexpr std::int64_t kKeptValues = 8 << 20;  // floats of per-example gradients kept for the sum

// The forward pass on the tape and the loss's gradient at every recorded output.
Status Record(const ClipRequest& request, Tape& tape, at::Tensor& losses) {
  at::Tensor logits;
  {
    const Recording recording(tape);
    logits = request.forward(request.inputs);
  }
  const Place* const place = tape.flow.Find(logits);
  if (tape.problem.empty() && (place == nullptr || !place->IsFirst())) {
    tape.Report("a result without one row for each example");
  }
  if (!tape.problem.empty()) {
    return FailedPrecondition(
        Join("the model has ", tape.problem,
             ": no rule for per-example gradients covers that; change the model"));
  }
  losses = ExampleLosses(request.loss, logits, request.labels, request.terms);
  std::vector<at::Tensor> outputs;
  for (const Use& use : tape.uses) {
    outputs.push_back(use.output);
  }
  // A model may compute what it does not use.
  const std::vector<at::Tensor> deltas =
      torch::autograd::grad({losses.sum()}, outputs, {}, {}, false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < deltas.size(); ++i) {
    Use& use = tape.uses[i];
    use.delta = deltas[i].defined() ? tape.flow.ExamplesFirst(deltas[i], use.place) : deltas[i];
    use.input = tape.flow.ExamplesFirst(use.input.detach(), use.place);
    use.output = at::Tensor();
  }
  losses = losses.detach();
  return OkStatus();
}

// The places where each parameter was used.
std::vector<std::vector<Source>> SourcesOf(const Tape& tape) {
  std::vector<std::vector<Source>> sources(tape.parameters.size());
  for (const Use& use : tape.uses) {
    if (!use.delta.defined()) {
      continue;
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (use.weight.defined() && use.weight.is_same(tape.parameters[i])) {
        sources[i].push_back({&use, false});
      }
      if (use.bias.defined() && use.bias.is_same(tape.parameters[i])) {
        sources[i].push_back({&use, true});
      }
    }
  }
  return sources;
}

// 0 * NaN is NaN: the examples must leave the batch, a factor of 0 would not do.
StatusOr<std::vector<at::Tensor>> GradientsOfRows(const ClipRequest& request,
                                                  const at::Tensor& rows) {
  if (rows.size(0) == 0) {
    return std::vector<at::Tensor>(request.parameters.size());
  }
  c10::AutoGradMode with_grad(true);
  const at::Tensor inputs = request.inputs.index_select(0, rows);
  const at::Tensor labels = request.labels.index_select(0, rows);
  const ExampleTerms terms =
      request.terms.With([&](const at::Tensor& of_all) { return of_all.index_select(0, rows); });
  TUTTI_ASSIGN(ClippedSum rest,
               ClipByBookKeeping({request.forward, request.parameters, inputs, labels,
                                  request.clip_norm, request.loss, terms}));
  return std::move(rest.gradients);
}

}  // namespace

at::Tensor ClipFactors(const at::Tensor& norms, double clip_norm) {
  return (clip_norm / (norms * (1 + kNormMargin) + 1e-30)).clamp_max(1.0);
}

StatusOr<ClippedSum> ClipByBookKeeping(const ClipRequest& request) {
  if (request.inputs.size(0) == 1) {  // where a single one is in a shape cannot be followed
    return ClipSingleExamples(request);
  }
  ClippedSum result;
  Tape tape;
  tape.parameters = request.parameters;
  tape.flow.Start(request.inputs);
  TUTTI_TRY(Record(request, tape, result.losses));
  const c10::NoGradGuard no_grad;
  const std::vector<std::vector<Source>> sources = SourcesOf(tape);
  at::Tensor squares = at::zeros({request.inputs.size(0)}, result.losses.options());
  std::vector<Norms> norms(sources.size());
  std::int64_t keep = kKeptValues;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].empty()) {
      norms[i] = NormsOf(sources[i], keep);
      squares += norms[i].squared;
      for (const at::Tensor& part : norms[i].vectors) {
        keep -= part.numel();
      }
    }
  }
  result.norms = squares.sqrt();
  const at::Tensor sound = at::isfinite(result.norms) & at::isfinite(result.losses);
  if (!sound.all().item<bool>()) {
    TUTTI_ASSIGN(result.gradients, GradientsOfRows(request, sound.nonzero().squeeze(1)));
    return result;
  }
  const at::Tensor factors = ClipFactors(result.norms, request.clip_norm);
  result.gradients.resize(request.parameters.size());
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].empty()) {
      result.gradients[i] = WeightedSum(sources[i], norms[i], factors);
    }
  }
  return result;
}

}  // namespace tutti::learn
