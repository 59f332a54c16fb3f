#include "common/learn/script.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <sstream>
#include <string_view>
#include <utility>

#include <c10/core/GradMode.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace tutti::learn {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

std::string Quoted(const std::string& name) { return Join("\"", Escaped(name, 80), "\""); }

// The file's bytes, which have this SHA-256.
StatusOr<std::string> ReadVerified(const std::string& path, const std::string& sha256) {
  if (path.empty()) {
    return FailedPrecondition(
        Join("the model is the TorchScript file with SHA-256 ", sha256,
             ", and the request names no file; put it into trainer.torchscript_directory"));
  }
  std::error_code error;
  const std::filesystem::path file(path);
  const bool regular = std::filesystem::is_regular_file(file, error);
  const std::uintmax_t size = regular ? std::filesystem::file_size(file, error) : 0;
  std::ifstream stream(file, std::ios::binary);
  if (!regular || error || !stream) {
    return NotFound(Join("the TorchScript file ", Escaped(path),
                         " cannot be read; it has to be a "
                         "file that tutti-client's user may read"));
  }
  if (size > kMaxScriptBytes) {
    return InvalidArgument(Join("the TorchScript file ", Escaped(path), " has ", size,
                                " bytes, expected at most ", kMaxScriptBytes));
  }
  std::string bytes(size, '\0');
  stream.read(bytes.data(), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  const std::string found = ToHex(crypto::Sha256(AsBytes(bytes)));
  if (found != sha256) {
    return FailedPrecondition(Join("the TorchScript file ", Escaped(path), " has SHA-256 ", found,
                                   ", the job's is ", sha256,
                                   "; it was not loaded: install the file the job names"));
  }
  return bytes;
}

Status CheckLayout(const Tensors& parameters, const model::Layout& layout) {
  for (const model::Parameter& wanted : layout.parameters) {
    const auto found = parameters.find(wanted.name);
    if (found == parameters.end()) {
      return InvalidArgument(Join("the script has no parameter ", Quoted(wanted.name),
                                  ", which the job's layout has; its warm_start has to hold the "
                                  "weights of this very model"));
    }
    const at::IntArrayRef sizes = found->second.sizes();
    if (!std::equal(
            sizes.begin(), sizes.end(), wanted.shape.begin(), wanted.shape.end(),
            [](std::int64_t a, std::uint64_t b) { return static_cast<std::uint64_t>(a) == b; })) {
      return InvalidArgument(Join("the script's parameter ", Quoted(wanted.name), " has shape ",
                                  sizes,
                                  ", another than in the job's layout; its warm_start has "
                                  "to hold the weights of this very model"));
    }
    if (found->second.scalar_type() != at::kFloat) {
      return InvalidArgument(Join("the script's parameter ", Quoted(wanted.name), " has the type ",
                                  found->second.scalar_type(), ", expected Float"));
    }
  }
  for (const auto& [name, tensor] : parameters) {
    const auto same = [&](const model::Parameter& parameter) { return parameter.name == name; };
    if (std::none_of(layout.parameters.begin(), layout.parameters.end(), same)) {
      return InvalidArgument(Join("the script has the parameter ", Quoted(name),
                                  ", which the job's layout lacks; its warm_start has to hold all "
                                  "weights of this model"));
    }
  }
  return OkStatus();
}

// Gives a module other parameters than it was loaded with. A module may hold a parameter more than
// once: in lists (recurrent layers do), which get the new one too, or where it is refused.
class Replacement {
 public:
  Replacement(torch::jit::Module& module, const Tensors& originals) : module_(module) {
    for (const auto& [name, tensor] : originals) {
      if (tensor.numel() > 0) {
        const bool added = names_.emplace(tensor.data_ptr(), name).second;
        tied_ = added ? tied_ : name;
        storages_.emplace(tensor.storage().data(), name);
      }
    }
  }

  Status Run(const model::Layout& layout, const std::vector<at::Tensor>& parameters) {
    if (!tied_.empty()) {
      return HeldTwice(tied_);
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = layout.parameters[i].name;
      replacements_.emplace(name, parameters[i]);
      Put(module_, name, parameters[i]);
    }
    for (const auto& attribute : module_.named_attributes()) {
      if (attribute.value.isTensorList()) {
        PutInto(attribute.value.toTensorList());
      } else if (attribute.value.isList()) {
        PutInto(attribute.value.toList());
      }
    }
    c10::IValue::HashAliasedIValues held;
    c10::IValue(module_._ivalue()).getSubValues(held);
    for (const c10::IValue& value : held) {
      if (!value.isTensor() || !value.toTensor().has_storage()) {
        continue;
      }
      if (const auto found = storages_.find(value.toTensor().storage().data());
          found != storages_.end()) {
        return HeldTwice(found->second);
      }
    }
    return OkStatus();
  }

 private:
  static Status HeldTwice(const std::string& name) {
    return InvalidArgument(Join("the script holds the parameter ", Quoted(name),
                                " under another name as well, so the two would no longer be "
                                "equal; use one name in both places of its forward"));
  }

  // The parameter that `tensor` was, null for any other.
  const std::string* NameOf(const at::Tensor& tensor) const {
    const auto found = tensor.defined() && tensor.has_storage() && tensor.numel() > 0
                           ? names_.find(tensor.data_ptr())
                           : names_.end();
    return found == names_.end() ? nullptr : &found->second;
  }

  // In the place of the parameter "a.b.weight".
  static void Put(torch::jit::Module module, const std::string& name, const at::Tensor& value) {
    std::size_t start = 0;
    for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', start)) {
      module = module.attr(name.substr(start, dot - start)).toModule();
      start = dot + 1;
    }
    module.setattr(name.substr(start), value);
  }

  template <typename List>
  void PutInto(List list) const {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const c10::IValue value = list.get(i);
      const std::string* const name = value.isTensor() ? NameOf(value.toTensor()) : nullptr;
      if (name != nullptr && replacements_.at(*name).sizes() == value.toTensor().sizes()) {
        list.set(i, replacements_.at(*name));
      }
    }
  }

  torch::jit::Module& module_;
  std::map<const void*, std::string> names_;     // of the originals, by where their values lie
  std::map<const void*, std::string> storages_;  // the same, by the memory they are a part of
  std::map<std::string, at::Tensor> replacements_;
  std::string tied_;  // a parameter that is another one too
};

// The attribute that some statement of the block assigns to, empty when there is none.
std::string AssignedIn(const torch::jit::Block& block) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (node->kind() == c10::prim::SetAttr) {
      return node->s(c10::attr::name);
    }
    for (const torch::jit::Block* inner : node->blocks()) {
      if (std::string name = AssignedIn(*inner); !name.empty()) {
        return name;
      }
    }
  }
  return {};
}

Status Remembers(const std::string& name) {
  return InvalidArgument(Join("the script changes ", Quoted(name),
                              " while it computes, so a result would depend on examples before it, "
                              "and no update would carry the change (batch norm does so: use "
                              "group_norm or layer_norm); keep nothing from one call to the next"));
}

// The interpreter puts what went wrong behind the lines where it did.
std::string LastLine(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \n");
  text = text.substr(0, end == text.npos ? 0 : end + 1);
  const std::size_t line = text.rfind('\n');
  return Escaped(line == text.npos ? text : text.substr(line + 1), 200);
}

Status CheckAssignsNothing(const torch::jit::Module& module) {
  const auto forward = module.find_method("forward");
  if (!forward) {
    return InvalidArgument("the script has no method forward");
  }
  const std::shared_ptr<torch::jit::Graph> graph = forward->graph()->copy();
  torch::jit::Inline(*graph);
  const std::string assigned = AssignedIn(*graph->block());
  return assigned.empty() ? OkStatus() : Remembers(assigned);
}

}  // namespace

StatusOr<Script> Script::Load(const std::string& file, const model::Architecture& architecture,
                              const std::vector<at::Tensor>& parameters) {
  TUTTI_ASSIGN(std::string bytes, ReadVerified(file, architecture.script_sha256));
  torch::jit::getExecutorMode() = false;
  torch::jit::getProfilingMode() = false;
  std::istringstream stream(std::move(bytes));
  Script script(torch::jit::load(stream, at::kCPU));
  torch::jit::Module& module = script.module_;

  Tensors named;
  for (const auto& parameter : module.named_parameters()) {
    named.emplace(parameter.name, parameter.value);
  }
  const model::Layout& layout = architecture.layout;
  TUTTI_TRY(CheckLayout(named, layout));
  TUTTI_TRY(CheckAssignsNothing(module));
  TUTTI_TRY(Replacement(module, named).Run(layout, parameters));

  TUTTI_TRY(script.TryOut(architecture));
  return script;
}

// On a made-up batch: what training would change changes here, and the result has its shape.
Status Script::TryOut(const model::Architecture& architecture) {
  const c10::NoGradGuard no_grad;
  Tensors before;
  for (const auto& buffer : module_.named_buffers()) {
    before.emplace(buffer.name, buffer.value.clone());
  }
  constexpr std::int64_t kExamples = 2;
  std::vector<std::int64_t> shape{kExamples};
  for (const std::uint64_t size : architecture.input) {
    shape.push_back(static_cast<std::int64_t>(size));
  }
  at::Tensor logits;
  try {
    logits = Forward(at::ones(shape, at::kFloat), /*training=*/true);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return InvalidArgument(Join("the script fails on ", kExamples, " examples of shape ",
                                at::IntArrayRef(shape).slice(1), ": ", LastLine(error.what()),
                                "; one dimension of model.input_shape comes as it is, two or three "
                                "come as [channels, height, width]"));
  }
  if (logits.sizes() != at::IntArrayRef{kExamples, architecture.classes} ||
      logits.scalar_type() != at::kFloat) {
    return InvalidArgument(Join("the script gives ", logits.scalar_type(), " of shape ",
                                logits.sizes(), " for ", kExamples,
                                " examples, expected Float of shape [", kExamples, ", ",
                                architecture.classes, "]: a logit for each of model.classes"));
  }
  for (const auto& buffer : module_.named_buffers()) {
    if (!buffer.value.equal(before.at(buffer.name))) {
      return Remembers(buffer.name);
    }
  }
  return OkStatus();
}

at::Tensor Script::Forward(const at::Tensor& inputs, bool training) {
  const torch::jit::GraphOptimizerEnabledGuard as_written(false);
  if (training_ != training) {
    module_.train(training);
    training_ = training;
  }
  return module_.forward({inputs}).toTensor();
}

}  // namespace tutti::learn
