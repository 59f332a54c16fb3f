// The built-in architectures as lists of layers. Internal to common/model; add a row to
// docs/models.md with each. Thread safety: pure functions.
//
//   logistic     flatten unless the input is [features], linear
//   linear       the same with one output: linear regression; classes = 1
//   mlp          flatten likewise, then for each width of `hidden`: linear, activation; linear
//   lenet5       conv 5x5 to 6 channels (padding 2), max pool 2, conv 5x5 to 16, max pool 2,
//   flatten,
//                linear 120, 84, classes; the activation after each but the last; with
//                normalisation = "group" a group norm (2 and 4 groups) after each convolution.
//                LeCun et al. 1998, with max pooling.
//   resnet       the network of He et al. 2016, section 4.2, with one block a stage (eight weighted
//                layers): conv 3x3 to `width` channels, blocks of two conv 3x3 with `width`, 2 and
//                4 times `width` channels, the second and third halving the size, shortcuts without
//                parameters (option A); mean over the image, linear. Group norm after each
//                convolution (Wu, He 2018), since batch norm mixes examples.
//   cnn1d        the fully convolutional network of Wang, Yan, Oates 2017 for series: conv of
//   kernel
//                7, 5, 3 to `width`, 2 and 1 times `width` channels (they: 8, 5, 3 and 128 to 256;
//                odd kernels keep the length), group norm and relu after each; mean over the
//                series, linear
//   gru          gru of `width`, linear. Cho et al. 2014
//   text_bag     embedding of `width`, mean over the tokens, linear. Joulin et al. 2017
//   transformer  embedding of `width`, two encoder blocks of up to four heads, mean over the
//   tokens,
//                layer norm, linear. Vaswani et al. 2017, norms first
//   kmeans       flatten likewise, centres: one for each of `classes` clusters. Lloyd 1982
//   layers       the list as given
#pragma once

#include <vector>

#include "common/base/status.h"
#include "common/model/layers.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

// What the first number of an input shape counts.
enum class InputKind { kFeaturesOrImage, kSeries, kTokens };
InputKind InputKindOf(const v1::ModelSpec& spec);

// The layers of a model that is no script; `flat`: its input is [features]. InvalidArgument names
// the key that this architecture does not read or needs.
StatusOr<std::vector<v1::LayerSpec>> LayersOf(const v1::ModelSpec& spec, bool flat);

}  // namespace tutti::model
