// A TorchScript file made for a test, and the task that names it. Torch headers come before
// Catch2's (tests/catch.h), so this one does too.
#pragma once

#include "common/learn/aten.h"

#include <torch/csrc/jit/api/module.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "common/base/text.h"
#include "common/crypto/hash.h"
#include "common/learn/network.h"
#include "tests/catch.h"

namespace tutti::learn {

struct Part {
  std::string module;  // empty: the model itself
  std::string name;
  std::vector<std::int64_t> shape;
  std::string path() const { return module.empty() ? name : module + "." + name; }
};

// A folder with one TorchScript file, and the task that names it.
class ScriptFile {
 public:
  ScriptFile(const std::vector<Part>& parts, const std::string& code,
             const std::vector<std::string>& buffers = {},
             const std::function<void(torch::jit::Module&, const at::Tensor&)>& add = {}) {
    torch::jit::Module module("model");
    for (const std::string& buffer : buffers) {
      module.register_buffer(buffer, at::zeros({2}));
    }
    std::map<std::string, torch::jit::Module> inner;
    for (const Part& part : parts) {
      if (part.module.empty()) {
        module.register_parameter(part.name, at::full(part.shape, 0.1), false);
      } else {
        inner.try_emplace(part.module, torch::jit::Module("part_" + part.module))
            .first->second.register_parameter(part.name, at::full(part.shape, 0.1), false);
      }
    }
    for (auto& [name, child] : inner) {
      module.register_module(name, child);
    }
    if (add) {
      add(module, module.attr(parts.front().name).toTensor());
    }
    module.define(code);
    std::string pattern = (std::filesystem::temp_directory_path() / "tutti-script-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    module.save(path());
    spec_.set_architecture("torchscript");
    spec_.set_torchscript_sha256(Hash());
    for (const Part& part : parts) {
      v1::ParameterSpec& parameter = *spec_.add_parameters();
      parameter.set_name(part.path());
      for (const std::int64_t size : part.shape) {
        parameter.add_shape(static_cast<std::uint32_t>(size));
      }
    }
  }
  ~ScriptFile() { std::filesystem::remove_all(folder_); }

  std::string path() const { return (folder_ / "model.pt").string(); }
  std::string folder() const { return folder_.string(); }

  v1::ModelSpec Spec(std::initializer_list<std::uint32_t> input, std::uint32_t classes) const {
    v1::ModelSpec spec = spec_;
    for (const std::uint32_t size : input) {
      spec.add_input_shape(size);
    }
    spec.set_classes(classes);
    return spec;
  }
  StatusOr<Network> Open(const v1::ModelSpec& spec) const {
    return Network::Create(model::ArchitectureOf(spec).value(), path());
  }

 private:
  std::string Hash() const {
    std::ifstream file(path(), std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return ToHex(crypto::Sha256(AsBytes(bytes.str())));
  }
  std::filesystem::path folder_;
  v1::ModelSpec spec_;
};

}  // namespace tutti::learn
