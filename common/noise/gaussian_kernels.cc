#include "common/noise/gaussian_kernels.h"

#include <bit>
#include <cmath>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tutti::noise {
namespace {

inline double Signed(std::uint64_t draw) {
  return std::bit_cast<double>((draw >> 12) | 0x3ff0000000000000U) * 2 - 3;
}

std::size_t UsualPortable(const BlockWords& words, const LayerTable& table, BlockDraws& draws,
                          BlockPlaces& outside) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < kGaussianBlock; ++i) {
    const std::uint64_t layer = words[i] & (kGaussianLayers - 1);
    const double u = Signed(words[i]);
    draws[i] = u * table.edge[layer];
    outside[count] = static_cast<std::uint16_t>(i);  // stays only where the count passes it
    count += std::abs(u) < table.inner[layer] ? 0U : 1U;
  }
  return count;
}

// std::nearbyint for |value| < 2^51: from 2^52 on doubles are whole numbers, and adding that rounds
// half to even.
inline double ToInteger(double value) { return (value + 0x1.8p52) - 0x1.8p52; }

inline __attribute__((always_inline)) bool Add(std::span<float> values, const double* draws,
                                               double step) {
  const double per_step = 1.0 / step;
  unsigned misfits = 0;
  for (const float value : values) {
    misfits += std::abs(static_cast<double>(value) * per_step) < 0x1p51 ? 0U : 1U;
  }
  if (misfits > 0) {
    return false;
  }
  float* const out = values.data();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double steps = ToInteger(static_cast<double>(out[i]) * per_step) +
                         ToInteger(draws[i] * kGridStepsPerStddev);
    out[i] = static_cast<float>(steps * step);
  }
  return true;
}

#if defined(__x86_64__)

#define TUTTI_AVX2 __attribute__((target("avx2")))
#if defined(__clang__)
#define TUTTI_AVX512 __attribute__((target("avx512f,avx512dq"), min_vector_width(512)))
#else
#define TUTTI_AVX512 __attribute__((target("avx512f,avx512dq,prefer-vector-width=512")))
#endif

// Notes the places of the bits set in `mask`, which starts at `first`.
inline __attribute__((always_inline)) std::size_t Note(unsigned mask, std::size_t first,
                                                       BlockPlaces& outside, std::size_t count) {
  for (; mask != 0; mask &= mask - 1) {
    outside[count++] =
        static_cast<std::uint16_t>(first + static_cast<unsigned>(std::countr_zero(mask)));
  }
  return count;
}

TUTTI_AVX2 std::size_t UsualAvx2(const BlockWords& words, const LayerTable& table,
                                 BlockDraws& draws, BlockPlaces& outside) {
  const __m256i one = _mm256_set1_epi64x(0x3ff0000000000000);
  const __m256i layers = _mm256_set1_epi64x(kGaussianLayers - 1);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kGaussianBlock; i += 4) {
    const __m256i word = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words.data() + i));
    const __m256i layer = _mm256_and_si256(word, layers);
    const __m256d above_one =
        _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(word, 12), one));
    const __m256d u = _mm256_sub_pd(_mm256_add_pd(above_one, above_one), _mm256_set1_pd(3));
    const __m256d edge = _mm256_i64gather_pd(table.edge.data(), layer, 8);
    const __m256d inner = _mm256_i64gather_pd(table.inner.data(), layer, 8);
    _mm256_storeu_pd(draws.data() + i, _mm256_mul_pd(u, edge));
    const __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), u);
    const __m256d out = _mm256_cmp_pd(size, inner, _CMP_NLT_UQ);
    count = Note(static_cast<unsigned>(_mm256_movemask_pd(out)), i, outside, count);
  }
  return count;
}

// Forms with a mask: the plain ones of g++ 12 read a register that nothing was written to, which
// it warns of.
TUTTI_AVX512 inline __m512d Gathered(__m512i places, const double* table) {
  return _mm512_mask_i64gather_pd(_mm512_setzero_pd(), 0xff, places, table, 8);
}

TUTTI_AVX512 std::size_t UsualAvx512(const BlockWords& words, const LayerTable& table,
                                     BlockDraws& draws, BlockPlaces& outside) {
  const __m512i one = _mm512_set1_epi64(0x3ff0000000000000);
  const __m512i layers = _mm512_set1_epi64(kGaussianLayers - 1);
  std::size_t count = 0;
  for (std::size_t i = 0; i < kGaussianBlock; i += 8) {
    const __m512i word = _mm512_loadu_si512(words.data() + i);
    const __m512i layer = _mm512_and_si512(word, layers);
    const __m512d above_one =
        _mm512_castsi512_pd(_mm512_or_si512(_mm512_maskz_srli_epi64(0xff, word, 12), one));
    const __m512d u = _mm512_sub_pd(_mm512_add_pd(above_one, above_one), _mm512_set1_pd(3));
    const __m512d edge = Gathered(layer, table.edge.data());
    const __m512d inner = Gathered(layer, table.inner.data());
    _mm512_storeu_pd(draws.data() + i, _mm512_mul_pd(u, edge));
    count = Note(_mm512_cmp_pd_mask(_mm512_abs_pd(u), inner, _CMP_NLT_UQ), i, outside, count);
  }
  return count;
}

TUTTI_AVX2 bool AddAvx2(std::span<float> values, const double* draws, double step) {
  return Add(values, draws, step);
}

TUTTI_AVX512 bool AddAvx512(std::span<float> values, const double* draws, double step) {
  return Add(values, draws, step);
}

#endif

GaussianKernel Chosen(GaussianKernel kernel) {
  if (kernel != GaussianKernel::kBest) {
    return kernel;
  }
  for (const GaussianKernel fast : {GaussianKernel::kAvx512, GaussianKernel::kAvx2}) {
    if (KernelAvailable(fast)) {
      return fast;
    }
  }
  return GaussianKernel::kPortable;
}

}  // namespace

bool KernelAvailable(GaussianKernel kernel) {
#if defined(__x86_64__)
  if (kernel == GaussianKernel::kAvx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  }
  if (kernel == GaussianKernel::kAvx2) {
    return __builtin_cpu_supports("avx2");
  }
#endif
  return kernel == GaussianKernel::kBest || kernel == GaussianKernel::kPortable;
}

std::size_t UsualDraws(const BlockWords& words, const LayerTable& table, BlockDraws& draws,
                       BlockPlaces& outside, GaussianKernel kernel) {
#if defined(__x86_64__)
  switch (Chosen(kernel)) {
    case GaussianKernel::kAvx512:
      return UsualAvx512(words, table, draws, outside);
    case GaussianKernel::kAvx2:
      return UsualAvx2(words, table, draws, outside);
    case GaussianKernel::kBest:
    case GaussianKernel::kPortable:
      break;
  }
#else
  static_cast<void>(Chosen(kernel));
#endif
  return UsualPortable(words, table, draws, outside);
}

bool AddDraws(std::span<float> values, const double* draws, double step, GaussianKernel kernel) {
#if defined(__x86_64__)
  switch (Chosen(kernel)) {
    case GaussianKernel::kAvx512:
      return AddAvx512(values, draws, step);
    case GaussianKernel::kAvx2:
      return AddAvx2(values, draws, step);
    case GaussianKernel::kBest:
    case GaussianKernel::kPortable:
      break;
  }
#else
  static_cast<void>(Chosen(kernel));
#endif
  return Add(values, draws, step);
}

double SignedUniform(std::uint64_t draw) { return Signed(draw); }

}  // namespace tutti::noise
