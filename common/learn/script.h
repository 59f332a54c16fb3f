// A model in a TorchScript file that the device's owner installed and allowed. Internal to
// common/learn (torch types). The file is code: loading it runs it, so its bytes are compared with
// the SHA-256 of the job before anything else happens to them. Thread safety: confined to one
// thread; LibTorch's executor is switched, for the process, to one that carries out the calls as
// they are written, which is what capture.h watches.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

// Before the others of LibTorch: see there.
#include "common/learn/aten.h"

#include <torch/csrc/jit/api/module.h>

#include "common/base/status.h"
#include "common/model/architecture.h"

namespace tutti::learn {

inline constexpr std::size_t kMaxScriptBytes = std::size_t{1} << 30;

class Script {
 public:
  // `parameters`, in the layout's order, take the place of the file's own: names and shapes have to
  // be the layout's, in any order, because weights are often saved sorted by name.
  // NotFound, FailedPrecondition: no such file, or another one than the job names.
  // InvalidArgument: the file's model is not that of the layout, keeps something from one call to
  // the next (batch norm's statistics), or does not give `classes` values for an example.
  static StatusOr<Script> Load(const std::string& file, const model::Architecture& architecture,
                               const std::vector<at::Tensor>& parameters);

  // Rows of logits. `training` as torch.nn.Module.train: dropout, for example, looks at it.
  at::Tensor Forward(const at::Tensor& inputs, bool training);

 private:
  explicit Script(torch::jit::Module module) : module_(std::move(module)) {}
  Status TryOut(const model::Architecture& architecture);

  torch::jit::Module module_;
  std::optional<bool> training_;  // what the modules were last told
};

}  // namespace tutti::learn
