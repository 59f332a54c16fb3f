// Adds layers one by one to an architecture: infers each one's shape, checks it against what comes
// before and lays the parameters out. Internal to common/model. Thread safety: confined to one
// thread.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/model/architecture.h"

namespace tutti::model {

class LayerBuilder {
 public:
  // `target` is borrowed; its input is set and its layers are empty. `adapter_rank`: of linear
  // layers; 0: they are trained themselves.
  LayerBuilder(Architecture& target, std::uint32_t adapter_rank);

  const Shape& shape() const { return shapes_.back(); }  // what the last layer gives

  // InvalidArgument when the layer does not fit, ResourceExhausted when the model grows too large.
  Status Add(LayerKind kind, const v1::LayerSpec& spec);

 private:
  Status Fill(Layer& layer, const v1::LayerSpec& spec);
  Status NeedPositions(std::size_t dimensions) const;
  Status Linear(Layer& layer, const v1::LayerSpec& spec);
  Status Convolution(Layer& layer, const v1::LayerSpec& spec, std::size_t spatial);
  Status Pool(Layer& layer, const v1::LayerSpec& spec, std::size_t spatial);
  Status Slide(Layer& layer, const v1::LayerSpec& spec, std::size_t spatial,
               std::uint32_t default_stride);
  Status MeanPool(Layer& layer);
  Status GroupNorm(Layer& layer, const v1::LayerSpec& spec);
  Status Flatten(Layer& layer);
  Status Embedding(Layer& layer, const v1::LayerSpec& spec);
  Status Gru(Layer& layer, const v1::LayerSpec& spec);
  Status Transformer(Layer& layer, const v1::LayerSpec& spec);
  Status Skip(Layer& layer, const v1::LayerSpec& spec);
  Status Centres(Layer& layer, const v1::LayerSpec& spec);

  Status Weights(Layer& layer, Shape shape, std::uint64_t fan_in);
  Status NormParameters(Layer& layer, const Shape& shape);
  StatusOr<std::size_t> Append(std::string_view role, Shape shape, std::uint64_t fan_in,
                               Start start);

  // Freezes the weight (a matrix) and the parameter behind it, its bias.
  Status Adapt(Layer& layer, std::size_t weight, std::string_view prefix);

  Architecture& target_;
  const std::uint64_t adapter_rank_;
  std::vector<Shape> shapes_;  // the input, then what each layer gives
  bool masked_ = false;        // the positions are still those of the tokens
};

}  // namespace tutti::model
