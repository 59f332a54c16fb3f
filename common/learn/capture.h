// Records how a forward pass uses the parameters, by watching LibTorch's calls one level above
// automatic differentiation: linear, conv2d and the norms are seen whole, with their inputs and
// outputs. Whatever the rules do not cover is reported, never guessed. Internal to common/learn
// (torch types); all that depends on LibTorch's dispatcher is in capture.cc. Thread safety: a
// Recording affects its own thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/learn/aten.h"

namespace tutti::learn {

enum class Rule { kLinear, kConv2d, kGroupNorm, kLayerNorm };

// One call that used parameters. `weight` and `bias` may be undefined.
struct Use {
  Rule rule = Rule::kLinear;
  at::Tensor input;
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor output;
  at::Tensor delta;  // d loss / d output, filled in by the backward pass
  std::vector<std::int64_t> stride;
  std::vector<std::int64_t> padding;
  std::vector<std::int64_t> dilation;
  std::int64_t groups = 1;
  double epsilon = 0;
};

struct Tape {
  std::vector<at::Tensor> parameters;
  std::vector<Use> uses;
  std::string problem;  // the first call the rules do not cover; empty: all are covered
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

}  // namespace tutti::learn
