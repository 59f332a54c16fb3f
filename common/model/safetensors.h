// Weights as a safetensors file: u64 little-endian header length, a JSON header, raw little-endian
// float32 data. What we write any safetensors reader opens; what we read is checked against the
// model's layout, because it may come from a peer. (Format: github.com/huggingface/safetensors,
// "Format".) Thread safety: pure functions.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

inline constexpr std::size_t kMaxSafetensorsHeader = 1 << 20;  // bytes

using Metadata = std::map<std::string, std::string>;

// The file's bytes. Equal arguments give equal bytes. The header is padded with spaces so that the
// data begins at a multiple of 8 bytes. `values` must have layout.values entries (checked as our
// own invariant); metadata must be valid UTF-8 (bytes that are not become U+FFFD).
Bytes WriteSafetensors(const Layout& layout, std::span<const float> values,
                       const Metadata& metadata);

// The weights in layout order, copied. InvalidArgument when anything differs from a complete,
// gapless float32 file of exactly this layout, or when a value is NaN or infinite.
StatusOr<std::vector<float>> ReadSafetensors(BytesView bytes, const Layout& layout);

// The weights without a copy: a view into `bytes`, after the same checks. FailedPrecondition when
// the file is sound but its tensors lie in another order or unaligned (ours never do): use
// ReadSafetensors then.
StatusOr<std::span<const float>> ViewSafetensors(BytesView bytes, const Layout& layout);

// The file's __metadata__, after checking the header's form (not the layout).
StatusOr<Metadata> SafetensorsMetadata(BytesView bytes);

// Name and shape of each tensor, in the order their data lies in the file, after checking the
// header's form. For a model whose layout only its first weights tell (warm_start.h), so of
// float16, bfloat16, float64 and compressed files (compress.h) as well.
StatusOr<std::vector<v1::ParameterSpec>> SafetensorsParameters(BytesView bytes);

// False when a value is NaN or infinite.
bool AllFinite(std::span<const float> values);

}  // namespace tutti::model
