// Per-example clipped gradients by a transformation of the whole model into one over single
// examples (vmap): for models the rules do not cover, faster than one example at a time. All that
// depends on LibTorch's function transforms is in vmap.cc. Internal to common/learn (torch types).
// Thread safety: as book_keeping.h.
#pragma once

#include "common/learn/book_keeping.h"

namespace tutti::learn {

// As ClipByBookKeeping. Holds some examples' gradients at a time. Throws what LibTorch throws when
// a call cannot be transformed.
StatusOr<ClippedSum> ClipByVmap(const ClipRequest& request);

}  // namespace tutti::learn
