// The loops over values that scattering spends its time in, apart so that they are compiled for
// speed and for the processor at hand. Thread safety: pure functions.
#pragma once

#include <cstddef>

namespace tutti::model {

// A complex field as two arrays. All fields here have kFftLanes values at each place.
struct ConstField {
  const float* re;
  const float* im;
};
struct Field {
  float* re;
  float* im;
};

// out = in * filter, place by place.
void MultiplyField(const ConstField& in, const float* filter, std::size_t places, const Field& out);

// The same for a spectrum of height by width places, kept at every second pixel only: the spectrum
// of half the height and width is the mean of the four that fall together.
void MultiplyAndHalve(const ConstField& in, const float* filter, std::size_t height,
                      std::size_t width, const Field& out);

// field.re = scale * |field|, field.im = 0.
void ScaledModulus(const Field& field, float scale, std::size_t values);

// out[i] = sum over k of matrix[i][k] * in[k], each a run of `run` values.
void MatrixTimesRuns(const float* matrix, std::size_t outputs, std::size_t inputs, const float* in,
                     std::size_t run, float* out);

}  // namespace tutti::model
