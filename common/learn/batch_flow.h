// Follows through a forward pass which tensors have the examples of the batch as their first
// dimension, row i made of example i alone. A call is let pass when that is known to hold for its
// results, from its name and the dimensions it works on; everything else is a problem. Internal to
// common/learn (torch types). Thread safety: confined.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include <ATen/core/function_schema.h>
#include "common/learn/aten.h"

namespace tutti::learn {

class BatchFlow {
 public:
  // Starts with the batch; forgets what was marked before.
  void Start(const at::Tensor& inputs);
  std::int64_t examples() const { return examples_; }
  // Row i of `tensor` belongs to example i. False (and not marked) when it has not that many rows.
  bool Mark(const at::Tensor& tensor);
  bool Has(const at::Tensor& tensor) const;
  bool HasAny(const c10::IValue& value) const;  // a tensor of the batch, or a list with one

  // Whether each row of the results of this call comes from the same row of its arguments: empty,
  // or what is wrong. Only for calls with a tensor of the batch among the arguments.
  std::string Problem(const c10::FunctionSchema& schema, at::ArrayRef<c10::IValue> arguments) const;

 private:
  std::int64_t examples_ = 0;
  // Weak references keep the addresses from being used again, not the values.
  std::unordered_map<const c10::TensorImpl*,
                     c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>>
      rows_;
};

}  // namespace tutti::learn
