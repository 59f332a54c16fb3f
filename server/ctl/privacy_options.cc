#include "server/ctl/privacy_options.h"

#include <cmath>
#include <cstdlib>

#include "common/base/text.h"

namespace tutti::ctl {

const char* const kPrivacyAbout =
    "Calculate what differential privacy costs. Needs no coordinator.\n"
    "\n"
    "epsilon says how much whoever sees the model can learn of one training example: below 1 is\n"
    "strong, up to about 8 is usual in deep learning, above 20 says little. delta is a small\n"
    "probability with which the promise may fail; it should be well below 1 / examples.";

const char* const kPrivacyFirstSteps =
    "First steps:\n"
    "  tutti privacy epsilon --noise-multiplier 1.1 --sampling-rate 0.01 --steps 10000 --delta "
    "1e-5\n"
    "  tutti privacy calibrate --target-epsilon 3 --delta 1e-5 --sampling-rate 0.01 --steps 10000\n"
    "  tutti privacy compose configs/privacy-events.json\n"
    "\n"
    "sampling rate = batch size / examples, noise multiplier = noise stddev / clip norm, steps =\n"
    "epochs / sampling rate. docs/accountant.md explains all of it with an example.";

const char* const kEpsilonAbout =
    "What training with noise costs: DP-SGD of so many steps, each over a Poisson sample (every\n"
    "example independently with the sampling rate). Sampling rate 1 is the plain Gaussian.";

const char* const kEpsilonExamples =
    "  tutti privacy epsilon --noise-multiplier 1.1 --sampling-rate 0.01 --steps 10000 --delta "
    "1e-5\n"
    "  tutti privacy epsilon --noise-multiplier 5 --sampling-rate 1 --steps 1 --delta 1e-6 "
    "--accountant exact\n"
    "The JSON keys are epsilon (null: none is finite), accountant, delta, noise_multiplier,\n"
    "sampling_rate, steps, and order (rdp) or interval (pld).";

const char* const kCalibrateAbout =
    "The other way round: give a target epsilon and two of --noise-multiplier, --sampling-rate "
    "and\n"
    "--steps; the third is searched. What is found costs at most the target.";

const char* const kCalibrateExamples =
    "  tutti privacy calibrate --target-epsilon 3 --delta 1e-5 --sampling-rate 0.01 --steps 10000\n"
    "  tutti privacy calibrate --target-epsilon 3 --delta 1e-5 --noise-multiplier 1.1 --steps "
    "10000\n"
    "  tutti privacy calibrate --target-epsilon 3 --delta 1e-5 --noise-multiplier 1.1 "
    "--sampling-rate 0.01\n"
    "The JSON has in addition to those of `epsilon` the keys searched and target_epsilon.";

const char* const kComposeAbout =
    "What a list of different releases costs together. FILE is JSON:\n"
    "  {\"delta\": 1e-5, \"events\": [\n"
    "    {\"mechanism\": \"gaussian\", \"sampling_rate\": 0.01, \"noise_multiplier\": 1.1, "
    "\"steps\": "
    "1000},\n"
    "    {\"mechanism\": \"laplace\", \"noise_multiplier\": 20, \"steps\": 10}]}\n"
    "Mechanisms and their keys (\"steps\" is 1 when missing, [sampling_rate] is 1):\n"
    "  gaussian                       noise_multiplier [sampling_rate]\n"
    "  gaussian-without-replacement   population sample noise_multiplier\n"
    "  laplace                        noise_multiplier [sampling_rate]\n"
    "  discrete-gaussian              sigma [sensitivity values]\n"
    "  discrete-laplace               decay [sensitivity]\n"
    "  skellam                        variance l1_sensitivity l2_sensitivity [sampling_rate]\n"
    "  distributed-discrete-gaussian  share_sigma shares l1_sensitivity l2_sensitivity values\n"
    "                                 [sampling_rate]\n"
    "  tree-aggregation               noise_multiplier leaves\n"
    "Any other mechanism counts as unbounded: epsilon is infinite. Mechanisms whose statements "
    "are\n"
    "about different neighbouring data sets are refused.";

const char* const kComposeExamples =
    "  tutti privacy compose configs/privacy-events.json\n"
    "  tutti privacy compose events.json --delta 1e-6 --accountant rdp --json\n"
    "  tutti-client ledger export --config client.toml > ledger.jsonl\n"
    "  tutti privacy compose ledger.jsonl --accountant pld";

namespace {

// A number of the whole text, and what is wrong with it otherwise.
using Check = std::string (*)(double value);

std::string AboveZero(double value) {
  return value > 0 && std::isfinite(value) ? "" : "a finite number above 0";
}
std::string AtLeastZero(double value) {
  return value >= 0 && std::isfinite(value) ? "" : "a finite number of at least 0";
}
std::string Rate(double value) {
  return value > 0 && value <= 1 ? "" : "a number above 0 and at most 1";
}
std::string Probability(double value) {
  return value > 0 && value < 1 ? "" : "a number above 0 and below 1";
}
std::string Steps(double value) {
  return value >= 1 && value <= 1e12 && value == std::floor(value)
             ? ""
             : "a whole number from 1 to 1000000000000";
}

template <typename Target>
CLI::Option* Add(CLI::App& app, const std::string& name, Target& target, Check check,
                 const std::string& about) {
  const auto read = [name, check, &target](const CLI::results_t& words) {
    const char* text = words.front().c_str();
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    const bool whole = end != text && *end == '\0';
    const std::string expected = check(whole ? value : std::nan(""));
    if (!expected.empty()) {
      throw CLI::ValidationError(
          Join(name, " is ", Escaped(words.front(), 40), ", expected ", expected));
    }
    if constexpr (requires { target.value(); }) {
      target = static_cast<typename Target::value_type>(value);
    } else {
      target = value;
    }
    return true;
  };
  return app.add_option(name, read, about)->type_size(1)->type_name("NUMBER");
}

void AddAccountant(CLI::App& app, PrivacyArguments& arguments, bool exact) {
  std::vector<std::string> names = {"pld", "rdp"};
  std::string about =
      "pld (default): privacy loss distributions, tight; rdp: Renyi curves, fast and looser";
  if (exact) {
    names.push_back("exact");
    about += "; exact: the analytic Gaussian, sampling rate 1 only";
  }
  app.add_option("--accountant", arguments.accountant, about)->check(CLI::IsMember(names));
}

void AddInterval(CLI::App& app, PrivacyArguments& arguments) {
  Add(app, "--interval", arguments.interval, Rate,
      "pld: grid of the losses; default 1e-4 where epsilon by rdp is below 20, 1e-3 below 500, "
      "else 1e-2; finer is tighter and slower");
}

}  // namespace

void AddPrivacyOptions(CLI::App& epsilon, CLI::App& calibrate, CLI::App& compose,
                       PrivacyArguments& arguments) {
  Add(calibrate, "--target-epsilon", arguments.target_epsilon, AboveZero, "the epsilon to meet")
      ->required();
  for (CLI::App* app : {&epsilon, &calibrate}) {
    const bool all = app == &epsilon;
    Add(*app, "--noise-multiplier", arguments.noise_multiplier, AtLeastZero,
        "noise stddev / clip norm, at least 0")
        ->required(all);
    Add(*app, "--sampling-rate", arguments.sampling_rate, Rate,
        "batch size / examples, above 0 and at most 1")
        ->required(all);
    Add(*app, "--steps", arguments.steps, Steps, "noisy releases, 1 to 1000000000000")
        ->required(all);
    Add(*app, "--delta", arguments.delta, Probability, "above 0 and below 1; below 1 / examples")
        ->required();
  }
  compose
      .add_option("FILE", arguments.file,
                  "the list of events, JSON; or the lines of `tutti-client ledger export`")
      ->required();
  compose.add_option("--data", arguments.data, "of a ledger: the data set, if it has several");
  compose
      .add_option("--unit", arguments.unit,
                  "of a ledger: what one unit is, example (default; clients' rounds count too) or "
                  "client")
      ->check(CLI::IsMember({"example", "client"}));
  compose.add_flag("--models", arguments.models,
                   "of a ledger: against whoever sees only the models; default: the coordinator");
  Add(compose, "--delta", arguments.delta, Probability,
      "above 0 and below 1; over what the file says");
  AddAccountant(epsilon, arguments, true);
  AddAccountant(calibrate, arguments, false);
  AddAccountant(compose, arguments, false);
  AddInterval(epsilon, arguments);
  AddInterval(compose, arguments);
}

}  // namespace tutti::ctl
