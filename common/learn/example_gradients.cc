#include "common/learn/example_gradients.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "common/learn/row_squares.h"

namespace tutti::learn {
namespace {

constexpr std::int64_t kSliceValues = 1 << 21;  // floats of patches and products held at a time

// Rounding of a product of two dot products of up to some thousand floats, relative to the norms of
// their vectors.
constexpr double kGramError = 1e-6;

// Of some examples: the gradient of each group is left x right^T. [examples * groups, rows,
// positions] and [examples * groups, columns, positions].
struct Factors {
  at::Tensor left;
  at::Tensor right;
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
  const auto by_group = [&](const at::Tensor& tensor) {
    return tensor.reshape({count * use.groups, tensor.size(1) / use.groups, tensor.size(2)});
  };
  const auto of_rows = [&](const at::Tensor& tensor) {
    return tensor.reshape({count, -1, tensor.size(-1)}).transpose(1, 2);
  };
  switch (use.rule) {
    case Rule::kMatmul:
      return {of_rows(input), of_rows(delta)};
    case Rule::kConv:
      return {by_group(delta.flatten(2)),
              by_group(Patches(input, use.weight.sizes().slice(2), use))};
    case Rule::kConvTransposed:
      return {by_group(input.flatten(2)),
              by_group(Patches(delta, use.weight.sizes().slice(2), use))};
    default:
      return {of_rows(delta), of_rows(input)};
  }
}

at::Tensor Product(const Factors& factors, std::int64_t examples) {
  return at::bmm(factors.left, factors.right.transpose(1, 2)).reshape({examples, -1});
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

// A convolution's gradients, as those of one convolution with a group for each example: oneDNN's
// kernels for that are twice as fast as forming the patches.
at::Tensor ConvolutionVectors(const Use& use, std::int64_t first, std::int64_t count) {
  const auto side_by_side = [&](const at::Tensor& tensor) {
    std::vector<std::int64_t> shape = tensor.sizes().vec();
    shape[0] = 1;
    shape[1] *= count;
    return Rows(tensor, first, count).reshape(shape);
  };
  std::vector<std::int64_t> shape = use.weight.sizes().vec();
  shape[0] *= count;
  const at::Tensor weights = at::empty(shape, use.weight.options());  // only its shape is read
  return std::get<1>(at::convolution_backward(side_by_side(use.delta), side_by_side(use.input),
                                              weights, {}, use.stride, use.padding, use.dilation,
                                              false, use.output_padding, use.groups * count,
                                              std::array<bool, 3>{false, true, false}))
      .reshape({count, -1});
}

// The gradients themselves, of some examples: [examples, values].
at::Tensor Vectors(const Source& source, std::int64_t first, std::int64_t count) {
  const Use& use = *source.use;
  const at::Tensor delta = Rows(use.delta, first, count);
  if (!source.bias && use.rule == Rule::kConv) {
    return ConvolutionVectors(use, first, count);
  }
  if (IsMatrix(source)) {
    return Product(MatrixFactors(use, first, count), count);
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

bool GramIsCheaper(std::int64_t positions, std::int64_t rows, std::int64_t columns) {
  return positions * (rows + columns) < rows * columns;
}

// Of matrices given by their factors, without the matrices; [examples].
at::Tensor GramNorms(const Factors& factors, std::int64_t examples) {
  const at::Tensor& left = factors.left;
  const at::Tensor& right = factors.right;
  if (left.size(2) == 1) {
    return (RowSquares(left) * RowSquares(right)).view({examples, -1}).sum(1);
  }
  const at::Tensor squared =
      (at::bmm(left.transpose(1, 2), left) * at::bmm(right.transpose(1, 2), right)).sum({1, 2});
  // Where positions cancel, rounding is relative to what was cancelled.
  const at::Tensor uncancelled =
      (left.square().sum(1).sqrt() * right.square().sum(1).sqrt()).sum(1);
  return (squared.clamp_min(0) + kGramError * uncancelled.square()).view({examples, -1}).sum(1);
}

// How the norm of a parameter is computed, and the floats one example needs for it.
struct Plan {
  bool matrices = false;  // all sources are matrices of the same shape
  bool gram = false;
  std::int64_t values = 1;
};

std::int64_t PositionsOf(const Use& use) {
  const at::Tensor& spread = use.rule == Rule::kConvTransposed ? use.input : use.delta;
  const std::int64_t channels = use.rule == Rule::kConv || use.rule == Rule::kConvTransposed
                                    ? spread.size(1)
                                    : spread.size(-1);
  return std::max<std::int64_t>(
      spread.numel() / std::max<std::int64_t>(spread.size(0) * channels, 1), 1);
}

Plan PlanOf(const std::vector<Source>& sources) {
  const Use& first = *sources[0].use;
  Plan plan;
  plan.matrices = std::all_of(sources.begin(), sources.end(), [&](const Source& source) {
    return IsMatrix(source) && source.use->rule == first.rule && source.use->groups == first.groups;
  });
  const at::Tensor& parameter = sources[0].bias ? first.bias : first.weight;
  plan.values = parameter.numel();
  std::int64_t positions = 0;
  for (const Source& source : sources) {
    const std::int64_t examples = std::max<std::int64_t>(source.use->delta.size(0), 1);
    plan.values += source.use->delta.numel() / examples;
    if (IsMatrix(source)) {
      positions += PositionsOf(*source.use);
      plan.values += PositionsOf(*source.use) * parameter.numel() / parameter.size(0);
    }
  }
  if (plan.matrices) {
    const std::int64_t rows = parameter.size(0) / first.groups;
    const std::int64_t columns = parameter.numel() / parameter.size(0);
    plan.gram = positions == 1 || GramIsCheaper(positions, rows, columns);
    if (plan.gram) {
      plan.values = positions * (rows + columns + 2 * positions) * first.groups;
    }
  }
  return plan;
}

// Matrices of several calls are one with more positions.
Factors JoinedFactors(const std::vector<Source>& sources, std::int64_t first, std::int64_t count) {
  Factors all = MatrixFactors(*sources[0].use, first, count);
  if (sources.size() == 1) {
    return all;
  }
  std::vector<at::Tensor> left{all.left}, right{all.right};
  for (std::size_t i = 1; i < sources.size(); ++i) {
    Factors more = MatrixFactors(*sources[i].use, first, count);
    left.push_back(std::move(more.left));
    right.push_back(std::move(more.right));
  }
  return {at::cat(left, 2), at::cat(right, 2)};
}

at::Tensor SummedVectors(const std::vector<Source>& sources, const Plan& plan, std::int64_t first,
                         std::int64_t count) {
  if (plan.matrices && sources.size() > 1) {
    return Product(JoinedFactors(sources, first, count), count);
  }
  at::Tensor sum = Vectors(sources[0], first, count);
  for (std::size_t i = 1; i < sources.size(); ++i) {
    sum = sum + Vectors(sources[i], first, count);
  }
  return sum;
}

at::Tensor AcrossExamples(const at::Tensor& factors, const at::Tensor& tensor) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(tensor.dim()), 1);
  shape[0] = factors.size(0);
  return factors.view(shape);
}

// For one call, from its input and the output's gradient.
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

// Of gradients that were kept.
at::Tensor SumOfKept(const std::vector<at::Tensor>& vectors, const at::Tensor& factors) {
  at::Tensor sum = at::zeros({vectors[0].size(1)}, factors.options());
  std::int64_t first = 0;
  for (const at::Tensor& part : vectors) {
    sum.addmv_(part.t(), factors.narrow(0, first, part.size(0)));
    first += part.size(0);
  }
  return sum;
}

// Of an embedding's gradient: tokens of the same row meet. Every token with every other one, so of
// a few long texts at a time.
at::Tensor EmbeddingNorms(const at::Tensor& ids, const at::Tensor& delta) {
  const std::int64_t examples = ids.size(0), pairs = ids.size(1) * ids.size(1);
  const std::int64_t step =
      std::max<std::int64_t>(kSliceValues / std::max<std::int64_t>(pairs, 1), 1);
  std::vector<at::Tensor> squared;
  for (std::int64_t first = 0; first < examples; first += step) {
    const std::int64_t count = std::min(step, examples - first);
    const at::Tensor numbers = Rows(ids, first, count), values = Rows(delta, first, count);
    const at::Tensor same = numbers.unsqueeze(2).eq(numbers.unsqueeze(1));
    squared.push_back((at::bmm(values, values.transpose(1, 2)) * same).sum({1, 2}));
  }
  return squared.size() == 1 ? std::move(squared[0]) : at::cat(squared);
}

}  // namespace

Norms NormsOf(const std::vector<Source>& sources, std::int64_t keep) {
  const Use& first = *sources[0].use;
  const std::int64_t examples = first.delta.size(0);
  if (sources.size() == 1 && !sources[0].bias && first.rule == Rule::kEmbedding) {
    at::Tensor delta = first.delta.reshape({examples, -1, first.delta.size(-1)});
    const at::Tensor ids = first.input.reshape({examples, -1});
    if (first.padding_index >= 0) {
      delta = delta * ids.ne(first.padding_index).unsqueeze(2);
    }
    return {EmbeddingNorms(ids, delta), {}};
  }
  const Plan plan = PlanOf(sources);
  const at::Tensor& parameter = sources[0].bias ? first.bias : first.weight;
  const bool kept = !plan.gram && examples * parameter.numel() <= keep;
  const std::int64_t step = std::max<std::int64_t>(kSliceValues / plan.values, 1);
  std::vector<at::Tensor> squared;
  Norms norms;
  for (std::int64_t at = 0; at < examples; at += step) {
    const std::int64_t count = std::min(step, examples - at);
    if (plan.gram) {
      squared.push_back(GramNorms(JoinedFactors(sources, at, count), count));
      continue;
    }
    at::Tensor part = SummedVectors(sources, plan, at, count);
    squared.push_back(RowSquares(part));
    if (kept) {
      norms.vectors.push_back(std::move(part));
    }
  }
  norms.squared = squared.size() == 1 ? std::move(squared[0]) : at::cat(squared);
  return norms;
}

at::Tensor WeightedSum(const std::vector<Source>& sources, const Norms& norms,
                       const at::Tensor& factors) {
  if (!norms.vectors.empty()) {
    const Use& use = *sources[0].use;
    const at::Tensor& parameter = sources[0].bias ? use.bias : use.weight;
    return SumOfKept(norms.vectors, factors).view(parameter.sizes());
  }
  at::Tensor sum = SumOfOne(sources[0], factors);
  for (std::size_t i = 1; i < sources.size(); ++i) {
    sum = sum + SumOfOne(sources[i], factors);
  }
  return sum;
}

}  // namespace tutti::learn
