// The layers a model is made of: what each reads and gives for one example. Thread safety: value
// types and pure functions. (Shapes are without the batch; images are [channels, height, width],
// series and sequences [channels, length].)
//
//   linear       [features] -> [outputs]
//   conv2d       image -> [outputs, height', width']
//   conv1d       series -> [outputs, length']
//   max_pool2d, avg_pool2d, max_pool1d   the same channels, smaller
//   mean_pool    the mean over all positions: image or series -> [channels]
//   group_norm   image or series; Wu, He 2018
//   layer_norm   over the whole example; Ba, Kiros, Hinton 2016
//   relu, tanh   any shape
//   flatten      any shape -> [values]
//   embedding    tokens [length] -> series [outputs, length], one vector for each token; padding
//                (token 0) gives zeros. Only as the first layer.
//   gru          series -> [outputs], the state after the last position, from a state of zeros;
//   gates
//                as torch.nn.GRU has them. Cho et al. 2014
//   transformer  series -> the same shape: one encoder block, x + attention(norm(x)), then
//                x + feed_forward(norm(x)) of width 4 * channels with relu, norms over the channels
//                of a position. Vaswani et al. 2017, the norms first as in Xiong et al. 2020; the
//                same as torch.nn.TransformerEncoderLayer(norm_first=True) without dropout. A block
//                that does not follow another one adds Vaswani's sines to its input, or positions
//                were unknown.
//   add          what the layer before gives plus what the layer `skip` places back gave. That may
//                have fewer channels and be larger by a whole factor: every s-th position of it is
//                taken and the channels it lacks are zeros. He et al. 2016, option A of section 3.3
//
//   centres      [features] -> [outputs]: half the squared distance to each of `outputs` points,
//   for
//                k-means (common/strategy/clusters.h). Only as the last layer, behind layers
//                without parameters. Its gradient is that of the nearest point alone, which the
//                loss "distortion" takes: features - point, and -1 for the point's share
//
// Beside a linear layer, and each of the four in a transformer, model.adapter_rank puts a low-rank
// adapter (Hu et al. 2021): weight and bias are frozen, and what is learnt is lora_A [rank, inputs]
// and lora_B [outputs, rank], whose product is added to the weight; lora_B starts at zero, so the
// model starts as it was. The rank is at most the smaller side of the weight.
//
// Padding takes no part: after an embedding, and until a convolution, pool or flatten mixes the
// positions, mean_pool divides by the tokens that are none, gru gives the state after the last
// of them and attention looks at them alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

enum class LayerKind {
  kLinear,
  kConv2d,
  kMaxPool2d,
  kAvgPool2d,
  kConv1d,
  kMaxPool1d,
  kMeanPool,
  kGroupNorm,
  kLayerNorm,
  kRelu,
  kTanh,
  kFlatten,
  kEmbedding,
  kGru,
  kTransformer,
  kAdd,
  kCentres
};

inline constexpr std::size_t kNoParameter = static_cast<std::size_t>(-1);
inline constexpr double kNormEpsilon = 1e-5;  // of all norms, as in torch.nn

using Shape = std::vector<std::uint64_t>;  // without the batch

struct Layer {
  LayerKind kind = LayerKind::kFlatten;
  Shape input;
  Shape output;
  std::uint32_t kernel = 0;      // pixels or positions; convolutions and pools
  std::uint32_t stride = 0;      // the same, at least 1; add: of the earlier output
  std::uint32_t padding = 0;     // the same; convolutions and pools
  std::uint32_t groups = 0;      // group norm
  std::uint32_t heads = 0;       // transformer
  std::uint32_t vocabulary = 0;  // embedding
  std::uint32_t skip = 0;        // add
  bool masked = false;           // positions of the input that hold padding take no part
  bool adds_positions = false;   // transformer
  // Index into Layout::parameters. The parameters of a gru and a transformer follow the first one
  // in the order of layer_builder.cc; `bias` is for layers with a weight and a bias only, and the
  // shares of a centres layer.
  std::size_t weight = kNoParameter;
  std::size_t bias = kNoParameter;
  std::size_t adapter = kNoParameter;  // lora_A, then lora_B; of a transformer those of each map
  bool operator==(const Layer&) const = default;
};

std::string_view LayerName(LayerKind kind);  // as written in a job file, e.g. "conv2d"

// InvalidArgument lists the names there are.
StatusOr<LayerKind> KindOf(std::string_view type);

// InvalidArgument when a field is set that this kind does not read, or one is missing.
Status CheckFields(LayerKind kind, const v1::LayerSpec& spec);

}  // namespace tutti::model
