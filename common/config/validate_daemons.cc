#include <algorithm>

#include "common/base/text.h"
#include "common/config/rules.h"
#include "common/config/validate.h"
#include "common/config/validate_data.h"
#include "common/model/architecture.h"

namespace tutti::config {
namespace {

struct Listener {
  std::string key;
  std::string value;
};

bool IsAnyHost(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

bool Collide(const HostPort& a, const HostPort& b) {
  return a.port != 0 && a.port == b.port &&
         (a.host == b.host || IsAnyHost(a.host) || IsAnyHost(b.host));
}

void CheckListeners(const std::vector<Listener>& listeners, Rules& rules) {
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const auto one = ParseHostPort(listeners[i].value);
    for (std::size_t j = 0; one.ok() && j < i; ++j) {
      const auto other = ParseHostPort(listeners[j].value);
      if (other.ok() && Collide(*one, *other)) {
        rules.Add({listeners[i].key, listeners[j].key},
                  Join("found port ", one->port, ", which ", listeners[j].key,
                       " has too; choose another port"));
      }
    }
  }
}

void CheckLoopback(const std::string& key, const std::string& value, Rules& rules) {
  const auto parsed = ParseHostPort(value);
  if (parsed.ok() && !IsLoopback(parsed->host)) {
    rules.Add({key, "insecure_loopback"},
              Join("found \"", Escaped(value, 80),
                   "\" with insecure_loopback = true; plain text is for 127.0.0.1, [::1] or "
                   "localhost only: change the address, or use certificates"));
  }
}

void CheckLogAndMetrics(const std::string& metrics_address, Rules& rules) {
  if (metrics_address != "off") {
    rules.CheckHostPort("metrics_address", metrics_address);
  }
}

}  // namespace

void Validate(const v1::ServerConfig& config, LoadResult& result) {
  Rules rules(result);
  rules.CheckHostPort("address", config.address());
  rules.CheckHostPort("enrolment_address", config.enrolment_address());
  CheckLogAndMetrics(config.metrics_address(), rules);
  CheckListeners({{"address", config.address()},
                  {"enrolment_address", config.enrolment_address()},
                  {"metrics_address", config.metrics_address()}},
                 rules);
  if (config.insecure_loopback()) {
    CheckLoopback("address", config.address(), rules);
    CheckLoopback("enrolment_address", config.enrolment_address(), rules);
  }
  for (const std::string& name : config.public_names()) {
    if (name.empty() || name.find_first_of(" \t,;/") != std::string::npos) {
      rules.Add({"public_names"},
                Join("found \"", Escaped(name, 60), "\", expected a host name or an address"));
    }
  }
}

void Validate(const v1::ClientConfig& config, LoadResult& result) {
  Rules rules(result);
  if (!config.server().empty()) {
    rules.CheckHostPort("server", config.server());
  }
  CheckLogAndMetrics(config.metrics_address(), rules);
  if (config.insecure_loopback() && config.server().empty()) {
    rules.Add(
        {"server", "insecure_loopback"},
        "missing: insecure_loopback = true takes no join token, so the server has to be named");
  } else if (config.insecure_loopback()) {
    CheckLoopback("server", config.server(), rules);
  }
  CheckData(config.data(), rules);
  if (config.trainer().hang_seconds() > config.trainer().time_limit_seconds() &&
      rules.IsSet("trainer.hang_seconds")) {
    rules.Add({"trainer.hang_seconds", "trainer.time_limit_seconds"},
              Join("found ", config.trainer().hang_seconds(),
                   " seconds, longer than "
                   "time_limit_seconds = ",
                   config.trainer().time_limit_seconds(),
                   "; a task would be ended before a hang is noticed, lower it"));
  }
}

void Validate(const v1::PolicyConfig& config, LoadResult& result) {
  Rules rules(result);
  if (rules.IsSet("max_epsilon_round") && config.max_epsilon_round() > config.max_epsilon_total()) {
    rules.Add({"max_epsilon_round", "max_epsilon_total"},
              Join("found ", config.max_epsilon_round(), ", more than max_epsilon_total = ",
                   config.max_epsilon_total(), "; one round cannot spend more than all, lower it"));
  }
  for (const std::string& pattern : config.jobs()) {
    const bool rest = pattern.ends_with('*');
    const std::string name = rest ? pattern.substr(0, pattern.size() - 1) : pattern;
    if (!(rest && name.empty()) && !IsSafeName(name)) {
      rules.Add({"jobs"}, Join("found \"", Escaped(pattern, 80),
                               "\", expected a job's name, or the start of one followed by *"));
    }
  }
  const std::vector<std::string> architectures = model::ArchitectureNames();
  for (const std::string& name : config.architectures()) {
    if (std::find(architectures.begin(), architectures.end(), name) == architectures.end()) {
      const std::string nearest = NearestName(name, architectures);
      rules.Add({"architectures"},
                Join("found \"", Escaped(name, 60), "\", expected some of ",
                     JoinWith(architectures, ", "),
                     nearest.empty() ? "" : Join("; did you mean '", nearest, "'?")));
    }
  }
  for (const std::string& hash : config.torchscript()) {
    if (!model::IsSha256Text(hash)) {
      rules.Add({"torchscript"},
                Join("found \"", Escaped(hash, 80),
                     "\", expected the 64 hexadecimal digits, in lower case, that sha256sum "
                     "prints for the file"));
    }
  }
}

}  // namespace tutti::config
