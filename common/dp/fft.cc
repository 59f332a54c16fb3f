#include "common/dp/fft.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <kissfft/kissfft.hh>
#include <numbers>

#include "common/base/status.h"

namespace tutti::dp {
namespace {

using Complex = std::complex<double>;

// Neighbouring columns are read and written together: they fill cache lines.
constexpr std::size_t kTogether = 8;

// e^(-2 pi i k / n) for k < n, from two short tables: a sine and cosine each would take as long as
// the transform.
class Roots {
 public:
  explicit Roots(std::size_t n) {
    shift_ = static_cast<int>(std::bit_width(n) / 2);
    const auto root = [&](std::size_t k) {
      return std::polar(1.0,
                        -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
    };
    for (std::size_t k = 0; k >> shift_ == 0; ++k) fine_.push_back(root(k));
    for (std::size_t k = 0; k < n; k += fine_.size()) coarse_.push_back(root(k));
  }
  Complex operator()(std::size_t k) const {
    return fine_[k & (fine_.size() - 1)] * coarse_[k >> shift_];
  }

 private:
  int shift_ = 0;
  std::vector<Complex> fine_;
  std::vector<Complex> coarse_;
};

// About the square root of a length that is a power of 2 times a small odd number.
std::size_t RowsOf(std::size_t length) {
  std::size_t rows = 1;
  while (length % (2 * rows) == 0 && 4 * rows * rows <= length) rows *= 2;
  return rows;
}

}  // namespace

// A real transform of length n is one complex transform of length n / 2 and a step that takes the
// even and odd numbers' spectra apart. The complex one is done in two passes over a table (Bailey
// 1990, "FFTs in external or hierarchical memory"): transforms of the columns, a turn of each
// value, transforms of the rows; these are short enough for the first-level cache.
struct RealFft::Plan {
  explicit Plan(std::size_t half)
      : rows(RowsOf(half)),
        columns(half / rows),
        of_column(rows, false),
        of_row(columns, false),
        roots(2 * half) {}

  std::size_t rows;
  std::size_t columns;
  kissfft<double> of_column;
  kissfft<double> of_row;
  Roots roots;  // of the real transform

  // The transform of at(0), at(1), ... at(half - 1), and room for one value more.
  template <typename At>
  std::vector<Complex> Transform(const At& at) const {
    std::vector<Complex> table(rows * columns + 1);
    std::vector<Complex> before(kTogether * std::max(rows, columns));
    std::vector<Complex> after(before.size());
    // The table is kept column by column, so that what is read together next lies together.
    for (std::size_t first = 0; first < columns; first += kTogether) {
      const std::size_t count = std::min(kTogether, columns - first);
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < count; ++i) {
          before[i * rows + row] = at(row * columns + first + i);
        }
      }
      for (std::size_t i = 0; i < count; ++i) {
        Complex* column = table.data() + (first + i) * rows;
        of_column.transform(before.data() + i * rows, column);
        for (std::size_t row = 1; row < rows; ++row) column[row] *= roots(2 * row * (first + i));
      }
    }
    for (std::size_t first = 0; first < rows; first += kTogether) {
      const std::size_t count = std::min(kTogether, rows - first);
      for (std::size_t column = 0; column < columns; ++column) {
        for (std::size_t i = 0; i < count; ++i) {
          before[i * columns + column] = table[column * rows + first + i];
        }
      }
      for (std::size_t i = 0; i < count; ++i) {
        of_row.transform(before.data() + i * columns, after.data() + i * columns);
      }
      for (std::size_t column = 0; column < columns; ++column) {
        for (std::size_t i = 0; i < count; ++i) {
          table[column * rows + first + i] = after[i * columns + column];
        }
      }
    }
    return table;
  }
};

std::size_t RealFft::FastLength(std::size_t at_least) {
  const std::size_t units = std::max<std::size_t>(1, (at_least + 15) / 16);
  std::size_t best = std::bit_ceil(units);
  for (const std::size_t odd : std::array<std::size_t, 8>{3, 5, 9, 15, 25, 27, 45, 75}) {
    const std::size_t rest = std::bit_ceil((units + odd - 1) / odd);
    best = std::min(best, rest * odd);
  }
  return best * 16;
}

RealFft::RealFft(std::size_t length) : length_(length), plan_(std::make_unique<Plan>(length / 2)) {
  TUTTI_CHECK(length >= 16 && length % 16 == 0);
}
RealFft::~RealFft() = default;

std::vector<Complex> RealFft::Forward(std::span<const double> values) const {
  TUTTI_CHECK(values.size() == length_);
  const std::size_t half = length_ / 2;
  std::vector<Complex> z =
      plan_->Transform([&](std::size_t k) { return Complex(values[2 * k], values[2 * k + 1]); });
  z[half] = z[0];
  for (std::size_t k = 0; k <= half / 2; ++k) {
    const Complex a = z[k];
    const Complex b = std::conj(z[half - k]);
    const Complex even = 0.5 * (a + b);
    const Complex difference = 0.5 * (a - b);
    const Complex odd{difference.imag(), -difference.real()};
    const Complex turned = plan_->roots(k) * odd;
    z[k] = even + turned;
    z[half - k] = std::conj(even - turned);
  }
  return z;
}

std::vector<double> RealFft::Inverse(std::span<const Complex> spectrum) const {
  const std::size_t half = length_ / 2;
  TUTTI_CHECK(!spectrum.empty() && spectrum.size() <= half + 1);
  std::size_t part = length_;
  while (part % 32 == 0 && part / 2 >= 2 * spectrum.size()) part /= 2;
  if (part < length_) return InverseInParts(spectrum, part);
  // The inverse is the conjugate of the transform of the conjugate.
  std::vector<Complex> packed(half);
  const auto at = [&](std::size_t k) { return k < spectrum.size() ? spectrum[k] : Complex(0); };
  for (std::size_t k = 0; k <= half / 2; ++k) {
    const Complex a = at(k);
    const Complex b = std::conj(at(half - k));
    const Complex even = 0.5 * (a + b);
    const Complex odd = 0.5 * (a - b) * std::conj(plan_->roots(k));
    packed[k] = {even.real() - odd.imag(), -even.imag() - odd.real()};
    if (k > 0) packed[half - k] = {even.real() + odd.imag(), even.imag() - odd.real()};
  }
  const std::vector<Complex> z = plan_->Transform([&](std::size_t k) { return packed[k]; });
  std::vector<double> values(length_);
  const double scale = 1 / static_cast<double>(half);
  for (std::size_t k = 0; k < half; ++k) {
    values[2 * k] = z[k].real() * scale;
    values[2 * k + 1] = -z[k].imag() * scale;
  }
  return values;
}

// Every (length / part)-th number is an inverse of length `part`; those in between are the inverses
// of the spectrum turned.
std::vector<double> RealFft::InverseInParts(std::span<const Complex> spectrum,
                                            std::size_t part) const {
  const RealFft fft(part);
  const std::size_t stride = length_ / part;
  const double scale = 1 / static_cast<double>(stride);
  std::vector<Complex> turned(part / 2 + 1);
  std::array<std::vector<double>, kTogether> numbers;
  std::vector<double> values(length_);
  for (std::size_t first = 0; first < stride; first += kTogether) {
    const std::size_t count = std::min(kTogether, stride - first);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < spectrum.size(); ++k) {
        turned[k] = scale * spectrum[k] * std::conj(plan_->roots(k * (first + i)));
      }
      numbers[i] = fft.Inverse(turned);
    }
    for (std::size_t k = 0; k < part; ++k) {
      for (std::size_t i = 0; i < count; ++i) values[k * stride + first + i] = numbers[i][k];
    }
  }
  return values;
}

}  // namespace tutti::dp
