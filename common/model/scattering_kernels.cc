#include "common/model/scattering_kernels.h"

#include <cmath>
#include <cstring>

#include "common/model/lane_fft.h"

// Written once, compiled for every x86-64 and for AVX2 with FMA.
#define TUTTI_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__)
#define TUTTI_AVX2 __attribute__((target("avx2,fma")))
#define TUTTI_DISPATCH(Name, parameters, arguments)                        \
  static void Name##Base parameters { Name##Body arguments; }              \
  TUTTI_AVX2 static void Name##Avx2 parameters { Name##Body arguments; }   \
  void Name parameters {                                                   \
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) { \
      return Name##Avx2 arguments;                                         \
    }                                                                      \
    Name##Base arguments;                                                  \
  }
#else
#define TUTTI_DISPATCH(Name, parameters, arguments) \
  void Name parameters { Name##Body arguments; }
#endif

namespace tutti::model {

namespace {

TUTTI_INLINE void MultiplyFieldBody(const ConstField& in, const float* filter, std::size_t places,
                                    const Field& out) {
  const float* __restrict from_re = in.re;
  const float* __restrict from_im = in.im;
  float* __restrict re = out.re;
  float* __restrict im = out.im;
  for (std::size_t k = 0; k < places; ++k) {
    const float factor = filter[k];
    for (std::size_t l = 0; l < kFftLanes; ++l) {
      re[k * kFftLanes + l] = factor * from_re[k * kFftLanes + l];
      im[k * kFftLanes + l] = factor * from_im[k * kFftLanes + l];
    }
  }
}

TUTTI_INLINE void MultiplyAndHalveBody(const ConstField& in, const float* filter,
                                       std::size_t height, std::size_t width, const Field& out) {
  const float* __restrict from_re = in.re;
  const float* __restrict from_im = in.im;
  float* __restrict re = out.re;
  float* __restrict im = out.im;
  for (std::size_t y = 0; y < height / 2; ++y) {
    for (std::size_t x = 0; x < width / 2; ++x) {
      float sum_re[kFftLanes] = {}, sum_im[kFftLanes] = {};
      for (const std::size_t from_y : {y, y + height / 2}) {
        for (const std::size_t from_x : {x, x + width / 2}) {
          const std::size_t place = from_y * width + from_x;
          const float factor = 0.25F * filter[place];
          for (std::size_t l = 0; l < kFftLanes; ++l) {
            sum_re[l] += factor * from_re[place * kFftLanes + l];
            sum_im[l] += factor * from_im[place * kFftLanes + l];
          }
        }
      }
      const std::size_t to = (y * (width / 2) + x) * kFftLanes;
      for (std::size_t l = 0; l < kFftLanes; ++l) {
        re[to + l] = sum_re[l];
        im[to + l] = sum_im[l];
      }
    }
  }
}

TUTTI_INLINE void ScaledModulusBody(const Field& field, float scale, std::size_t values) {
  float* __restrict re = field.re;
  float* __restrict im = field.im;
  for (std::size_t i = 0; i < values; ++i) {
    re[i] = scale * std::sqrt(re[i] * re[i] + im[i] * im[i]);
    im[i] = 0;
  }
}

TUTTI_INLINE void MatrixTimesRunsBody(const float* matrix, std::size_t outputs, std::size_t inputs,
                                      const float* in, std::size_t run, float* out) {
  for (std::size_t i = 0; i < outputs; ++i) {
    float* __restrict to = out + i * run;
    std::memset(to, 0, run * sizeof(float));
    for (std::size_t k = 0; k < inputs; ++k) {
      const float factor = matrix[i * inputs + k];
      const float* __restrict from = in + k * run;
      for (std::size_t q = 0; q < run; ++q) {
        to[q] += factor * from[q];
      }
    }
  }
}

}  // namespace

TUTTI_DISPATCH(MultiplyField,
               (const ConstField& in, const float* filter, std::size_t places, const Field& out),
               (in, filter, places, out))
TUTTI_DISPATCH(MultiplyAndHalve,
               (const ConstField& in, const float* filter, std::size_t height, std::size_t width,
                const Field& out),
               (in, filter, height, width, out))
TUTTI_DISPATCH(ScaledModulus, (const Field& field, float scale, std::size_t values),
               (field, scale, values))
TUTTI_DISPATCH(MatrixTimesRuns,
               (const float* matrix, std::size_t outputs, std::size_t inputs, const float* in,
                std::size_t run, float* out),
               (matrix, outputs, inputs, in, run, out))

}  // namespace tutti::model
