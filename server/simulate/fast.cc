#include "server/simulate/fast.h"

#include <atomic>
#include <set>
#include <utility>

#include "common/base/text.h"
#include "common/secagg/graph.h"
#include "server/cohort/cohort.h"
#include "server/round/rules.h"
#include "server/simulate/attempt.h"
#include "server/simulate/chance.h"

namespace tutti::simulate {
namespace {

// A cohort chosen for an attempt.
struct Chosen {
  std::vector<secagg::RoundConfig> configs;  // of each group
  std::vector<std::vector<Invited>> groups;
  std::size_t invited = 0;
};

class Fast {
 public:
  explicit Fast(Bookkeeper& books)
      : books_(books),
        job_(books.settings()),
        player_(job_, books.grace(), kUnmaskLinger),
        rng_(StreamOf(books.scene().world.seed(), "coordinator")) {}

  StatusOr<Report> Run() {
    std::string ended;
    while (ended.empty() && books_.course().rounds_done() < job_.rounds) {
      if (books_.Stopped()) {
        ended = "stopped";
      } else if (attempt_ - published_attempt_ >= job_.max_failures) {
        ended = Join(job_.max_failures, " attempts failed in a row, the last one: ", last_reason_);
      } else {
        TUTTI_ASSIGN(ended, Attempt());
      }
    }
    std::size_t excluded = 0;
    for (const auto& [client, standing] : suspicion_.record().clients) {
      excluded += standing.excluded.empty() ? 0U : 1U;
    }
    return books_.Finish(std::move(ended), excluded);
  }

 private:
  // Not empty: the simulation ends for that reason.
  StatusOr<std::string> Attempt() {
    std::vector<ClientId> available = Available();
    if (available.size() < round::ClientsNeeded(job_)) {
      return Wait(available.size());
    }
    waits_ = 0;
    if (attached_ < job_.cohort_size) {
      now_ += job_.select;
    }
    ++attempt_;
    TUTTI_ASSIGN(const Chosen chosen, Choose(std::move(available)));
    const PlayedAttempt played = player_.Play(chosen.groups);
    now_ += played.duration;
    std::size_t uploads = 0;
    for (const PlayedGroup& group : played.groups) {
      books_.Charge(group.charged);
      uploads += group.survivors.size();
    }
    books_.EndAttempt(uploads);
    if (!played.failed.empty()) {
      return Fail(played.failed, false);
    }
    return Train(chosen, played);
  }

  // Too few are attached: another window opens. Without end it would be no simulation.
  StatusOr<std::string> Wait(std::size_t available) {
    constexpr std::uint32_t kWindows = 1000;
    now_ += job_.select;
    if (++waits_ < kWindows) {
      return std::string();
    }
    return Join("in ", kWindows, " windows in a row too few clients were attached, the last time ",
                available, " of the ", round::ClientsNeeded(job_),
                " the job needs; raise devices.availability or simulate more clients");
  }

  std::vector<ClientId> Available() {
    const std::vector<std::size_t> attached = books_.Available(draw_++);
    attached_ = attached.size();
    std::vector<ClientId> names;
    for (const std::size_t client : attached) {
      ClientId name = NameOf(client);
      if (!suspicion_.IsExcluded(name)) {
        names.push_back(std::move(name));
      }
    }
    return names;
  }

  StatusOr<Chosen> Choose(std::vector<ClientId> available) {
    Chosen chosen;
    const std::uint64_t round = books_.course().rounds_done() + 1;
    for (std::uint32_t place = 0; place < job_.config.groups; ++place) {
      chosen.configs.push_back(round::ConfigOf(job_, round, attempt_ - published_attempt_, place,
                                               books_.course().sha256(), rng_));
    }
    const cohort::SittingOut out = suspicion_.WhoSitsOut(
        available, round::FewestLeft(job_, available.size(), unspoiled_failures_), rng_);
    const std::vector<ClientId> invited =
        cohort::ChooseCohort(std::move(available), out.clients, round::MostInvited(job_), rng_);
    chosen.invited = invited.size();
    for (const auto& names :
         cohort::SplitIntoGroups(invited, job_.config.groups, suspicion_, rng_)) {
      std::vector<Invited>& group = chosen.groups.emplace_back();
      for (const ClientId& name : names) {
        const std::size_t client = NumberOf(name);
        TUTTI_ASSIGN(const Fate fate, books_.Invite(client, chosen.configs.front(), now_));
        group.push_back({client, fate});
      }
    }
    return chosen;
  }

  StatusOr<std::string> Fail(const std::string& reason, bool spoiled) {
    books_.Fail(now_, reason);
    last_reason_ = reason;
    now_ += job_.retry;
    unspoiled_failures_ = spoiled ? 0 : unspoiled_failures_ + 1;
    return std::string();
  }

  // One client's training, in the order of groups and clients.
  struct Task {
    std::size_t client = 0;
    std::size_t group = 0;
    const policy::Plan* plan = nullptr;
    Status status;
    TrainingTotals totals;
  };

  StatusOr<std::vector<Task>> TasksOf(const PlayedAttempt& played) {
    std::vector<Task> tasks;
    for (std::size_t place = 0; place < played.groups.size(); ++place) {
      for (const std::size_t client : played.groups[place].survivors) {
        if (played.groups[place].lost.empty()) {
          TUTTI_ASSIGN(const policy::Plan* const plan, books_.PlanOf(client));
          tasks.push_back({client, place, plan, OkStatus(), {}});
        }
      }
    }
    return tasks;
  }

  // The groups' sums. Each thread adds up its own clients: in the ring any order gives the same.
  std::vector<secagg::RingVector> Sum(const Chosen& chosen, std::vector<Task>& tasks) {
    const secagg::RingVector zero(chosen.configs.front().layout());
    std::vector<std::vector<secagg::RingVector>> sums(books_.workers().size(),
                                                      std::vector(chosen.configs.size(), zero));
    std::atomic<std::size_t> done{0};
    books_.workers().ForEach(
        tasks.size(), [&](std::size_t i, std::size_t worker, Learner& learner) {
          Task& task = tasks[i];
          if (books_.Stopped()) {
            task.status = Aborted("stopped");
            return;
          }
          StatusOr<Contribution> contribution = Contribute(
              books_.scene(), books_.course(), *task.plan, chosen.configs[task.group], task.client,
              books_.HeldBy(task.client), books_.Kept(task.client), learner);
          task.status = contribution.status();
          if (contribution.ok()) {
            task.totals.Add(*contribution);
            books_.KeepNext(task.client, std::move(contribution->keep));
            task.status = sums[worker][task.group].Add(contribution->vector);
          }
          books_.ShowTraining(++done, tasks.size());
        });
    for (std::size_t worker = 1; worker < sums.size(); ++worker) {
      for (std::size_t place = 0; place < sums[worker].size(); ++place) {
        TUTTI_CHECK(sums[0][place].Add(sums[worker][place]).ok());  // of one layout
      }
    }
    return std::move(sums[0]);
  }

  StatusOr<std::string> Train(const Chosen& chosen, const PlayedAttempt& played) {
    TUTTI_ASSIGN(std::vector<Task> tasks, TasksOf(played));
    const std::vector<secagg::RingVector> sums = Sum(chosen, tasks);
    std::vector<std::vector<ClientId>> survivors(chosen.groups.size());
    TrainingTotals totals;
    RoundReport report;
    for (const Task& task : tasks) {
      if (task.status.code() == StatusCode::kAborted) {
        return std::string("stopped");
      }
      if (!task.status.ok() && !SitsOut(task.status)) {
        return task.status;
      }
      if (task.status.ok()) {
        survivors[task.group].push_back(NameOf(task.client));
        totals.trained += task.totals.trained;
        totals.late += task.totals.late;
        totals.clipped_values += task.totals.clipped_values;
        totals.loss_sum += task.totals.loss_sum;
        totals.seconds += task.totals.seconds;
      } else {
        last_reason_ = TextOf(task.status);
      }
    }
    report.round_seconds = static_cast<double>(played.duration.count()) / 1000;
    report.invited = static_cast<std::uint32_t>(chosen.invited);
    report.groups = static_cast<std::uint32_t>(chosen.groups.size());
    return Open(chosen, sums, survivors, totals, report);
  }

  StatusOr<std::string> Open(const Chosen& chosen, std::span<const secagg::RingVector> sums,
                             const std::vector<std::vector<ClientId>>& survivors,
                             const TrainingTotals& totals, RoundReport report) {
    std::vector<server::GroupResult> results;
    std::vector<ClientId> in_model;
    std::string spoiled;
    for (std::size_t place = 0; place < sums.size(); ++place) {
      if (survivors[place].size() < job_.config.min_survivors) {
        continue;
      }
      StatusOr<server::GroupResult> result = books_.course().Open(
          chosen.configs[place], sums[place], survivors[place].size(), books_.scene().world.seed());
      if (result.ok()) {
        results.push_back(*std::move(result));
        suspicion_.Passed(survivors[place]);
        in_model.insert(in_model.end(), survivors[place].begin(), survivors[place].end());
        Count(survivors[place], report);
      } else if (result.status().code() == StatusCode::kDataLoss) {
        spoiled = std::string(MessageOf(result.status()));
        suspicion_.Spoiled({secagg::ConfigHash(chosen.configs[place]), survivors[place]});
      } else {
        return result.status();
      }
    }
    if (!spoiled.empty() && job_.exclude_offenders) {
      const auto population = static_cast<std::uint32_t>(books_.scene().population.size());
      suspicion_.Exclude(
          {secagg::FractionOf(population, job_.config.corrupt_fraction), population});
    }
    if (results.size() < job_.groups_needed) {
      return Fail(spoiled.empty() ? Join("too few clients could train: ", last_reason_)
                                  : Join("SUM_REJECTED: ", spoiled),
                  !spoiled.empty());
    }
    report.groups_left_out = report.groups - static_cast<std::uint32_t>(results.size());
    TUTTI_TRY(books_.Publish(now_, in_model, std::move(results), totals, report));
    published_attempt_ = attempt_;
    unspoiled_failures_ = 0;
    return books_.course().rounds_done() < job_.rounds ? books_.verdict() : std::string();
  }

  void Count(std::span<const ClientId> survivors, RoundReport& report) const {
    report.survivors += static_cast<std::uint32_t>(survivors.size());
    for (const ClientId& name : survivors) {
      report.malicious += books_.scene().population.device(NumberOf(name)).malicious ? 1U : 0U;
    }
  }

  Bookkeeper& books_;
  const round::JobSettings& job_;
  AttemptPlayer player_;
  crypto::AesCtrStream rng_;
  cohort::Suspicion suspicion_;
  Instant now_{0};
  std::uint64_t draw_ = 0;
  std::size_t attached_ = 0;             // at the last draw
  std::uint64_t attempt_ = 0;            // of the whole simulation
  std::uint64_t published_attempt_ = 0;  // the newest that was published
  std::uint32_t unspoiled_failures_ = 0;
  std::uint32_t waits_ = 0;
  std::string last_reason_;
};

}  // namespace

StatusOr<Report> SimulateFast(Bookkeeper& books) { return Fast(books).Run(); }

}  // namespace tutti::simulate
