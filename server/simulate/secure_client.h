// One invited client of the secure simulation: a session core, and what its shell would do at once
// (policy and ledger say yes, training is asked for when the vector is due). Internal to
// server/simulate. Thread safety: confined to one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "client/session/session.h"
#include "common/base/rng.h"
#include "common/crypto/random.h"
#include "server/simulate/fate.h"

namespace tutti::simulate {

class SecureClient {
 public:
  // `encode` gives the vector of the round that is offered; nothing: the client cannot train. All
  // borrowed things outlive the client.
  using Encode = std::function<std::optional<secagg::RingVector>(const secagg::RoundConfig&)>;
  SecureClient(secagg::ClientIdentity identity, crypto::PeerVerifier& verifier,
               crypto::AesCtrStream rng, Fate fate, Encode encode);

  const Fate& fate() const { return fate_; }

  // What the client sends when it hears this. An upload is a header with its vector.
  struct Upload {
    protocol::UploadHeader header;
    std::shared_ptr<const Bytes> vector;
  };
  struct Answer {
    std::vector<protocol::Request> requests;
    std::optional<Upload> upload;
    bool cannot_train = false;
  };
  StatusOr<Answer> Hear(const protocol::Notice& notice);
  // The coordinator has the vector.
  StatusOr<Answer> Uploaded(const protocol::SessionHash& session);

 private:
  StatusOr<Answer> Advance(const session::Event& event);
  // The event that answers an effect, if one does.
  StatusOr<std::optional<session::Event>> Carry(const session::Effect& effect, Answer& answer);

  crypto::AesCtrStream rng_;
  Fate fate_;
  Encode encode_;
  session::Session session_;
  secagg::RoundConfig config_;
};

}  // namespace tutti::simulate
