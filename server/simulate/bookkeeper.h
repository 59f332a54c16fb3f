// What both kinds of simulation share: plans and fates, trainings, the step of the model, counts
// and reports. Internal to server/simulate. Thread safety: confined to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "server/round/trend.h"
#include "server/simulate/fate.h"
#include "server/simulate/plan_book.h"
#include "server/simulate/simulation.h"
#include "server/simulate/workers.h"

namespace tutti::simulate {

inline constexpr Milliseconds kUnmaskLinger{20};  // as the daemon's (round::CoreSettings)

// Sums of one attempt's trainings, in the order of the clients.
struct TrainingTotals {
  std::uint64_t trained = 0;
  std::uint64_t late = 0;  // of those, for an earlier round
  std::uint64_t clipped_values = 0;
  double loss_sum = 0;
  double seconds = 0;

  void Add(const Contribution& contribution);
};

class Bookkeeper {
 public:
  // Everything is borrowed.
  Bookkeeper(const Scene& scene, std::vector<std::unique_ptr<Learner>>& learners, Course& course,
             const Observer& observer);

  const Scene& scene() const { return scene_; }
  const Course& course() const { return course_; }
  Workers& workers() { return workers_; }
  const round::JobSettings& settings() const { return scene_.job.settings; }
  Milliseconds grace() const;

  StatusOr<const policy::Plan*> PlanOf(std::size_t client);
  // What becomes of a client that is invited now.
  StatusOr<Fate> Invite(std::size_t client, const secagg::RoundConfig& config, Instant now);
  // What it sends in place of a new training; null: nothing. Until the next attempt's invitations.
  const Held* HeldBy(std::size_t client) const;
  // The clients that are attached when a cohort is chosen for the `draw`th time; ascending.
  std::vector<std::size_t> Available(std::uint64_t draw) const;

  bool Stopped();                                             // any thread
  void ShowTraining(std::size_t done, std::size_t expected);  // any thread
  void Charge(std::span<const std::size_t> clients);          // they debited their ledgers
  // Everyone invited has done its part; the model has not taken its step yet.
  void EndAttempt(std::size_t uploads);
  void Fail(Instant now, std::string reason);
  // What a client kept for itself (strategy::KeptBy); it keeps `next` once its round is published.
  std::vector<float> Kept(std::size_t client);                   // any thread
  void KeepNext(std::size_t client, std::vector<float> values);  // any thread; empty: nothing
  // The model takes a step and is measured. `survivors` are in the sums; `report`: clients and
  // groups are filled in.
  Status Publish(Instant now, std::span<const ClientId> survivors,
                 std::vector<server::GroupResult> results, const TrainingTotals& totals,
                 RoundReport report);
  // Why the losses end the job (evaluation.patience); empty: they do not.
  const std::string& verdict() const { return verdict_; }
  StatusOr<Report> Finish(std::string ended, std::size_t excluded);

 private:
  double Seconds() const { return observer_.seconds ? observer_.seconds() : 0; }
  bool IsMeasured(std::uint64_t round) const;
  Status Measure(RoundReport& report);
  std::optional<round::RoundLoss> LossOf(RoundReport& report) const;
  Status Judge(RoundReport& report);
  Status CountPrivacy();
  void HoldBack();

  const Scene& scene_;
  Course& course_;
  const Observer& observer_;
  Workers workers_;
  PlanBook plans_;
  Report report_;
  // Of the running attempt, or of the one that ended last.
  struct Invitation {
    Instant at{0};
    Fate fate;
    std::optional<Held> held;
    bool charged = false;
    std::uint64_t attempt = 0;
  };
  std::map<std::size_t, Invitation> invited_;
  bool attempt_over_ = false;
  std::map<std::size_t, Held> held_;    // still of use, by client
  std::vector<std::uint32_t> charged_;  // rounds, by client
  // Of clients that took part, if the strategy keeps anything: as long as the model each.
  std::map<std::size_t, std::vector<float>> kept_, keep_next_;
  round::internal::Trend trend_;
  std::map<std::uint64_t, Course::Saved> saved_;  // evaluation.max_loss_increase: by round
  std::string verdict_;
  std::uint32_t failures_of_round_ = 0;
  double began_ = 0;
  double round_began_ = 0;
  std::mutex mutex_;  // guards the observer and what is kept where any thread may call it
};

}  // namespace tutti::simulate
