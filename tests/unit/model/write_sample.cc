// Writes a small model's first weights for tests/unit/model/read_safetensors.py, or compresses a
// file for read_compressed.py.
#include <cstdio>
#include <fstream>

#include "common/model/architecture.h"
#include "common/model/compress.h"
#include "common/model/initial_weights.h"
#include "common/model/safetensors.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) {
    std::fputs("usage: write_sample FILE [COMPRESSED]\n", stderr);
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
  if (argc == 3) {
    const auto compressed = tutti::model::CompressModel(file, {.int8 = true, .sparsity = 0.8});
    if (!compressed.ok()) {
      return 1;
    }
    std::ofstream small(argv[2], std::ios::binary);
    small.write(reinterpret_cast<const char*>(compressed->file.data()),
                static_cast<std::streamsize>(compressed->file.size()));
    return out.good() && small.good() ? 0 : 1;
  }
  return out.good() ? 0 : 1;
}
