// Where each parameter of a model lies in the flat vector of its values: the order every update,
// checkpoint and masked vector uses. Thread safety: value types.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tutti::model {

enum class Start { kUniform, kOne, kZero };  // how a first value is made; see initial_weights.h

struct Parameter {
  std::string name;  // as in torch.nn.Sequential: "<position from 0>.weight" or ".bias"; of a
                     // TorchScript file: as that names it
  std::vector<std::uint64_t> shape;  // linear: [outputs, inputs]; conv2d: [outputs, inputs, k, k]
  std::uint64_t offset = 0;          // of its first value in the flat vector
  std::uint64_t values = 0;          // product of shape
  std::uint64_t fan_in = 1;  // inputs that reach one output; of the layer, also for its bias
  Start start = Start::kUniform;
  bool operator==(const Parameter&) const = default;
};

struct Layout {
  std::vector<Parameter> parameters;  // contiguous: each offset is the end of the one before
  std::uint64_t values = 0;           // of all parameters
  bool operator==(const Layout&) const = default;
};

}  // namespace tutti::model
