// LibTorch's tensors. Internal to common/learn.
// The order matters: clang needs the complete type of a dynamic value before LibTorch 1.13's lists
// of it.
#pragma once

#include <ATen/core/ivalue.h>

#include <ATen/ATen.h>
