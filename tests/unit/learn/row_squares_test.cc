#include "common/learn/row_squares.h"

#include "tests/catch.h"

namespace tutti::learn {
namespace {

TEST_CASE("sums of squares of rows are right whatever the rows' length and layout", "[learn]") {
  for (const std::int64_t width : {1, 5, 255, 256, 257, 100'000}) {
    const at::Tensor values = at::arange(3 * width).remainder(1009).to(at::kFloat).view({3, width});
    const at::Tensor expected = values.to(at::kDouble).square().sum(1);
    const at::Tensor error = (RowSquares(values).to(at::kDouble) - expected).abs();
    REQUIRE((error <= 2e-6 * expected).all().item<bool>());
    const at::Tensor turned = values.t().contiguous().t();
    REQUIRE(RowSquares(turned).equal(RowSquares(values)));
  }
  REQUIRE(RowSquares(at::ones({2, 3, 4})).equal(at::full({2}, 12.0F)));
  REQUIRE(RowSquares(at::empty({0, 7})).numel() == 0);
}

TEST_CASE("a row that is not finite has a sum of squares that is not", "[learn]") {
  at::Tensor values = at::ones({3, 300});
  values[1][299] = std::numeric_limits<float>::quiet_NaN();
  values[2][3] = std::numeric_limits<float>::infinity();
  const at::Tensor sound = at::isfinite(RowSquares(values));
  REQUIRE(sound[0].item<bool>());
  REQUIRE_FALSE(sound[1].item<bool>());
  REQUIRE_FALSE(sound[2].item<bool>());
}

}  // namespace
}  // namespace tutti::learn
