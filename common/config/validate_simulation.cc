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
  const v1::MaliciousProfile& malicious = config.malicious();
  const auto of_backdoor = [&](const std::string& key, bool is_default) {
    if (is_default || malicious.kind() == "backdoor") return;
    rules.Add({"malicious." + key, "malicious.kind"},
              Join("found with kind = \"", malicious.kind(),
                   "\", which does not read it; remove it, or set kind = \"backdoor\""));
  };
  of_backdoor("target_class", malicious.target_class() == 0);
  of_backdoor("trigger", malicious.trigger() == 3);
  of_backdoor("poisoned", malicious.poisoned() == 0.5);
}

}  // namespace tutti::config
