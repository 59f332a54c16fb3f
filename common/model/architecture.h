// What a ModelSpec means: every architecture becomes one checked list of layers with inferred
// shapes, so that the trainer implements layers only and the coordinator can size a model without
// LibTorch. Thread safety: value types and pure functions.
//
// Built-in architectures, for an input of [features], [height, width] (one channel) or [channels,
// height, width]:
//   logistic  flatten when the input is an image, linear
//   mlp       flatten when the input is an image, then for each width of `hidden`: linear,
//             activation; linear
//   lenet5    conv 5x5 to 6 channels (padding 2), max pool 2, conv 5x5 to 16, max pool 2, flatten,
//             linear 120, 84, classes; the activation after each but the last; with normalisation
//             = "group" a group norm (2 and 4 groups) after each convolution. LeCun et al. 1998,
//             with max pooling.
//   layers    the list as given
//   torchscript  a file of the device's owner, named by its SHA-256: no layers here, the layout is
//             that of model.parameters
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

// A job that needs more is refused before any memory is taken.
inline constexpr std::uint64_t kMaxValues = 1ULL << 31;  // parameters of a model
inline constexpr std::uint64_t kMaxActivations = 1ULL
                                                 << 28;  // values one layer gives for one example

enum class LayerKind {
  kLinear,
  kConv2d,
  kMaxPool2d,
  kAvgPool2d,
  kGroupNorm,
  kLayerNorm,  // over the whole example
  kRelu,
  kTanh,
  kFlatten
};

inline constexpr std::size_t kNoParameter = static_cast<std::size_t>(-1);
inline constexpr double kNormEpsilon = 1e-5;  // of both norms, as in torch.nn

using Shape =
    std::vector<std::uint64_t>;  // without the batch; images are [channels, height, width]

struct Layer {
  LayerKind kind = LayerKind::kFlatten;
  Shape input;
  Shape output;
  std::uint32_t kernel = 0;           // pixels; conv2d and pools
  std::uint32_t stride = 0;           // pixels, at least 1; conv2d and pools
  std::uint32_t padding = 0;          // pixels; conv2d and pools
  std::uint32_t groups = 0;           // group norm
  std::size_t weight = kNoParameter;  // index into Layout::parameters
  std::size_t bias = kNoParameter;
  bool operator==(const Layer&) const = default;
};

struct Architecture {
  // Of an example: one or three dimensions; [height, width] has become [1, height, width].
  Shape example;
  Shape input;  // what the first layer reads: the example, or its features (features.h)
  std::uint32_t classes = 0;
  std::vector<Layer> layers;  // empty: the model is the script below
  Layout layout;
  std::string script_sha256;  // of the TorchScript file, 64 hexadecimal digits; empty: layers
  bool operator==(const Architecture&) const = default;
};

// True when the model is a TorchScript file instead of a list of layers.
bool IsScript(const v1::ModelSpec& spec);

// True for a SHA-256 as configuration and tasks write it: 64 hexadecimal digits in lower case.
bool IsSha256Text(std::string_view text);

std::string_view LayerName(LayerKind kind);  // as written in a job file, e.g. "conv2d"

// InvalidArgument when the layers do not fit together, naming the layer as the job file counts it:
// "layer 3 (linear): input has shape [16, 5, 5], expected one dimension; put a flatten layer before
// it".
StatusOr<Architecture> ArchitectureOf(const v1::ModelSpec& spec);

// The layout alone; the same errors.
StatusOr<Layout> LayoutOf(const v1::ModelSpec& spec);

// Product of the dimensions; ResourceExhausted naming `what` when it passes `limit`.
StatusOr<std::uint64_t> ValuesOf(const Shape& shape, std::uint64_t limit, std::string_view what);

}  // namespace tutti::model
