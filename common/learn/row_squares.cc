#include "common/learn/row_squares.h"

#include <algorithm>
#include <array>

namespace tutti::learn {
namespace {

constexpr std::int64_t kLanes = 16;           // sums side by side, which compilers vectorise
constexpr std::int64_t kBlock = 16 * kLanes;  // floats added up before a double takes the sum

float BlockSquares(const float* values) {
  std::array<float, kLanes> lanes{};
  for (std::int64_t i = 0; i < kBlock; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      lanes[static_cast<std::size_t>(lane)] += values[i + lane] * values[i + lane];
    }
  }
  float sum = 0;
  for (const float lane : lanes) {
    sum += lane;
  }
  return sum;
}

float Squares(const float* values, std::int64_t count) {
  double sum = 0;
  for (; count >= kBlock; count -= kBlock, values += kBlock) {
    sum += static_cast<double>(BlockSquares(values));
  }
  for (; count > 0; --count, ++values) {
    sum += static_cast<double>(*values) * static_cast<double>(*values);
  }
  return static_cast<float>(sum);
}

}  // namespace

at::Tensor RowSquares(const at::Tensor& tensor) {
  const at::Tensor rows = tensor.to(at::kFloat).contiguous();
  const std::int64_t count = rows.size(0);
  const std::int64_t width = count > 0 ? rows.numel() / count : 0;
  at::Tensor squares = at::empty({count}, rows.options());
  const float* const values = rows.data_ptr<float>();
  float* const out = squares.data_ptr<float>();
  for (std::int64_t row = 0; row < count; ++row) {
    out[row] = Squares(values + row * width, width);
  }
  return squares;
}

}  // namespace tutti::learn
