#include "server/simulate/attempt.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "common/base/text.h"
#include "server/round/rules.h"

namespace tutti::simulate {

struct AttemptPlayer::Member {
  const Invited* invited = nullptr;
  std::size_t answered = 0;  // exchanges, in order
};

struct AttemptPlayer::Group {
  std::vector<Member> members;
  std::uint32_t goal = 0;
  std::size_t joined = 0;
  std::size_t neighbours_needed = 0;  // answers that rebuild every secret
  std::size_t done = 0;               // in the running exchange
  std::size_t waiting = 0;
  std::string lost;
  bool live() const { return lost.empty(); }
};

// An answer, or the end of the grace of one who vanished.
struct AttemptPlayer::Event {
  Milliseconds time{0};
  bool answer = false;
  std::size_t group = 0;
  std::size_t member = 0;
};

class AttemptPlayer::Run {
 public:
  Run(AttemptPlayer& player, const std::vector<std::vector<Invited>>& invited) : player_(player) {
    for (std::size_t place = 0; place < invited.size(); ++place) {
      Group& group = groups_.emplace_back();
      group.goal = round::GoalOf(player.job_, static_cast<std::uint32_t>(place));
      for (const Invited& one : invited[place]) {
        group.members.push_back({&one, 0});
      }
    }
  }

  PlayedAttempt Play() {
    const round::JobSettings& job = player_.job_;
    const bool commits = job.config.level == secagg::ThreatLevel::kMalicious;
    PlayedAttempt played;
    played.groups.resize(groups_.size());
    const bool opened = Train() && Exchanges(Exchange::kSharing, job.share) &&
                        Note(played, &PlayedGroup::charged) &&
                        Exchanges(Exchange::kCollecting, job.upload) &&
                        Note(played, &PlayedGroup::survivors) &&
                        (!commits || Exchanges(Exchange::kCommitting, job.commit)) && Unmask();
    for (std::size_t place = 0; place < groups_.size(); ++place) {
      played.groups[place].lost = groups_[place].lost;
    }
    played.duration = now_;
    played.failed = opened ? "" : WhatWasLost();
    return played;
  }

 private:
  std::size_t Needed(const Group& group) const {
    const secagg::RoundConfig& config = player_.job_.config;
    const std::size_t commits =
        config.level == secagg::ThreatLevel::kMalicious
            ? secagg::CommitsNeeded(static_cast<std::uint32_t>(group.joined),
                                    config.corrupt_fraction)
            : 0;
    return std::max({std::size_t{config.min_survivors}, commits, group.neighbours_needed});
  }

  // What the exchange's participants do from now on, in the order of time; counts who is waited
  // for.
  std::vector<Event> EventsOf(Exchange exchange) {
    std::vector<Event> events;
    for (std::size_t place = 0; place < groups_.size(); ++place) {
      Group& group = groups_[place];
      group.done = 0;
      group.waiting = 0;
      for (std::size_t i = 0; group.live() && i < group.members.size(); ++i) {
        if (!TakesPart(group.members[i], exchange)) {
          continue;
        }
        const Fate& fate = group.members[i].invited->fate;
        ++group.waiting;
        const bool answers = !fate.VanishesIn(exchange);
        events.push_back(
            {now_ + (answers ? fate.Answer(exchange) : fate.vanishes_after + player_.grace_),
             answers, place, i});
      }
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
      return a.time != b.time ? a.time < b.time : a.answer < b.answer;
    });
    return events;
  }

  bool TakesPart(const Member& member, Exchange exchange) const {
    const bool commits = player_.job_.config.level == secagg::ThreatLevel::kMalicious;
    const auto before = static_cast<std::size_t>(exchange);
    return member.answered == (exchange == Exchange::kUnmasking && !commits ? before - 1 : before);
  }

  void Apply(const Event& event) {
    Group& group = groups_[event.group];
    now_ = event.time;
    if (!group.live()) {
      return;
    }
    --group.waiting;
    if (event.answer) {
      ++group.done;
      ++group.members[event.member].answered;
    }
  }

  std::size_t Waiting() const {
    std::size_t waiting = 0;
    for (const Group& group : groups_) {
      waiting += group.live() ? group.waiting : 0;
    }
    return waiting;
  }

  // Leaves out the groups for which `go_on` gives a reason; false when too few are left.
  bool Keep(const std::function<std::string(Group&)>& go_on) {
    std::size_t live = 0;
    for (Group& group : groups_) {
      if (group.live()) {
        group.lost = go_on(group);
        live += group.live() ? 1U : 0U;
      }
    }
    return live >= player_.job_.groups_needed;
  }

  bool Train() {
    const std::vector<Event> events = EventsOf(Exchange::kTraining);
    const Milliseconds deadline = now_ + player_.job_.train;
    const std::uint32_t needed = player_.job_.config.min_cohort;
    const auto complete = [&] {
      return std::all_of(groups_.begin(), groups_.end(), [](const Group& group) {
        return !group.live() || group.done >= group.goal || group.waiting == 0;
      });
    };
    const auto too_few = [&](const Group& group) {
      return Join("only ", group.done, " of ", group.members.size(),
                  " invited clients joined, at least ", needed, " are needed");
    };
    for (const Event& event : events) {
      if (event.time >= deadline || complete()) {
        break;
      }
      Apply(event);
      if (!Keep([&](Group& group) {
            return group.done + group.waiting < needed ? too_few(group) : "";
          })) {
        return false;
      }
    }
    now_ = complete() ? now_ : deadline;
    return Keep([&](Group& group) { return group.done < needed ? too_few(group) : ""; }) &&
           Keep([&](Group& group) { return CloseJoins(group); });
  }

  std::string CloseJoins(Group& group) {
    group.joined = group.done;
    const StatusOr<secagg::GraphParameters> graph = player_.GraphFor(group.joined);
    if (!graph.ok()) {
      return std::string(MessageOf(graph.status()));
    }
    // Of one's neighbours so many answer, and oneself. In a complete graph the neighbours are all
    // others.
    const std::size_t all = std::size_t{graph->neighbours} + 1;
    const std::size_t some = std::size_t{graph->threshold} + 1;
    group.neighbours_needed = (group.joined * some + all - 1) / all;
    return "";
  }

  bool Exchanges(Exchange exchange, Milliseconds time) {
    const std::vector<Event> events = EventsOf(exchange);
    const Milliseconds deadline = now_ + time;
    for (const Event& event : events) {
      if (event.time >= deadline) {
        break;
      }
      Apply(event);
    }
    now_ = Waiting() == 0 ? now_ : deadline;
    return Keep([&](Group& group) {
      return group.done >= Needed(group) ? "" : TooFewLeft(exchange, group);
    });
  }

  std::string TooFewLeft(Exchange exchange, const Group& group) const {
    const std::string expected = Join(", expected at least ", Needed(group));
    if (exchange == Exchange::kSharing) {
      return Join("only ", group.done, " of ", group.joined, " clients can go on after sharing",
                  expected);
    }
    return Join("only ", group.done,
                exchange == Exchange::kCollecting ? " masked vectors arrived"
                                                  : " clients committed to the survivor set",
                expected);
  }

  bool Unmask() {
    const std::vector<Event> events = EventsOf(Exchange::kUnmasking);
    Milliseconds deadline = now_ + player_.job_.unmask;
    bool settled = false;
    const auto can = [](const Group& group) {
      return group.live() && group.done >= group.neighbours_needed;
    };
    for (const Event& event : events) {
      if (event.time >= deadline) {
        break;
      }
      Apply(event);
      const bool any = std::any_of(groups_.begin(), groups_.end(), can);
      const bool all = std::all_of(groups_.begin(), groups_.end(), [&](const Group& group) {
        return !group.live() || can(group) || group.waiting == 0;
      });
      if (any && all && !settled) {
        settled = true;
        deadline = std::min(deadline, now_ + player_.linger_);
      }
    }
    now_ = Waiting() == 0 ? now_ : deadline;
    return Keep([&](Group& group) {
      return can(group) ? ""
                        : Join("only ", group.done, " survivors unmasked, too few to open the sum");
    });
  }

  // Who answered the exchange that has just closed.
  bool Note(PlayedAttempt& played, std::vector<std::size_t> PlayedGroup::*list) {
    const std::size_t answered = list == &PlayedGroup::charged ? 2 : 3;
    for (std::size_t place = 0; place < groups_.size(); ++place) {
      for (const Member& member : groups_[place].members) {
        if (groups_[place].live() && member.answered == answered) {
          (played.groups[place].*list).push_back(member.invited->client);
        }
      }
    }
    return true;
  }

  std::string WhatWasLost() const {
    std::vector<std::string> reasons;
    for (std::size_t place = 0; place < groups_.size(); ++place) {
      if (!groups_[place].live()) {
        reasons.push_back(groups_.size() == 1
                              ? groups_[place].lost
                              : Join("group ", place + 1, ": ", groups_[place].lost));
      }
    }
    return JoinWith(reasons, "; ");
  }

  AttemptPlayer& player_;
  std::vector<Group> groups_;
  Milliseconds now_{0};
};

StatusOr<secagg::GraphParameters> AttemptPlayer::GraphFor(std::size_t joined) {
  const auto known = graphs_.find(joined);
  if (known != graphs_.end()) {
    return known->second;
  }
  const secagg::RoundConfig& c = job_.config;
  return graphs_
      .emplace(joined,
               secagg::ChooseGraph(static_cast<std::uint32_t>(joined), c.level, c.corrupt_fraction,
                                   c.dropout_fraction, c.privacy_bits, c.liveness_bits))
      .first->second;
}

PlayedAttempt AttemptPlayer::Play(const std::vector<std::vector<Invited>>& groups) {
  return Run(*this, groups).Play();
}

}  // namespace tutti::simulate
