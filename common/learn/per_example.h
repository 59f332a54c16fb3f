// Per-example clipped gradients of any model: by book-keeping where the rules cover it, else by
// vmap, else one example at a time. Which of them is decided before the first step, by trying: a
// model whose result for one example depends on the others is refused, and a faster way is used
// only if it gives what single examples give. Internal to common/learn (torch types). Thread
// safety: as book_keeping.h.
#pragma once

#include <string>

#include "common/learn/book_keeping.h"

namespace tutti::learn {

enum class GradientMethod { kBookKeeping, kVmap, kSingleExamples };
std::string_view MethodName(GradientMethod method);  // "book-keeping", "vmap", "single examples"

struct MethodChoice {
  GradientMethod method = GradientMethod::kBookKeeping;
  std::string reason;  // why not book-keeping; empty when it is
};

// Tries `request`'s batch of at least two examples. Data must not decide: use made-up inputs.
// FailedPrecondition: the model mixes examples, with the call's name and what to use instead.
StatusOr<MethodChoice> ChooseMethod(const ClipRequest& request);

// As ClipByBookKeeping, of any model that treats every example by itself: B times the time.
StatusOr<ClippedSum> ClipSingleExamples(const ClipRequest& request);

StatusOr<ClippedSum> ClipBy(GradientMethod method, const ClipRequest& request);

}  // namespace tutti::learn
