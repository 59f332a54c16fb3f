#include "server/ctl/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <sstream>

#include "common/base/text.h"
#include "server/ctl/privacy_options.h"

namespace tutti::ctl {
namespace {

constexpr const char* kAbout =
    "tutti: the operator's commands of a Tutti coordinator.\n"
    "Submits jobs, watches them, lists clients and fetches trained models.\n";

constexpr const char* kFirstSteps =
    "First steps, with a coordinator running on this machine:\n"
    "  tutti status                                       is it there, who is connected\n"
    "  tutti token create --name clinic-1                 a token for one new client\n"
    "  tutti run configs/jobs/fashion-mnist.toml --watch  train, and see it happen\n"
    "  tutti model export fashion-mnist -o fashion-mnist.safetensors\n"
    "Without a coordinator:\n"
    "  tutti privacy --help                               what noise costs, and what a budget "
    "allows\n"
    "  tutti simulate job.toml --data client.toml         a job on a thousand simulated clients\n"
    "\n"
    "Where the coordinator is: --socket, else the variable TUTTI_SOCKET, else the first that "
    "exists of\n"
    "./state/server/admin.sock and /var/lib/tutti-server/admin.sock. From another machine: "
    "--server with\n"
    "an operator's certificate.\n"
    "Exit codes: 0 done, 1 the coordinator refused or the job failed, 64 wrong usage, 69 the\n"
    "coordinator is not reachable, 77 a file may not be read or written, 78 a configuration is "
    "wrong.";

constexpr const char* kCompressAbout =
    "Make a finished model smaller: weights rounded to 8 bits, the smallest set to zero, or both.\n"
    "Biases and norms stay as they are. The result is a safetensors file that warm_start reads;\n"
    "compressed models are for using, not for training on: look at the accuracy before and after.";

constexpr const char* kCompressExamples =
    "  tutti model compress fashion-mnist --int8 -o small.safetensors\n"
    "  tutti model compress model.safetensors --int8 --prune 0.8 -o small.safetensors\n"
    "  tutti model compress model.safetensors --int8 -o small.safetensors \\\n"
    "      --job job.toml --data client.toml      accuracy before and after on this data\n"
    "How the file is read elsewhere: docs/models.md, section 8.";

// Adds the commands to one CLI11 application.
class CommandLine {
 public:
  CommandLine(CLI::App& app, Arguments& arguments) : app_(app), arguments_(arguments) {
    Endpoints();
    Status();
    Tokens();
    Run();
    Jobs();
    Clients();
    Models();
    Privacy();
    Simulate();
  }

  // What to say of words that do not lead to a command; empty when they do.
  std::string Advice(const std::vector<std::string>& words) const {
    const CLI::App* at = &app_;
    std::string path = "tutti";
    for (const std::string& word : words) {
      std::vector<std::string> names;
      for (const CLI::App* sub : at->get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(sub->get_name());
      }
      if (names.empty() || word.rfind('-', 0) == 0) {
        break;
      }
      if (std::find(names.begin(), names.end(), word) == names.end()) {
        const std::string nearest = NearestName(word, names);
        return Join("unknown command '", Escaped(word, 60), "'; ",
                    nearest.empty() ? Join("expected one of ", JoinWith(names, ", "))
                                    : Join("did you mean '", path, " ", nearest, "'?"));
      }
      at = at->get_subcommand(word);
      path += " " + word;
    }
    return MissingAfter(*at, path);
  }

  // The command that was chosen, after parsing.
  Command Chosen() const {
    const CLI::App* chosen = &app_;
    while (!chosen->get_subcommands().empty()) {
      chosen = chosen->get_subcommands().front();
    }
    return commands_.at(chosen);
  }

 private:
  CLI::App* Add(CLI::App& parent, const std::string& name, Command command,
                const std::string& about, const std::string& examples) {
    CLI::App* sub = parent.add_subcommand(name, about);
    sub->footer("Examples:\n" + examples);
    sub->fallthrough();
    commands_[sub] = command;
    return sub;
  }

  std::string MissingAfter(const CLI::App& at, const std::string& path) const {
    std::vector<std::string> names;
    for (const CLI::App* sub : at.get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(sub->get_name());
    }
    return names.empty() || commands_.count(&at) > 0
               ? ""
               : Join("'", path, "' needs a command: ", JoinWith(names, ", "));
  }

  CLI::App* Group(const std::string& name, const std::string& about) {
    CLI::App* group = app_.add_subcommand(name, about);
    group->fallthrough();
    group->require_subcommand(1);
    return group;
  }

  CLI::Option* Json(CLI::App* sub) {
    return sub->add_flag("--json", arguments_.json, "print one JSON document, for programs");
  }

  void Name(CLI::App* sub, const std::string& what) {
    sub->add_option("NAME", arguments_.name, what)->required();
  }

  void Endpoints() {
    auto* socket =
        app_.add_option("--socket", arguments_.endpoint.socket, "the coordinator's admin socket")
            ->type_name("PATH");
    auto* server = app_.add_option("--server", arguments_.endpoint.server,
                                   "the coordinator, over mutual TLS; needs --ca, --cert and --key")
                       ->type_name("HOST:PORT");
    auto* ca = app_.add_option("--ca", arguments_.endpoint.ca,
                               "file with the coordinator's CA certificate (PEM)")
                   ->type_name("FILE");
    auto* certificate = app_.add_option("--cert", arguments_.endpoint.certificate,
                                        "file with the operator's certificate (PEM)")
                            ->type_name("FILE");
    auto* key = app_.add_option("--key", arguments_.endpoint.key,
                                "file with the operator's private key (PEM)")
                    ->type_name("FILE");
    server->excludes(socket)->needs(ca)->needs(certificate)->needs(key);
    ca->needs(server);
    certificate->needs(server);
    key->needs(server);
  }

  void Status() {
    Json(Add(app_, "status", Command::kStatus,
             "Show whether the coordinator runs, and how many clients and jobs it has.",
             "  tutti status\n  tutti status --json"));
  }

  void Tokens() {
    CLI::App* group = Group("token", "Make join tokens for new clients.");
    CLI::App* create = Add(
        *group, "create", Command::kTokenCreate,
        "Make a token that lets ONE new client join, once. It holds the coordinator's address and\n"
        "the fingerprint of its CA; give it to the client's owner over a channel you trust.",
        "  tutti token create --name clinic-1\n"
        "  tutti token create --name judge --role evaluator --lifetime 3600\n"
        "and on the client's machine:\n"
        "  tutti-client join TOKEN");
    create->add_option("--name", arguments_.name,
                       "name the client will have; without it the client chooses");
    create->add_option("--role", arguments_.role, "trainer (default), evaluator or operator")
        ->check(CLI::IsMember({"trainer", "evaluator", "operator"}));
    create
        ->add_option("--lifetime", arguments_.lifetime,
                     "seconds until it expires; default: what server.toml says")
        ->check(CLI::Range(60, 31536000));
    Json(create);
  }

  void Run() {
    CLI::App* run = Add(app_, "run", Command::kRun,
                        "Submit a job file. The coordinator trains as soon as enough clients are "
                        "there; the job goes\n"
                        "on without this command. The same file again changes nothing.",
                        "  tutti run configs/jobs/fashion-mnist.toml --watch\n"
                        "  tutti run job.toml --check-config                  only list what is "
                        "wrong with the file\n"
                        "  tutti run job.toml --set rounds=5 --set name=trial --watch");
    run->add_option("JOB.toml", arguments_.job_file, "the job file, see docs/configuration.md")
        ->required();
    run->add_option("--set", arguments_.sets,
                    "section.key=value over what the file says; text stands without quotes, may be "
                    "repeated")
        ->allow_extra_args(false);
    auto* watch = run->add_flag("--watch", arguments_.watch, "show progress until the job ends");
    run->add_flag("--check-config", arguments_.check_config, "check the file, submit nothing");
    run->add_flag("--print-config", arguments_.print_config,
                  "print the effective values with their origin, submit nothing");
    Json(run)->excludes(watch);
  }

  void Jobs() {
    CLI::App* group =
        Group("job", "List, show, watch, stop and resume jobs; report what they counted.");
    Json(Add(*group, "list", Command::kJobList, "List all jobs.", "  tutti job list"));
    CLI::App* show = Add(*group, "show", Command::kJobShow, "Show one job and its rounds.",
                         "  tutti job show fashion-mnist");
    Report(*group);
    CLI::App* stop = Add(*group, "stop", Command::kJobStop,
                         "Stop a job. The running round is given up; published rounds stay.",
                         "  tutti job stop fashion-mnist");
    CLI::App* resume = Add(*group, "resume", Command::kJobResume,
                           "Let a stopped or failed job go on from its last published round.",
                           "  tutti job resume fashion-mnist");
    CLI::App* watch = Add(*group, "watch", Command::kJobWatch,
                          "Show a job's progress until it ends. Ctrl-C ends the watching only.",
                          "  tutti job watch fashion-mnist\n"
                          "  tutti job watch fashion-mnist | tee progress.txt");
    for (CLI::App* sub : {show, stop, resume, watch}) {
      Name(sub, "the job's name");
    }
    for (CLI::App* sub : {show, stop, resume}) {
      Json(sub);
    }
  }

  void Report(CLI::App& group) {
    CLI::App* report = Add(
        group, "report", Command::kJobReport,
        "Show what the clients of a job counted, as figures: of a job with kind = \"evaluate\" how "
        "good\n"
        "the model is, class by class, client by client and group by group; of a job that trains\n"
        "with [fairness] how it treats the groups, with evaluation.by = \"clients\" how good it "
        "is; of\n"
        "a job with kind = \"analyse\" the answers to its questions. Nothing but sums over all\n"
        "clients is known here.\n"
        "Behind each figure stands how far it may be off (95 % of the time no further): because "
        "the\n"
        "examples are a sample, and because of privacy noise. A star says that it is mostly "
        "noise.",
        "  tutti run evaluate.toml --set warm_start=model.safetensors --watch\n"
        "  tutti job report evaluate\n"
        "  tutti job report evaluate --json               all figures, and the counts themselves\n"
        "  tutti job report credit --round 3              of an earlier round\n"
        "  tutti job report analyse-credit --toml --label Status\n"
        "                                                 [data.csv] for every client's "
        "client.toml\n"
        "See docs/measuring.md and docs/analysing.md.");
    Name(report, "the job's name");
    report->add_option("--round", arguments_.round, "the round; default: the newest")
        ->check(CLI::PositiveNumber);
    Json(report);
    CLI::Option* toml =
        report
            ->add_flag("--toml", arguments_.toml,
                       "kind = \"analyse\": print the section [data.csv] that prepares every "
                       "client's table by these answers")
            ->excludes("--json");
    report
        ->add_option("--label", arguments_.label,
                     "with --toml: the column with the class or number that is to be learned")
        ->needs(toml);
  }

  void Clients() {
    CLI::App* group =
        app_.add_subcommand("clients", "List enrolled clients, revoke or readmit one.");
    group->footer(
        "Examples:\n  tutti clients\n  tutti clients revoke clinic-1\n"
        "  tutti clients readmit clinic-1");
    group->fallthrough();
    group->require_subcommand(0, 1);
    Json(group);
    commands_[group] = Command::kClientsList;
    Json(Add(*group, "list", Command::kClientsList,
             "List enrolled clients: state, privacy spent, rounds, what they refused last.",
             "  tutti clients list --json"));
    CLI::App* revoke = Add(*group, "revoke", Command::kClientsRevoke,
                           "Shut one client out for good: its certificate is no longer accepted.",
                           "  tutti clients revoke clinic-1");
    CLI::App* readmit =
        Add(*group, "readmit", Command::kClientsReadmit,
            "Take back what is held against one client for spoiled sums: it is invited again.",
            "  tutti clients readmit clinic-1");
    for (CLI::App* sub : {revoke, readmit}) {
      Name(sub, "the client's name");
    }
  }

  void Models() {
    CLI::App* group = Group("model", "List and fetch trained models.");
    CLI::App* list = Add(*group, "list", Command::kModelList, "List the checkpoints that are kept.",
                         "  tutti model list\n  tutti model list fashion-mnist");
    list->add_option("JOB", arguments_.name, "only this job's");
    Json(list);
    CLI::App* fetch =
        Add(*group, "export", Command::kModelExport,
            "Write a model as safetensors, readable by every safetensors library, and beside it a\n"
            "manifest that says where it came from. Its SHA-256 is checked.",
            "  tutti model export fashion-mnist -o fashion-mnist.safetensors\n"
            "  tutti model export fashion-mnist --round 3 -o third.safetensors");
    fetch->add_option("JOB", arguments_.name, "the job's name")->required();
    fetch
        ->add_option("--round", arguments_.round,
                     "the round it came from, or best: the smallest loss; default: the newest")
        ->check(CLI::PositiveNumber | CLI::IsMember({"best"}));
    fetch->add_option("-o,--output", arguments_.output, "the file to write")->required();
    fetch->add_flag("--force", arguments_.force, "replace files that exist");
    Json(fetch);
    Compress(*group);
  }

  void Compress(CLI::App& group) {
    CLI::App* sub =
        Add(group, "compress", Command::kModelCompress, kCompressAbout, kCompressExamples);
    sub->add_option("MODEL", arguments_.name,
                    "a safetensors file, or the name of a job whose model is fetched first")
        ->required();
    sub->add_flag("--int8", arguments_.compress.int8,
                  "round weights to 8 bits, with a scale for each output channel");
    sub->add_option("--prune", arguments_.compress.prune,
                    "share of the weights, the smallest of all, that become zero; 0.5 is mild")
        ->type_name("SHARE");
    sub->add_option("-o,--output", arguments_.output, "the file to write")->required();
    sub->add_option("--round", arguments_.round,
                    "of a job: the round it came from, or best; default: the newest")
        ->check(CLI::PositiveNumber | CLI::IsMember({"best"}));
    sub->add_flag("--force", arguments_.force, "replace a file that exists");
    auto* job = sub->add_option("--job", arguments_.job_file,
                                "with --data: the job file, which says what model it is")
                    ->type_name("JOB.toml");
    auto* data = sub->add_option("--data", arguments_.compress.data,
                                 "measure accuracy before and after: a client's file (all its "
                                 "examples), or a folder of the MNIST family (its test set)")
                     ->type_name("PATH");
    job->needs(data);
    data->needs(job);
    sub->add_option("--torchscript", arguments_.compress.torchscript,
                    "with --data: the file of a torchscript model")
        ->type_name("FILE")
        ->needs(data);
    Json(sub);
  }

  void Privacy() {
    CLI::App* group = Group("privacy", kPrivacyAbout);
    group->footer(kPrivacyFirstSteps);
    CLI::App* epsilon =
        Add(*group, "epsilon", Command::kPrivacyEpsilon, kEpsilonAbout, kEpsilonExamples);
    CLI::App* calibrate =
        Add(*group, "calibrate", Command::kPrivacyCalibrate, kCalibrateAbout, kCalibrateExamples);
    CLI::App* compose =
        Add(*group, "compose", Command::kPrivacyCompose, kComposeAbout, kComposeExamples);
    AddPrivacyOptions(*epsilon, *calibrate, *compose, arguments_.privacy);
    for (CLI::App* sub : {epsilon, calibrate, compose}) {
      Json(sub);
    }
  }

  // The words after it are read by the program that does it, which alone links LibTorch.
  void Simulate() {
    CLI::App* sub = app_.add_subcommand(
        "simulate", "Run a job on simulated clients, in one process; options: simulate --help.");
    sub->prefix_command()->set_help_flag();
    sub->final_callback([this, sub] { arguments_.rest = sub->remaining(); });
    commands_[sub] = Command::kSimulate;
  }

  CLI::App& app_;
  Arguments& arguments_;
  std::map<const CLI::App*, Command> commands_;
};

}  // namespace

Parsed Parse(const std::vector<std::string>& words) {
  Parsed parsed;
  Arguments arguments;
  CLI::App app(kAbout, "tutti");
  app.footer(kFirstSteps);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("tutti ") + TUTTI_VERSION);
  const CommandLine commands(app, arguments);
  std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 wants them
  try {
    if (words.empty()) {
      parsed.out = app.help();
      return parsed;
    }
    app.parse(reversed);
    arguments.command = commands.Chosen();
    parsed.arguments = std::move(arguments);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream problems;
    parsed.exit_code = app.exit(error, out, problems) == 0 ? 0 : 64;
    parsed.out = out.str();
    const std::string advice = parsed.exit_code == 0 ? "" : commands.Advice(words);
    parsed.error =
        advice.empty() ? problems.str() : Join("tutti: ", advice, "\nRun with --help for more.\n");
  }
  return parsed;
}

}  // namespace tutti::ctl
