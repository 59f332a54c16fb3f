// The forward pass of a list of layers (common/model/layers.h says what each computes), in calls
// that capture.h has rules for: the gradient of one example can be told from those of the others in
// every model made of them. Internal to common/learn (torch types). Thread safety: confined to one
// thread.
#pragma once

#include <vector>

#include "common/learn/aten.h"
#include "common/model/architecture.h"

namespace tutti::learn {

class LayerStack {
 public:
  // `parameters` in the layout's order; both are borrowed.
  LayerStack(const model::Architecture& architecture, const std::vector<at::Tensor>& parameters);

  // [examples, ...] to [examples, classes]. Tokens are floats; each is below the vocabulary.
  at::Tensor Forward(const at::Tensor& inputs) const;

 private:
  // What a layer may read beside the output of the one before.
  struct Pass {
    at::Tensor mask;                  // [examples, length], 1 where no padding is; tokens only
    std::vector<at::Tensor> outputs;  // the input, then of each layer; undefined where none adds it
  };

  const at::Tensor& Parameter(const model::Layer& layer, std::size_t place) const;
  // The place-th weight and bias behind the layer's first parameter, with their adapter.
  at::Tensor Linear(const model::Layer& layer, const at::Tensor& x, std::size_t place) const;
  at::Tensor Apply(std::size_t index, const at::Tensor& x, const Pass& pass) const;
  at::Tensor Embedding(const model::Layer& layer, const at::Tensor& x, const Pass& pass) const;
  at::Tensor MeanPool(const model::Layer& layer, const at::Tensor& x, const Pass& pass) const;
  at::Tensor Gru(const model::Layer& layer, const at::Tensor& x, const Pass& pass) const;
  at::Tensor Transformer(std::size_t index, const at::Tensor& x, const Pass& pass) const;
  at::Tensor Centres(std::size_t index, const at::Tensor& x) const;
  at::Tensor Attention(const model::Layer& layer, const at::Tensor& x, const Pass& pass) const;

  const model::Architecture& architecture_;
  const std::vector<at::Tensor>& parameters_;
  std::vector<bool> added_;            // which outputs a later layer adds; 0 is the input
  std::vector<at::Tensor> positions_;  // of each layer; undefined where it adds none
  // Of a centres layer, the same memory as its parameters but constants.
  at::Tensor centres_;
  at::Tensor shares_;
};

}  // namespace tutti::learn
