#include "common/learn/per_example.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "common/base/text.h"
#include "common/learn/capture.h"
#include "common/learn/example_losses.h"
#include "common/learn/vmap.h"

namespace tutti::learn {
namespace {

// Float32 results that are computed in another order differ by about 1e-6 of the largest.
constexpr double kTolerance = 1e-4;

struct Mixing {
  std::string_view call;
  std::string_view instead;
};
constexpr std::array<Mixing, 5> kMixing{
    Mixing{"aten::batch_norm", "group_norm or layer_norm"},
    Mixing{"aten::native_batch_norm", "group_norm or layer_norm"},
    Mixing{"aten::_batch_norm_impl_index", "group_norm or layer_norm"},
    Mixing{"aten::instance_norm", "instance_norm without running statistics"},
    Mixing{"aten::cdist", "distances inside one example"}};

Status MixingOf(const std::string& problem) {
  for (const Mixing& mixing : kMixing) {
    if (problem.find(mixing.call) != problem.npos) {
      return FailedPrecondition(Join("the model has ", mixing.call,
                                     ", which mixes the examples of a batch: no example's share of "
                                     "the gradient can be bounded; use ",
                                     mixing.instead));
    }
  }
  return OkStatus();
}

std::string TapeProblem(const ClipRequest& request) {
  Tape tape;
  tape.parameters = request.parameters;
  tape.flow.Start(request.inputs);
  const Recording recording(tape);
  const at::Tensor logits = request.forward(request.inputs);
  return tape.problem;
}

double LargestOf(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0 : tensor.abs().max().item<double>();
}

bool AreClose(const at::Tensor& a, const at::Tensor& b) {
  return LargestOf(a - b) <= kTolerance * std::max(LargestOf(b), 1e-6);
}

// Each example's result alone is its result in the batch.
Status CheckIndependence(const ClipRequest& request) {
  const c10::NoGradGuard no_grad;
  const at::Tensor together = request.forward(request.inputs);
  const std::int64_t examples = request.inputs.size(0);
  if (together.dim() != 2 || together.size(0) != examples) {
    return FailedPrecondition(Join("the model's result for ", examples, " examples has ",
                                   together.dim(), " dimensions, expected ", examples,
                                   " rows of logits"));
  }
  for (std::int64_t i = 0; i < examples; ++i) {
    if (!AreClose(request.forward(request.inputs.narrow(0, i, 1)), together.narrow(0, i, 1))) {
      return FailedPrecondition(
          "the model's result for an example depends on the other examples of its batch, or on "
          "chance: no example's share of the gradient can be bounded; use layers that treat every "
          "example by itself, and no dropout");
    }
  }
  return OkStatus();
}

bool Agree(const ClippedSum& fast, const ClippedSum& reference) {
  if (!AreClose(fast.norms, reference.norms)) {
    return false;
  }
  for (std::size_t i = 0; i < reference.gradients.size(); ++i) {
    const at::Tensor& a = fast.gradients[i];
    const at::Tensor& b = reference.gradients[i];
    if (a.defined() && b.defined() ? !AreClose(a, b)
                                   : LargestOf(a.defined() ? a : at::zeros({1})) > 0 ||
                                         LargestOf(b.defined() ? b : at::zeros({1})) > 0) {
      return false;
    }
  }
  return true;
}

// LibTorch throws where it cannot transform a call; a script's interpreter throws it on as its own.
bool VmapAgrees(const ClipRequest& request, const ClippedSum& reference) {
  try {
    const StatusOr<ClippedSum> sum = ClipByVmap(request);
    return sum.ok() && Agree(*sum, reference);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

std::string_view MethodName(GradientMethod method) {
  switch (method) {
    case GradientMethod::kBookKeeping:
      return "book-keeping";
    case GradientMethod::kVmap:
      return "vmap";
    case GradientMethod::kSingleExamples:
      return "single examples";
  }
  return "";
}

StatusOr<MethodChoice> ChooseMethod(const ClipRequest& request) {
  const std::string problem = TapeProblem(request);
  TUTTI_TRY(MixingOf(problem));
  TUTTI_TRY(CheckIndependence(request));
  TUTTI_ASSIGN(const ClippedSum reference, ClipSingleExamples(request));
  MethodChoice choice;
  if (problem.empty()) {
    TUTTI_ASSIGN(const ClippedSum fast, ClipByBookKeeping(request));
    if (Agree(fast, reference)) {
      return choice;
    }
    choice.reason = "book-keeping does not give what single examples give";
  } else {
    choice.reason = Join("the model has ", problem);
  }
  choice.method =
      VmapAgrees(request, reference) ? GradientMethod::kVmap : GradientMethod::kSingleExamples;
  return choice;
}

StatusOr<ClippedSum> ClipSingleExamples(const ClipRequest& request) {
  ClippedSum result;
  result.gradients.resize(request.parameters.size());
  std::vector<at::Tensor> norms, losses;
  for (std::int64_t i = 0; i < request.inputs.size(0); ++i) {
    const ExampleTerms terms =
        request.terms.With([i](const at::Tensor& of_all) { return of_all.narrow(0, i, 1); });
    const at::Tensor loss =
        ExampleLosses(request.loss, request.forward(request.inputs.narrow(0, i, 1)),
                      request.labels.narrow(0, i, 1), terms);
    const std::vector<at::Tensor> gradients = torch::autograd::grad(
        {loss.sum()}, request.parameters, {}, {}, false, /*allow_unused=*/true);
    const c10::NoGradGuard no_grad;
    at::Tensor squared = at::zeros({1}, loss.options());
    for (const at::Tensor& gradient : gradients) {
      if (gradient.defined()) {
        squared += gradient.square().sum();
      }
    }
    losses.push_back(loss.detach());
    norms.push_back(squared.sqrt());
    if (!at::isfinite(norms.back()).item<bool>() || !at::isfinite(losses.back()).item<bool>()) {
      continue;
    }
    const at::Tensor factor = ClipFactors(norms.back(), request.clip_norm);
    for (std::size_t k = 0; k < gradients.size(); ++k) {
      if (gradients[k].defined()) {
        const at::Tensor clipped = gradients[k] * factor;
        at::Tensor& sum = result.gradients[k];
        sum = sum.defined() ? sum.add_(clipped) : clipped;
      }
    }
  }
  result.norms = at::cat(norms);
  result.losses = at::cat(losses);
  return result;
}

StatusOr<ClippedSum> ClipBy(GradientMethod method, const ClipRequest& request) {
  switch (method) {
    case GradientMethod::kBookKeeping:
      return ClipByBookKeeping(request);
    case GradientMethod::kVmap:
      return ClipByVmap(request);
    case GradientMethod::kSingleExamples:
      return ClipSingleExamples(request);
  }
  return Internal("unknown gradient method");
}

}  // namespace tutti::learn
