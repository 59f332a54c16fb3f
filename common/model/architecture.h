// What a ModelSpec means: every architecture becomes one checked list of layers with inferred
// shapes, so that the trainer implements layers only and the coordinator can size a model without
// LibTorch. Thread safety: value types and pure functions. The built-in architectures and their
// sources are in built_in.h, what the layers compute is in layers.h.
//
// What model.input_shape means:
//   images  [height, width] (one channel) or [channels, height, width]
//   series  [length] (one channel) or [channels, length]: cnn1d, gru, and lists of layers whose
//           first convolution, pool or recurrent layer is one of series
//   tokens  [length] whole numbers from 0 (padding) to vocabulary - 1: text_bag, transformer, and
//           lists of layers that begin with an embedding
//   others  [features]
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/model/layers.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

// A job that needs more is refused before any memory is taken.
inline constexpr std::uint64_t kMaxValues = 1ULL << 31;  // parameters of a model
inline constexpr std::uint64_t kMaxActivations = 1ULL
                                                 << 28;  // values one layer gives for one example

struct Architecture {
  // Of an example: [features], [channels, height, width], [channels, length] or, of tokens,
  // [length]; a channel that input_shape leaves out is there.
  Shape example;
  Shape input;  // what the first layer reads: the example, or its features (features.h)
  std::uint32_t classes = 0;     // 1: the model predicts a number
  std::uint32_t vocabulary = 0;  // examples are tokens below this; 0: they are numbers
  bool clusters = false;      // the last layer is one of centres: `classes` clusters, and no labels
  std::vector<Layer> layers;  // empty: the model is the script below
  Layout layout;
  std::string script_sha256;  // of the TorchScript file, 64 hexadecimal digits; empty: layers
  bool operator==(const Architecture&) const = default;
};

// True when the model is a TorchScript file instead of a list of layers.
bool IsScript(const v1::ModelSpec& spec);

// True when the model is a list of layers with one of centres: its job finds clusters, and labels
// have no meaning for it.
bool HasCentres(const v1::ModelSpec& spec);

// True for a SHA-256 as configuration and tasks write it: 64 hexadecimal digits in lower case.
bool IsSha256Text(std::string_view text);

// Every value of ModelSpec.architecture, in the order of the documentation.
std::vector<std::string> ArchitectureNames();

// InvalidArgument when the layers do not fit together, naming the layer as the job file counts it:
// "layer 3 (linear): input has shape [16, 5, 5], expected one dimension; put a flatten layer before
// it".
StatusOr<Architecture> ArchitectureOf(const v1::ModelSpec& spec);

// The layout alone; the same errors.
StatusOr<Layout> LayoutOf(const v1::ModelSpec& spec);

// Product of the dimensions; ResourceExhausted naming `what` when it passes `limit`.
StatusOr<std::uint64_t> ValuesOf(const Shape& shape, std::uint64_t limit, std::string_view what);

// As messages write it: "[16, 5, 5]".
std::string ShapeText(const Shape& shape);

}  // namespace tutti::model
