#include "common/base/text.h"
#include "common/config/rules.h"
#include "common/config/validate.h"

namespace tutti::config {

void Validate(const v1::SimulationConfig& config, LoadResult& result) {
  Rules rules(result);
  const v1::PartitionConfig& partition = config.partition();
  if (partition.kind() == "column" && partition.column().empty()) {
    rules.Add({"partition.column", "partition.kind"},
              "missing: kind = \"column\" needs the name of a csv column");
  }
  if (partition.kind() != "column" && !partition.column().empty()) {
    rules.Add({"partition.column", "partition.kind"},
              Join("found a column with kind = \"", partition.kind(),
                   "\"; set kind = \"column\", or leave the column empty"));
  }
}

}  // namespace tutti::config
