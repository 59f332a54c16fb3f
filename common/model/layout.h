// Where each parameter of a model lies in the flat vector of its values: the order every update,
// checkpoint and masked vector uses. Thread safety: value types and pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tutti::model {

enum class Start { kUniform, kOne, kZero };  // how a first value is made; see initial_weights.h

// Who changes a parameter (ModelSpec.frozen, .personal and .adapter_rank).
enum class Part {
  kCommon,    // trained by all together: it is in every update
  kPersonal,  // trained by each client for itself; it never leaves the device
  kFrozen     // by nobody
};

struct Parameter {
  std::string name;  // as in torch.nn.Sequential: "<position from 0>.weight" or ".bias"; of a
                     // TorchScript file: as that names it
  std::vector<std::uint64_t> shape;  // linear: [outputs, inputs]; conv2d: [outputs, inputs, k, k]
  std::uint64_t offset = 0;          // of its first value in the flat vector
  std::uint64_t values = 0;          // product of shape
  std::uint64_t fan_in = 1;  // inputs that reach one output; of the layer, also for its bias
  Start start = Start::kUniform;
  Part part = Part::kCommon;
  bool operator==(const Parameter&) const = default;
};

struct Layout {
  std::vector<Parameter> parameters;  // contiguous: each offset is the end of the one before
  std::uint64_t values = 0;           // of all parameters
  bool operator==(const Layout&) const = default;
};

// Some of a layout's parameters, one behind the other in the layout's order: the vector a client
// trains, or the one it sends. kTrained is common and personal ones together.
enum class Section { kCommon, kPersonal, kTrained, kFrozen };
bool IsIn(Section section, const Parameter& parameter);
std::uint64_t ValuesIn(const Layout& layout, Section section);

// These parameters alone, as a layout of their own.
Layout Sublayout(const Layout& layout, Section section);

// Out of all values of the model, and into them; the sizes fit (checked as our own invariant).
std::vector<float> Take(const Layout& layout, Section section, std::span<const float> all);
// Zero outside the section: an update of all values.
std::vector<float> Spread(const Layout& layout, Section section, std::vector<float> values);
void Put(const Layout& layout, Section section, std::span<const float> values,
         std::span<float> all);

}  // namespace tutti::model
