// Models for tests, and what is wrong with those that are refused.
#pragma once

#include <string>

#include "common/model/architecture.h"
#include "tests/catch.h"

namespace tutti::model {

inline v1::ModelSpec Spec(const std::string& architecture,
                          std::initializer_list<std::uint32_t> input, std::uint32_t classes = 10) {
  v1::ModelSpec spec;
  spec.set_architecture(architecture);
  for (const std::uint32_t size : input) {
    spec.add_input_shape(size);
  }
  spec.set_classes(classes);
  return spec;
}

inline v1::LayerSpec& Add(v1::ModelSpec& spec, const std::string& type, std::uint32_t outputs = 0,
                          std::uint32_t kernel = 0, std::uint32_t stride = 0,
                          std::uint32_t padding = 0) {
  v1::LayerSpec& layer = *spec.add_layers();
  layer.set_type(type);
  layer.set_outputs(outputs);
  layer.set_kernel(kernel);
  layer.set_stride(stride);
  layer.set_padding(padding);
  return layer;
}

inline std::string ErrorOf(const v1::ModelSpec& spec) {
  const auto layout = LayoutOf(spec);
  REQUIRE_FALSE(layout.ok());
  return std::string(MessageOf(layout.status()));
}

}  // namespace tutti::model
