// Records how a forward pass uses the parameters, by watching LibTorch's calls one level above
// automatic differentiation: linear, convolutions and the norms are seen whole, with their inputs
// and outputs, in models written in C++ and in TorchScript alike. Whatever the rules do not cover
// is reported, never guessed. Internal to common/learn (torch types); all that depends on
// LibTorch's dispatcher is in capture.cc. Thread safety: a Recording affects its own thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/learn/aten.h"
#include "common/learn/batch_flow.h"

namespace tutti::learn {

enum class Rule {
  kLinear,          // y = x w^T + b
  kMatmul,          // y = x w
  kConv,            // one to three spatial dimensions, groups
  kConvTransposed,  // one or two, no groups
  kEmbedding,       // rows of w; `input` holds their numbers
  kGroupNorm,
  kLayerNorm,  // over the last dimensions
  kInstanceNorm,
  kAdd,      // y = x + w, w the same for all examples
  kMultiply  // y = x * w, likewise
};

// One call that used parameters. `weight` and `bias` may be undefined. `input`, `output` and
// `delta` have the examples at `place`, and first once the backward pass is done.
struct Use {
  Rule rule = Rule::kLinear;
  at::Tensor input;
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor output;
  at::Tensor delta;  // d loss / d output, filled in by the backward pass; undefined: none
  Place place;
  // Convolutions, one entry a spatial dimension.
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;
  std::vector<std::int64_t> dilation;
  std::vector<std::int64_t> output_padding;
  std::int64_t groups = 1;
  std::int64_t padding_index = -1;  // embedding: a row without gradient
  double epsilon = 0;
};

struct Tape {
  std::vector<at::Tensor> parameters;
  BatchFlow flow;
  std::vector<Use> uses;
  std::string problem;  // the first call the rules do not cover; empty: all are covered

  bool Holds(const at::Tensor& tensor) const;  // whether it is one of the parameters
  void Report(std::string text);
};

// While it lives, calls on this thread are written to `tape`. Recordings do not nest.
class Recording {
 public:
  explicit Recording(Tape& tape);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  struct Mode;
  std::unique_ptr<Mode> mode_;
};

// While it lives, calls on this thread get `replacements[i]` wherever they are given
// `originals[i]`: a model is run with other parameters than it holds. Not inside a recording.
class Substitution {
 public:
  Substitution(const std::vector<at::Tensor>& originals,
               const std::vector<at::Tensor>& replacements);
  ~Substitution();
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

  // Internal to capture.cc.
  void Apply(c10::IValue& argument) const;

 private:
  struct Mode;
  const std::vector<at::Tensor>& originals_;
  const std::vector<at::Tensor>& replacements_;
  std::unique_ptr<Mode> mode_;
};

// Inside a recording: at::linear, recorded, for a layer that is made of others (recurrent.h).
at::Tensor RecordedLinear(Tape& tape, const at::Tensor& input, const at::Tensor& weight,
                          const at::Tensor& bias);

}  // namespace tutti::learn
