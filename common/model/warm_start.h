// First weights from a file of another model (model reuse): tensors whose name and shape are those
// of a parameter are taken, the other parameters start from the seed. The file may hold float32,
// float16, bfloat16 or float64, or be a compressed one (compress.h). Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/status.h"
#include "common/model/layout.h"
#include "tutti/v1/task.pb.h"

namespace tutti::model {

// What becomes of each tensor and parameter; names as the file and the model have them.
struct Reuse {
  std::vector<std::string> taken;
  std::vector<std::string>
      seeded;  // with the reason: "3.bias (the file has [100], the model [10])"
  std::vector<std::string> unused;  // tensors that are no parameter
  bool complete() const { return seeded.empty() && unused.empty(); }
};

// From the header alone; the values are not looked at. InvalidArgument when the file is no
// safetensors file, no tensor fits, a TorchScript model's weight or a parameter named in
// model.frozen is missing.
StatusOr<Reuse> PlanReuse(const v1::ModelSpec& spec, const Layout& layout, BytesView file);

// The weights in layout order. The same errors, and InvalidArgument when a value taken is not
// finite as float32.
StatusOr<std::vector<float>> ReuseWeights(const v1::ModelSpec& spec, const Layout& layout,
                                          BytesView file);

// "taken: 4 of 6 parameters", then what was seeded and what of the file was not used; at most
// `names` names of each, one line each.
std::string TextOf(const Reuse& reuse, std::size_t names = 20);

}  // namespace tutti::model
