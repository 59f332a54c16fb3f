#include "common/measure/confusion.h"

#include <cmath>

#include "tests/catch.h"

namespace tutti::measure {
namespace {

std::vector<Count> Cells(const std::vector<int>& counts, double noise = 0) {
  std::vector<Count> cells;
  for (const int count : counts) cells.push_back({static_cast<double>(count), noise});
  return cells;
}

TEST_CASE("precision, recall and F1 of each class, and their means", "[measure]") {
  const auto cells = Cells({50, 3, 2,   //
                            10, 80, 5,  //
                            0, 20, 30});
  const ConfusionFigures figures = FiguresOf(cells, 3);
  REQUIRE(figures.examples.value == 200);
  REQUIRE(figures.accuracy.value == Approx(0.8));
  REQUIRE(figures.classes[1].examples.value == 95);
  REQUIRE(figures.classes[1].precision.value == Approx(80.0 / 103));
  REQUIRE(figures.classes[1].recall.value == Approx(80.0 / 95));
  REQUIRE(figures.classes[1].f1.value == Approx(2 * 80.0 / (2 * 80 + 15 + 23)));
  REQUIRE(figures.macro_recall.value == Approx((50.0 / 55 + 80.0 / 95 + 30.0 / 50) / 3));
  REQUIRE(figures.macro_precision.value == Approx((50.0 / 60 + 80.0 / 103 + 30.0 / 37) / 3));
  REQUIRE(figures.macro_f1.half_width() > 0.02);
  REQUIRE(figures.macro_f1.half_width() < 0.2);
}

TEST_CASE("a class nobody has counts in no mean; one nobody predicts has precision 0",
          "[measure]") {
  const auto cells = Cells({50, 0, 0, 10,  //
                            20, 0, 0, 0,   //
                            0, 0, 0, 0,    //
                            5, 0, 0, 15});
  const ConfusionFigures figures = FiguresOf(cells, 4);
  REQUIRE(!figures.classes[2].recall.known());
  REQUIRE(!figures.classes[1].precision.known());
  REQUIRE(figures.macro_precision.value == Approx((50.0 / 75 + 0 + 15.0 / 25) / 3));
  REQUIRE(figures.macro_recall.value == Approx((50.0 / 60 + 0 + 15.0 / 20) / 3));
  REQUIRE(figures.macro_f1.value == Approx((100.0 / 135 + 0 + 30.0 / 45) / 3));
}

TEST_CASE("nothing known gives nothing", "[measure]") {
  const ConfusionFigures figures = FiguresOf(Cells({0, 0, 0, 0}), 2);
  REQUIRE(!figures.accuracy.known());
  REQUIRE(!figures.macro_f1.known());
  REQUIRE(!FiguresOf(Cells({5, -3, 2, 4}, 30), 2).accuracy.known());
}

TEST_CASE("noise widens what is said of a class", "[measure]") {
  const std::vector<int> counts{500, 30, 20, 450};
  const Estimate exact = FiguresOf(Cells(counts), 2).classes[0].f1;
  const Estimate noisy = FiguresOf(Cells(counts, 20), 2).classes[0].f1;
  REQUIRE(exact.noise_stddev == 0);
  REQUIRE(noisy.value == exact.value);
  REQUIRE(noisy.half_width() > 2 * exact.half_width());
}

}  // namespace
}  // namespace tutti::measure
