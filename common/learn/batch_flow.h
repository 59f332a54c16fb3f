// Follows through a forward pass where in each tensor the examples of the batch are: which place of
// which dimension is made of example i alone. A call is let pass when that is known to hold for its
// results, from its name and the dimensions it works on; everything else is a problem. Internal to
// common/learn (torch types). Thread safety: confined.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include <ATen/core/function_schema.h>
#include "common/learn/aten.h"

namespace tutti::learn {

// Where the examples are: place (o * examples + i) * inner + j of `dimension` belongs to example i,
// for every o < outer and j < inner. Attention counts heads inside and positions outside of them.
struct Place {
  std::int64_t dimension = 0;
  std::int64_t outer = 1;
  std::int64_t inner = 1;

  bool operator==(const Place&) const = default;
  bool IsFirst() const { return *this == Place(); }  // row i is example i
};

// What a call does to the examples.
struct Followed {
  std::string problem;  // empty: none
  Place place;          // in its results
  // Of a call that reads values in their order into another shape: how many values lie between two
  // examples; the shape of the result then tells the place.
  std::optional<std::int64_t> stride;
};

class BatchFlow {
 public:
  // Starts with the batch, at least two examples; forgets what was marked before.
  void Start(const at::Tensor& inputs);
  std::int64_t examples() const { return examples_; }
  // False (and not marked) when the tensor's shape has no such place.
  bool Mark(const at::Tensor& tensor, const Place& place = {});
  bool MarkResult(const at::Tensor& tensor, const Followed& followed);
  bool Has(const at::Tensor& tensor) const { return Find(tensor) != nullptr; }
  bool HasAny(const c10::IValue& value) const;        // a tensor of the batch, or a list with one
  const Place* Find(const at::Tensor& tensor) const;  // null: not of the batch

  // Only for calls with a tensor of the batch among the arguments.
  Followed Follow(const c10::FunctionSchema& schema, at::ArrayRef<c10::IValue> arguments) const;

  // [examples, ...], whatever `place` was: the dimensions outside and inside come next, then the
  // others in their order.
  at::Tensor ExamplesFirst(const at::Tensor& tensor, const Place& place) const;

 private:
  // Weak references keep the addresses from being used again, not the values.
  struct Marked {
    c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> tensor;
    Place place;
  };
  std::int64_t examples_ = 0;
  std::unordered_map<const c10::TensorImpl*, Marked> marked_;
};

}  // namespace tutti::learn
