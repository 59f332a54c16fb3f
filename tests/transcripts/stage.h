// A stage for the coordinator's core: commands in words, effects in words. The transcripts are
// plays for it, and the unit tests of server/round speak to it too. Clients answer with real keys;
// the sum is real and checked when it opens. Thread safety: confined to one thread.
//
// Commands (docs of each beside its function in stage.cc):
//   job NAME [rounds= cohort= min= level= over= failures= evaluate= done= attempt= was=
//   survivors= groups= needed= train= exclude= corrupt=] stop NAME | resume NAME | attach CLIENT
//   [evaluator] | detach CLIENT | revoke CLIENT | readmit CLIENT | forget CLIENT wait MS | tick |
//   due | restart join CLIENT [other|broken|unknown|stranger] | share CLIENT [broken] | commit
//   CLIENT | unmask CLIENT [wrong] open CLIENT [other] | finish CLIENT [CALL] | break CLIENT |
//   upload CLIENT decline CLIENT CODE REASON... | evaluate CLIENT JOB ROUND ACCURACY | published
//   [SUM...] | counted ROUND LOSS (published, with what its clients counted) | rejected SUM... |
//   publish-failed REASON...      (the sums named are spoiled)
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/crypto/random.h"
#include "common/secagg/accumulator.h"
#include "common/secagg/client_session.h"
#include "server/round/core.h"
#include "tests/sim/test_identity.h"

namespace tutti::transcripts {

class Stage {
 public:
  Stage();
  // Carries out one command; the effects, one a line.
  std::vector<std::string> Do(const std::string& command);
  // Several commands, one a line; the effects of the last one.
  std::vector<std::string> Play(std::string_view commands);
  round::Core& core() { return *core_; }

 private:
  struct Actor {
    secagg::ClientIdentity identity;
    std::optional<secagg::ClientSession> keys;
    std::optional<protocol::Offer> offer;
    std::optional<protocol::RosterNotice> roster;
    std::optional<protocol::BoxesNotice> boxes;
    std::optional<protocol::SurvivorsNotice> survivors;
    std::optional<protocol::CertificateNotice> certificate;
    bool opened_boxes = false;
    round::CallId call = 0;  // newest upload
    protocol::UploadHeader header;
    Bytes plain;
    Bytes masked;
  };
  using Words = std::istringstream;

  std::vector<std::string> Post(const round::Event& event);
  std::vector<std::string> Ask(const std::string& client, protocol::Request request);
  Actor& ActorOf(const std::string& name);
  void MakeKeys(Actor& actor);
  std::vector<std::string> SubmitJob(Words& words);
  std::vector<std::string> SendJoin(const std::string& name, const std::string& how);
  std::vector<std::string> SendShare(const std::string& name, const std::string& how);
  std::vector<std::string> SendCommit(const std::string& name);
  std::vector<std::string> SendUnmask(const std::string& name, const std::string& how);
  std::vector<std::string> OpenUpload(const std::string& name, const std::string& how);
  std::vector<std::string> FinishUpload(const std::string& name, round::CallId call);
  std::vector<std::string> OnClient(const std::string& verb, const std::string& name, Words& words);

  std::string Show(const round::Effect& effect);
  std::string ShowNotice(const protocol::Notice& notice);
  std::string ShowPublish(const round::Publish& publish);
  std::string ShowSuspicion(const cohort::SuspicionRecord& record);
  std::string ShowSum(const round::ClosedSum& closed);
  void Remember(const round::Effect& effect);
  std::string Label(const protocol::SessionHash& session);
  std::string Relabelled(std::string text);

  testing::TestVerifier verifier_;
  crypto::AesCtrStream rng_;
  std::unique_ptr<round::Core> core_;
  Instant now_{0};
  round::CallId calls_ = 0;
  std::map<std::string, Actor> actors_;
  std::vector<protocol::SessionHash> sessions_;   // in order of appearance: s1, s2, ...
  std::map<round::CallId, std::string> uploads_;  // whose vector a call brought
  std::map<protocol::SessionHash, secagg::Accumulator> sums_;
  std::map<protocol::SessionHash, secagg::Accumulator> plain_sums_;
  protocol::SessionHash publishing_{};         // the attempt's
  std::vector<protocol::SessionHash> opened_;  // its sums
  cohort::SuspicionRecord suspicion_;          // what the store knows
  std::vector<round::OpenedSum> Verdicts(Words& spoiled) const;
};

}  // namespace tutti::transcripts
