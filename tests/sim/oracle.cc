#include "tests/sim/oracle.h"

#include <algorithm>

namespace tutti::sim {

void Oracle::Encoded(const ClientId& client, const protocol::SessionHash& session,
                     const secagg::RingVector& encoded, bool lie) {
  plain_[{client, session}] = secagg::ToWire(encoded);
  lies_.erase({client, session});
  if (lie) {
    lies_.insert({client, session});
    liars_.insert(client);
  }
}

void Oracle::Holds(const cohort::SuspicionRecord& record) {
  for (const auto& [client, standing] : record.clients) {
    if (!standing.excluded.empty() && !liars_.contains(client)) {
      world_.Violation(Join("honest device ", client, " is excluded: ", standing.excluded));
    }
  }
}

void Oracle::Charged(const ClientId& client, const protocol::SessionHash& session) {
  charged_.insert({client, session});
}

void Oracle::Leaves(const ClientId& client, const protocol::UploadHeader& header) {
  if (!charged_.contains({client, header.session})) {
    world_.Violation(Join("the vector of ", client, " leaves before the ledger was debited"));
  }
  const auto [left, first] = left_.emplace(Key{client, header.session}, header.header.root);
  if (!first && left->second != header.header.root) {
    world_.Violation(Join("device ", client, " sends two different vectors in one session"));
  }
}

void Oracle::Recorded(const ClientId& client, const protocol::SessionHash& session,
                      std::uint64_t round, std::uint64_t attempt, const Digest& survivor_set) {
  const auto [answered, first] = answered_.emplace(Key{client, session}, survivor_set);
  if (!first && answered->second != survivor_set) {
    world_.Violation(Join("device ", client, " answers two survivor sets of one session"));
  }
  auto& newest = newest_[client];
  if (std::pair(round, attempt) <= newest) {
    world_.Violation(Join("device ", client, " answers round ", round, " attempt ", attempt,
                          " after round ", newest.first, " attempt ", newest.second));
  }
  newest = {round, attempt};
}

void Oracle::Says(const ClientId& client, const protocol::Request& request) {
  if (const auto* commit = std::get_if<protocol::CommitRequest>(&request)) {
    if (!answered_.contains({client, commit->session})) {
      world_.Violation(Join("device ", client, " commits to a survivor set it did not record"));
    }
    const auto [said, first] =
        committed_.emplace(Key{client, commit->session}, commit->commit.signature);
    if (!first && said->second != commit->commit.signature) {
      world_.Violation(Join("device ", client, " commits twice in one session"));
    }
  } else if (const auto* unmask = std::get_if<protocol::UnmaskRequest>(&request)) {
    if (!answered_.contains({client, unmask->session})) {
      world_.Violation(Join("device ", client, " unmasks a survivor set it did not record"));
    }
    const auto [said, first] =
        revealed_.emplace(Key{client, unmask->session}, unmask->unmask.shares);
    if (!first && said->second != unmask->unmask.shares) {
      world_.Violation(Join("device ", client, " reveals two sets of shares in one session"));
    }
  }
}

void Oracle::Persisted(const protocol::SessionHash& session,
                       const std::vector<ClientId>& survivors) {
  if (!persisted_.emplace(session, survivors).second) {
    world_.Violation("the survivor set of one session is written down twice");
  }
}

void Oracle::AsksAbout(const protocol::SessionHash& session) {
  if (!persisted_.contains(session)) {
    world_.Violation("clients are asked about a survivor set that is not durable");
  }
}

void Oracle::Opened(const round::ClosedSum& closed, const secagg::RingVector& sum,
                    const Status& decoded) {
  const secagg::RoundConfig& config = closed.config;
  if (const auto kept = persisted_.find(closed.session);
      kept == persisted_.end() || kept->second != closed.survivors) {
    world_.Violation("the sum is not of the survivor set that was written down");
  }
  if (closed.survivors.size() < config.min_survivors) {
    world_.Violation(Join("a sum of ", closed.survivors.size(), " clients was opened, at least ",
                          config.min_survivors, " are needed"));
  }
  secagg::RingVector expected(config.layout());
  for (const ClientId& client : closed.survivors) {
    const auto plain = plain_.find({client, closed.session});
    if (plain == plain_.end()) {
      return world_.Violation(Join("client ", client, " is called a survivor but encoded nothing"));
    }
    if (!expected.AddWire(plain->second, 0).ok()) {
      return world_.Violation(Join("client ", client, " encoded a vector of another layout"));
    }
  }
  if (secagg::ToWire(expected) != secagg::ToWire(sum)) {
    world_.Violation(Join("the released sum of round ", config.round, " group ", config.group,
                          " is not the sum of its survivors' vectors"));
  }
  const bool spoiled =
      std::any_of(closed.survivors.begin(), closed.survivors.end(), [&](const ClientId& client) {
        return lies_.contains({client, closed.session});
      });
  if (!spoiled && !decoded.ok()) {
    world_.Violation(Join("an exact sum does not decode: ", MessageOf(decoded)));
  }
  if (spoiled && decoded.code() != StatusCode::kDataLoss) {
    world_.Violation("a spoiled sum passes its checks");
  }
}

void Oracle::Publishes(const round::Publish& publish) {
  const std::uint64_t round = publish.report.round;
  if (!rounds_.insert(round).second) {
    world_.Violation(Join("round ", round, " was published twice"));
  }
  if (round != ++published_) {
    world_.Violation(Join("round ", round, " is the ", published_, ". that was published"));
  }
  if (publish.sums.size() < publish.groups_needed) {
    world_.Violation(Join("a round is published of ", publish.sums.size(), " groups, ",
                          publish.groups_needed, " are needed"));
  }
  std::set<ClientId> members;
  for (const round::ClosedSum& closed : publish.sums) {
    for (const ClientId& client : closed.survivors) {
      if (!members.insert(client).second) {
        world_.Violation(Join("client ", client, " is in two sums of round ", round));
      }
    }
  }
  if (!std::equal(members.begin(), members.end(), publish.report.survivors.begin(),
                  publish.report.survivors.end())) {
    world_.Violation("the reported survivors are not those of the sums");
  }
}

}  // namespace tutti::sim
