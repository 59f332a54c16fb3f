#include "common/model/lane_fft.h"

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

namespace tutti::model {
namespace {

#define TUTTI_INLINE inline __attribute__((always_inline))

// One value of each of the eight images: compilers turn these into whole registers.
using Lanes __attribute__((vector_size(kFftLanes * sizeof(float)), aligned(4), may_alias)) = float;

TUTTI_INLINE const Lanes& At(const float* values) {
  return *reinterpret_cast<const Lanes*>(values);
}
TUTTI_INLINE Lanes& At(float* values) { return *reinterpret_cast<Lanes*>(values); }

struct Complex {
  Lanes re, im;
};

TUTTI_INLINE void Add(const Complex& a, const Complex& b, Complex& sum) {
  sum.re = a.re + b.re;
  sum.im = a.im + b.im;
}
TUTTI_INLINE void Subtract(const Complex& a, const Complex& b, Complex& difference) {
  difference.re = a.re - b.re;
  difference.im = a.im - b.im;
}
// out = a + i b and a - i b.
TUTTI_INLINE void AddTurned(const Complex& a, const Complex& b, Complex& left, Complex& right) {
  left = {a.re - b.im, a.im + b.re};
  right = {a.re + b.im, a.im - b.re};
}

// The transform of 2, 3 or 4 values.
TUTTI_INLINE void Butterfly(const std::array<Complex, 2>& a, std::array<Complex, 2>& out) {
  Add(a[0], a[1], out[0]);
  Subtract(a[0], a[1], out[1]);
}
TUTTI_INLINE void Butterfly(const std::array<Complex, 3>& a, std::array<Complex, 3>& out) {
  constexpr float kSine = 0.866025403784438647F;  // of 60 degrees
  Complex sum, difference;
  Add(a[1], a[2], sum);
  Subtract(a[1], a[2], difference);
  Add(a[0], sum, out[0]);
  const Complex middle{a[0].re - 0.5F * sum.re, a[0].im - 0.5F * sum.im};
  const Complex scaled{kSine * difference.re, kSine * difference.im};
  AddTurned(middle, scaled, out[2], out[1]);
}
TUTTI_INLINE void Butterfly(const std::array<Complex, 4>& a, std::array<Complex, 4>& out) {
  Complex even, odd, even_difference, odd_difference;
  Add(a[0], a[2], even);
  Add(a[1], a[3], odd);
  Subtract(a[0], a[2], even_difference);
  Subtract(a[1], a[3], odd_difference);
  Add(even, odd, out[0]);
  Subtract(even, odd, out[2]);
  AddTurned(even_difference, odd_difference, out[3], out[1]);
}

// One stage: `stride` transforms of radix * rest values each, whose values lie `stride` apart; a
// multiple of kFftLanes.
struct StageArguments {
  std::size_t radix, rest, stride;
  const float* cosine;
  const float* sine;
  const float* from_re;
  const float* from_im;
  float* to_re;
  float* to_im;
};

template <std::size_t kRadix>
TUTTI_INLINE void FixedStage(const StageArguments& s) {
  for (std::size_t p = 0; p < s.rest; ++p) {
    const float* const cosine = s.cosine + p * kRadix;
    const float* const sine = s.sine + p * kRadix;
    for (std::size_t q = 0; q < s.stride; q += kFftLanes) {
      std::array<Complex, kRadix> in, out;
      for (std::size_t k = 0; k < kRadix; ++k) {
        const std::size_t at = q + s.stride * (p + s.rest * k);
        in[k] = {At(s.from_re + at), At(s.from_im + at)};
      }
      Butterfly(in, out);
      for (std::size_t k = 0; k < kRadix; ++k) {
        const std::size_t at = q + s.stride * (kRadix * p + k);
        At(s.to_re + at) = out[k].re * cosine[k] - out[k].im * sine[k];
        At(s.to_im + at) = out[k].re * sine[k] + out[k].im * cosine[k];
      }
    }
  }
}

// Any radix, by definition: radix^2 products.
TUTTI_INLINE void AnyStage(const StageArguments& s) {
  for (std::size_t p = 0; p < s.rest; ++p) {
    for (std::size_t k = 0; k < s.radix; ++k) {
      float* const to_re = s.to_re + s.stride * (s.radix * p + k);
      float* const to_im = s.to_im + s.stride * (s.radix * p + k);
      std::memset(to_re, 0, s.stride * sizeof(float));
      std::memset(to_im, 0, s.stride * sizeof(float));
      for (std::size_t j = 0; j < s.radix; ++j) {
        // Turn of value j in output k, and the stage's twiddle, together.
        const double length = static_cast<double>(s.radix * s.rest);
        const double angle = -2 * std::numbers::pi / length *
                             static_cast<double>((s.rest * ((j * k) % s.radix)) + p * k);
        const auto cosine = static_cast<float>(std::cos(angle));
        const auto sine = static_cast<float>(std::sin(angle));
        const float* const from_re = s.from_re + s.stride * (p + s.rest * j);
        const float* const from_im = s.from_im + s.stride * (p + s.rest * j);
        for (std::size_t q = 0; q < s.stride; q += kFftLanes) {
          At(to_re + q) += At(from_re + q) * cosine - At(from_im + q) * sine;
          At(to_im + q) += At(from_re + q) * sine + At(from_im + q) * cosine;
        }
      }
    }
  }
}

TUTTI_INLINE void StageBody(const StageArguments& s) {
  switch (s.radix) {
    case 2:
      return FixedStage<2>(s);
    case 3:
      return FixedStage<3>(s);
    case 4:
      return FixedStage<4>(s);
    default:
      return AnyStage(s);
  }
}

void StageBase(const StageArguments& s) { StageBody(s); }
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void StageAvx2(const StageArguments& s) { StageBody(s); }
#endif

void RunStage(const StageArguments& s) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return StageAvx2(s);
  }
#endif
  StageBase(s);
}

std::size_t RadixOf(std::size_t length) {
  for (const std::size_t radix : {4U, 3U, 2U}) {
    if (length % radix == 0) {
      return radix;
    }
  }
  std::size_t radix = 5;
  while (length % radix != 0) {
    radix += 2;
  }
  return radix;
}

}  // namespace

LaneFft::LaneFft(std::size_t height, std::size_t width)
    : height_(height), width_(width), of_columns_(Stages(height)), of_rows_(Stages(width)) {
  scratch_.re.resize(values());
  scratch_.im.resize(values());
}

std::vector<LaneFft::Stage> LaneFft::Stages(std::size_t length) {
  std::vector<Stage> stages;
  while (length > 1) {
    Stage stage;
    stage.radix = RadixOf(length);
    stage.rest = length / stage.radix;
    for (std::size_t p = 0; p < stage.rest; ++p) {
      for (std::size_t k = 0; k < stage.radix; ++k) {
        const double angle =
            -2 * std::numbers::pi * static_cast<double>(p * k) / static_cast<double>(length);
        stage.cosine.push_back(static_cast<float>(std::cos(angle)));
        stage.sine.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    length = stage.rest;
    stages.push_back(std::move(stage));
  }
  return stages;
}

void LaneFft::Transform(const std::vector<Stage>& stages, std::size_t stride, float* re, float* im,
                        float* other_re, float* other_im) {
  std::size_t values = stride;
  for (const Stage& stage : stages) {
    values *= stage.radix;
  }
  const float* from_re = re;
  const float* from_im = im;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    float* const to_re = i % 2 == 0 ? other_re : re;
    float* const to_im = i % 2 == 0 ? other_im : im;
    RunStage({stage.radix, stage.rest, stride, stage.cosine.data(), stage.sine.data(), from_re,
              from_im, to_re, to_im});
    from_re = to_re;
    from_im = to_im;
    stride *= stage.radix;
  }
  if (from_re != re) {
    std::memcpy(re, from_re, values * sizeof(float));
    std::memcpy(im, from_im, values * sizeof(float));
  }
}

void LaneFft::Both(std::vector<float>& re, std::vector<float>& im) {
  Transform(of_columns_, width_ * kFftLanes, re.data(), im.data(), scratch_.re.data(),
            scratch_.im.data());
  const std::size_t row = width_ * kFftLanes;
  for (std::size_t y = 0; y < height_; ++y) {
    Transform(of_rows_, kFftLanes, re.data() + y * row, im.data() + y * row, scratch_.re.data(),
              scratch_.im.data());
  }
}

void LaneFft::Forward(LaneImages& images) { Both(images.re, images.im); }

// With real and imaginary parts exchanged before and after, the transform runs the other way.
void LaneFft::Backward(LaneImages& images) { Both(images.im, images.re); }

}  // namespace tutti::model
