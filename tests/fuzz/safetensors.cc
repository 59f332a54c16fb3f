// A model file as a coordinator serves it, and as an operator starts a job from.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "common/model/architecture.h"
#include "common/model/compress.h"
#include "common/model/safetensors.h"
#include "common/model/warm_start.h"
#include "tests/fuzz/target.h"

namespace tutti::fuzz {
namespace {

model::Layout SmallLayout() {
  model::Layout layout;
  layout.parameters = {{.name = "0.weight", .shape = {2, 3}, .offset = 0, .values = 6, .fan_in = 3},
                       {.name = "0.bias", .shape = {2}, .offset = 6, .values = 2, .fan_in = 3}};
  layout.values = 8;
  return layout;
}

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// The model of SmallLayout.
v1::ModelSpec SmallModel() {
  v1::ModelSpec spec;
  spec.set_architecture("logistic");
  spec.add_input_shape(3);
  spec.set_classes(2);
  return spec;
}

// What is reused of any file is a whole model, and of the model's own file all of it.
void Reuse(BytesView bytes, const model::Layout& layout, const StatusOr<std::vector<float>>& read) {
  const v1::ModelSpec spec = SmallModel();
  const auto plan = model::PlanReuse(spec, layout, bytes);
  const auto weights = model::ReuseWeights(spec, layout, bytes);
  if (weights.ok()) {
    Expect(plan.ok() && !plan->taken.empty(), "something was reused");
    Expect(weights->size() == layout.values && model::AllFinite(*weights), "a whole model");
  }
  if (read.ok()) {
    Expect(weights.ok() && SameBits(*weights, *read) && plan->complete(), "all of its own file");
  }
}

// What can be compressed can be read again, within what it says it changed.
void Compress(BytesView bytes, const model::Layout& layout,
              const StatusOr<std::vector<float>>& read) {
  for (const double sparsity : {0.0, 0.5}) {
    const auto made = model::CompressModel(bytes, {.int8 = true, .sparsity = sparsity});
    if (read.ok()) Expect(made.ok(), "a model can be compressed");
    if (!made.ok()) continue;
    Expect(model::SafetensorsParameters(made->file).ok(), "a compressed file is read");
    const auto again = model::CompressModel(made->file, {.int8 = true, .sparsity = 0});
    Expect(again.ok() && again->values == made->values, "and has all its values");
    if (!read.ok() || sparsity > 0) continue;
    const auto back = model::ReuseWeights(SmallModel(), layout, made->file);
    Expect(back.ok(), "and is a model's");
    for (std::size_t i = 0; i < read->size(); ++i) {
      const double error = std::abs(static_cast<double>((*back)[i]) - (*read)[i]);
      Expect(error <= made->largest_weight_error * 1.001 + 1e-37, "and within the stated error");
    }
  }
}

}  // namespace
}  // namespace tutti::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tutti;
  const BytesView bytes(data, size);
  const model::Layout layout = fuzz::SmallLayout();
  const auto metadata = model::SafetensorsMetadata(bytes);
  const auto read = model::ReadSafetensors(bytes, layout);
  const auto view = model::ViewSafetensors(bytes, layout);
  fuzz::Reuse(bytes, layout, read);
  fuzz::Compress(bytes, layout, read);
  if (!read.ok()) {
    fuzz::Expect(!view.ok(), "both readers refuse the same files");
    return 0;
  }
  fuzz::Expect(read->size() == layout.values, "a model has every value of its layout");
  fuzz::Expect(model::AllFinite(*read), "a model has finite values only");
  if (view.ok()) {
    fuzz::Expect(fuzz::SameBits(*view, *read), "both readers see the same weights");
  } else {
    fuzz::Expect(view.status().code() == StatusCode::kFailedPrecondition,
                 "a sound file is not called damaged");
  }
  fuzz::Expect(metadata.ok(), "a sound file has readable metadata");
  const auto again =
      model::ReadSafetensors(model::WriteSafetensors(layout, *read, *metadata), layout);
  fuzz::Expect(again.ok() && fuzz::SameBits(*again, *read), "weights survive being written");
  return 0;
}
