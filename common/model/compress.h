// A finished model made smaller: weights that matter least set to zero, the others rounded to 8
// bits. Only tensors of two dimensions or more are changed (weights of linear, convolution,
// recurrent and embedding layers); biases and norms stay float32. The result is a safetensors file
// that warm starts read (warm_start.h):
//   int8      tensor "w" of dtype I8, "w.scale" F32 [first size]: the value is number * scale of
//             its first index (an output's channel)
//   no zeros  where that is smaller: "w" has only the values that are not zero, in order;
//             "w.present" U8 has a bit for each value, the lowest first; metadata "shape.w" the
//             shape
//   metadata  "tutti.compressed" = "1", and what the model's file had
// Thread safety: pure functions. Sources: pruning by magnitude, Han, Pool, Tran, Dally 2015
// (arXiv:1506.02626), here once, over all weights together and without training afterwards; int8
// weights, Jacob et al. 2018 (arXiv:1712.05877), with a scale for each channel and zero at 0, as
// Krishnamoorthi 2018 (arXiv:1806.08342, section 3).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"

namespace tutti::model {

struct CompressSettings {
  bool int8 = false;
  double sparsity = 0;  // share of the changed tensors' values that become zero: 0 <= . < 1
};

struct Compressed {
  Bytes file;
  std::uint64_t values = 0;           // of the model
  std::uint64_t weights = 0;          // of the tensors that may change
  std::uint64_t zeros = 0;            // of them, after both steps
  double largest_weight_error = 0;    // of those that were not pruned
  std::vector<std::string> left_out;  // control variates of scaffold, which only training needs
};

// `file`: a safetensors file of floats, or a compressed one. InvalidArgument: no such file, a value
// that is not finite, no tensor of two dimensions, settings out of range or that ask for nothing,
// or a name that stands for a part of another tensor.
StatusOr<Compressed> CompressModel(BytesView file, const CompressSettings& settings);

// Sets round(sparsity * values) values of smallest magnitude to zero, over all parts together; of
// equal ones those that come first. Values that are zero already count.
void PruneSmallest(double sparsity, std::span<const std::span<float>> parts);

// One channel: value[i] is about numbers[i] * scale, |value - that| <= scale / 2 (and float32
// rounding); numbers are within -127 .. 127. Scale: largest magnitude / 127; 0 when all are zero.
struct RoundedChannel {
  std::vector<std::int8_t> numbers;
  float scale = 0;
};
RoundedChannel RoundChannel(std::span<const float> values);

}  // namespace tutti::model
