// Writes a small model's first weights for tests/unit/model/read_safetensors.py.
#include <cstdio>
#include <fstream>

#include "common/model/architecture.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_sample FILE\n", stderr);
    return 64;
  }
  tutti::v1::ModelSpec spec;
  spec.set_architecture("lenet5");
  spec.add_input_shape(28);
  spec.add_input_shape(28);
  spec.set_classes(10);
  spec.set_seed(42);
  const auto layout = tutti::model::LayoutOf(spec);
  if (!layout.ok()) {
    return 1;
  }
  const auto file = tutti::model::WriteSafetensors(
      *layout, tutti::model::InitialWeights(*layout, spec.seed()), {{"job", "sample"}});
  std::ofstream out(argv[1], std::ios::binary);
  out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return out.good() ? 0 : 1;
}
