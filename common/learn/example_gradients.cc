#include "common/learn/example_gradients.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace tutti::learn {
namespace {

constexpr std::int64_t kSliceValues = 1 << 21;  // floats of patches and products held at a time

// Rounding of a product of two dot products of up to some thousand floats, relative to the norms of
// their vectors.
constexpr double kGramError = 1e-6;

// delta^T a of some examples: [examples, groups, positions, ...] both.
struct Factors {
  at::Tensor left;   // rows of the parameter
  at::Tensor right;  // columns
};

at::Tensor Rows(const at::Tensor& tensor, std::int64_t first, std::int64_t count) {
  return tensor.narrow(0, first, count);
}

bool IsMatrix(const Source& source) {
  if (source.bias) {
    return false;
  }
  switch (source.use->rule) {
    case Rule::kLinear:
    case Rule::kMatmul:
    case Rule::kConv:
    case Rule::kConvTransposed:
      return true;
    default:
      return false;
  }
}

// The patches a convolution of `input` looks at: [examples, channels * kernel, positions].
at::Tensor Patches(const at::Tensor& input, at::IntArrayRef kernel, const Use& use) {
  if (kernel.size() == 1) {
    return at::im2col(input.unsqueeze(2), {1, kernel[0]}, {1, use.dilation[0]}, {0, use.padding[0]},
                      {1, use.stride[0]});
  }
  if (kernel.size() == 2) {
    return at::im2col(input, kernel, use.dilation, use.padding, use.stride);
  }
  std::vector<std::int64_t> pad;
  for (std::size_t i = 3; i-- > 0;) {
    pad.insert(pad.end(), {use.padding[i], use.padding[i]});
  }
  at::Tensor windows = at::constant_pad_nd(input, pad);
  for (std::int64_t i = 0; i < 3; ++i) {
    windows = windows.unfold(2 + i, kernel[static_cast<std::size_t>(i)],
                             use.stride[static_cast<std::size_t>(i)]);
  }
  // [examples, channels, positions x 3, kernel x 3]
  return windows.permute({0, 1, 5, 6, 7, 2, 3, 4}).flatten(5).flatten(1, 4);
}

Factors MatrixFactors(const Use& use, std::int64_t first, std::int64_t count) {
  const at::Tensor input = Rows(use.input, first, count), delta = Rows(use.delta, first, count);
  const auto positions_last = [](const at::Tensor& tensor, std::int64_t groups) {
    return tensor.view({tensor.size(0), groups, tensor.size(1) / groups, tensor.size(2)})
        .transpose(2, 3);
  };
  const auto as_rows = [](const at::Tensor& tensor) {
    return tensor.reshape({tensor.size(0), 1, -1, tensor.size(-1)});
  };
  switch (use.rule) {
    case Rule::kMatmul:
      return {as_rows(input), as_rows(delta)};
    case Rule::kConv:
      return {positions_last(delta.flatten(2).contiguous(), use.groups),
              positions_last(Patches(input, use.weight.sizes().slice(2), use), use.groups)};
    case Rule::kConvTransposed:
      return {positions_last(input.flatten(2).contiguous(), 1),
              positions_last(Patches(delta, use.weight.sizes().slice(2), use), 1)};
    default:
      return {as_rows(delta), as_rows(input)};
  }
}

// Sum of `tensor` over everything that broadcasting `parameter` repeated, but not over examples:
// [examples, values of the parameter].
at::Tensor SumTo(const at::Tensor& tensor, const at::Tensor& parameter) {
  std::vector<std::int64_t> dimensions;
  const std::int64_t missing = tensor.dim() - parameter.dim();
  for (std::int64_t i = 1; i < tensor.dim(); ++i) {
    if (i < missing || (parameter.size(i - missing) == 1 && tensor.size(i) != 1)) {
      dimensions.push_back(i);
    }
  }
  return (dimensions.empty() ? tensor : tensor.sum(dimensions)).flatten(1);
}

at::Tensor Normalised(const Use& use, const at::Tensor& input) {
  switch (use.rule) {
    case Rule::kGroupNorm:
      return at::group_norm(input, use.groups, {}, {}, use.epsilon);
    case Rule::kInstanceNorm:
      return at::instance_norm(input, {}, {}, {}, {}, true, 0, use.epsilon, false);
    default:
      return at::layer_norm(input,
                            input.sizes().slice(static_cast<std::size_t>(input.dim() - use.groups)),
                            {}, {}, use.epsilon);
  }
}

// The gradients themselves, of some examples: [examples, values].
at::Tensor Vectors(const Source& source, std::int64_t first, std::int64_t count) {
  const Use& use = *source.use;
  const at::Tensor delta = Rows(use.delta, first, count);
  if (IsMatrix(source)) {
    const Factors factors = MatrixFactors(use, first, count);
    return at::matmul(factors.left.transpose(2, 3), factors.right).flatten(1);
  }
  switch (use.rule) {
    case Rule::kEmbedding: {
      const at::Tensor ids = Rows(use.input, first, count).reshape({count, -1});
      at::Tensor rows = delta.reshape({count, -1, delta.size(-1)});
      if (use.padding_index >= 0) {
        rows = rows * ids.ne(use.padding_index).unsqueeze(2);
      }
      return at::zeros({count, use.weight.size(0), use.weight.size(1)}, delta.options())
          .scatter_add_(1, ids.unsqueeze(2).expand_as(rows), rows)
          .flatten(1);
    }
    case Rule::kGroupNorm:
    case Rule::kInstanceNorm: {
      const at::Tensor values =
          source.bias ? delta : delta * Normalised(use, Rows(use.input, first, count));
      return values.dim() > 2 ? values.flatten(2).sum(2) : values;
    }
    case Rule::kLayerNorm: {
      const at::Tensor values =
          source.bias ? delta : delta * Normalised(use, Rows(use.input, first, count));
      return SumTo(values, source.bias ? use.bias : use.weight);
    }
    case Rule::kAdd:
      return SumTo(delta, use.weight);
    case Rule::kMultiply:
      return SumTo(delta * Rows(use.input, first, count), use.weight);
    case Rule::kLinear:
      return delta.dim() > 2 ? delta.flatten(1, -2).sum(1) : delta;
    default:
      return delta.flatten(2).sum(2);  // a convolution's bias
  }
}

at::Tensor SumOfSquares(const at::Tensor& vectors) { return vectors.square().sum(1); }

// Of matrices given by their factors; [examples].
at::Tensor MatrixNorms(const Factors& factors) {
  const at::Tensor left = factors.left, right = factors.right;
  const std::int64_t positions = left.size(2);
  if (positions == 1) {
    return (left.square().sum({2, 3}) * right.square().sum({2, 3})).sum(1);
  }
  if (2 * positions * positions < left.size(3) * right.size(3)) {
    const at::Tensor squared =
        (at::matmul(left, left.transpose(2, 3)) * at::matmul(right, right.transpose(2, 3)))
            .sum({1, 2, 3});
    // Where positions cancel, rounding is relative to what was cancelled.
    const at::Tensor uncancelled =
        (left.square().sum(3).sqrt() * right.square().sum(3).sqrt()).sum({1, 2});
    return squared.clamp_min(0) + kGramError * uncancelled.square();
  }
  return SumOfSquares(at::matmul(left.transpose(2, 3), right).flatten(1));
}

// Of an embedding's gradient: tokens of the same row meet.
at::Tensor EmbeddingNorms(const at::Tensor& ids, const at::Tensor& delta) {
  const at::Tensor same = ids.unsqueeze(2).eq(ids.unsqueeze(1));
  return (at::bmm(delta, delta.transpose(1, 2)) * same).sum({1, 2});
}

// Floats that the norm of one example needs at a time.
std::int64_t ValuesAnExample(const std::vector<Source>& sources, bool matrices) {
  std::int64_t positions = 0, most = 0;
  for (const Source& source : sources) {
    const Use& use = *source.use;
    const std::int64_t examples = std::max<std::int64_t>(use.delta.size(0), 1);
    most += use.delta.numel() / examples;
    if (!matrices) {
      most += (source.bias ? use.bias : use.weight).numel();
      continue;
    }
    const bool image = use.rule == Rule::kConv || use.rule == Rule::kConvTransposed;
    const at::Tensor& spread = use.rule == Rule::kConvTransposed ? use.input : use.delta;
    const std::int64_t each = std::max<std::int64_t>(
        image ? spread.flatten(2).size(2) : use.input.numel() / examples / use.input.size(-1), 1);
    positions += each;
    most += image ? each * use.weight.numel() / use.weight.size(0) : use.input.numel() / examples;
  }
  if (matrices) {
    most += std::min(2 * positions * positions, sources[0].use->weight.numel());
  }
  return std::max<std::int64_t>(most, 1);
}

at::Tensor NormsOfSlice(const std::vector<Source>& sources, bool matrices, std::int64_t first,
                        std::int64_t count) {
  if (!matrices) {
    at::Tensor sum = Vectors(sources[0], first, count);
    for (std::size_t i = 1; i < sources.size(); ++i) {
      sum = sum + Vectors(sources[i], first, count);
    }
    return SumOfSquares(sum);
  }
  Factors all = MatrixFactors(*sources[0].use, first, count);
  if (sources.size() > 1) {
    std::vector<at::Tensor> left{all.left}, right{all.right};
    for (std::size_t i = 1; i < sources.size(); ++i) {
      Factors more = MatrixFactors(*sources[i].use, first, count);
      left.push_back(std::move(more.left));
      right.push_back(std::move(more.right));
    }
    all = {at::cat(left, 2), at::cat(right, 2)};
  }
  return MatrixNorms(all);
}

at::Tensor AcrossExamples(const at::Tensor& factors, const at::Tensor& tensor) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(tensor.dim()), 1);
  shape[0] = factors.size(0);
  return factors.view(shape);
}

at::Tensor SumOfOne(const Source& source, const at::Tensor& factors) {
  const Use& use = *source.use;
  if (source.bias || !(IsMatrix(source) || use.rule == Rule::kEmbedding)) {
    const at::Tensor& parameter = source.bias ? use.bias : use.weight;
    return at::mv(Vectors(source, 0, factors.size(0)).t(), factors).view(parameter.sizes());
  }
  const at::Tensor delta = use.delta * AcrossExamples(factors, use.delta);
  const auto rows = [](const at::Tensor& tensor) { return tensor.reshape({-1, tensor.size(-1)}); };
  switch (use.rule) {
    case Rule::kLinear:
      return at::mm(rows(delta).t(), rows(use.input));
    case Rule::kMatmul:
      return at::mm(rows(use.input).t(), rows(delta));
    case Rule::kEmbedding:
      return at::embedding_dense_backward(delta.contiguous(), use.input, use.weight.size(0),
                                          use.padding_index, false);
    default:
      return std::get<1>(at::convolution_backward(
          delta, use.input, use.weight, {}, use.stride, use.padding, use.dilation,
          use.rule == Rule::kConvTransposed, use.output_padding, use.groups,
          std::array<bool, 3>{false, true, false}));
  }
}

}  // namespace

at::Tensor SquaredNorms(const std::vector<Source>& sources) {
  const Use& first = *sources[0].use;
  const std::int64_t examples = first.delta.size(0);
  if (sources.size() == 1 && !sources[0].bias && first.rule == Rule::kEmbedding) {
    at::Tensor delta = first.delta.reshape({examples, -1, first.delta.size(-1)});
    const at::Tensor ids = first.input.reshape({examples, -1});
    if (first.padding_index >= 0) {
      delta = delta * ids.ne(first.padding_index).unsqueeze(2);
    }
    return EmbeddingNorms(ids, delta);
  }
  // Matrices of several calls are one with more positions, when their rows and columns are the
  // same.
  const bool matrices = std::all_of(sources.begin(), sources.end(), [&](const Source& source) {
    return IsMatrix(source) && source.use->rule == first.rule && source.use->groups == first.groups;
  });
  const std::int64_t step =
      std::max<std::int64_t>(kSliceValues / ValuesAnExample(sources, matrices), 1);
  std::vector<at::Tensor> norms;
  for (std::int64_t at = 0; at < examples; at += step) {
    norms.push_back(NormsOfSlice(sources, matrices, at, std::min(step, examples - at)));
  }
  return norms.size() == 1 ? norms[0] : at::cat(norms);
}

at::Tensor WeightedSum(const std::vector<Source>& sources, const at::Tensor& factors) {
  at::Tensor sum = SumOfOne(sources[0], factors);
  for (std::size_t i = 1; i < sources.size(); ++i) {
    sum = sum + SumOfOne(sources[i], factors);
  }
  return sum;
}

}  // namespace tutti::learn
