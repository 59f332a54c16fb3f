#include "server/simulate/secure_client.h"

#include <deque>
#include <utility>

namespace tutti::simulate {

SecureClient::SecureClient(secagg::ClientIdentity identity, crypto::PeerVerifier& verifier,
                           crypto::AesCtrStream rng, Fate fate, Encode encode)
    : rng_(std::move(rng)),
      fate_(fate),
      encode_(std::move(encode)),
      session_(std::move(identity), verifier, rng_, {}) {}

StatusOr<SecureClient::Answer> SecureClient::Hear(const protocol::Notice& notice) {
  return Advance(session::NoticeArrived{notice});
}

StatusOr<SecureClient::Answer> SecureClient::Uploaded(const protocol::SessionHash& session) {
  return Advance(session::Uploaded{session});
}

StatusOr<SecureClient::Answer> SecureClient::Advance(const session::Event& event) {
  Answer answer;
  std::deque<session::Event> events{event};
  while (!events.empty()) {
    const std::vector<session::Effect> effects = session_.Advance(events.front());
    events.pop_front();
    for (const session::Effect& effect : effects) {
      TUTTI_ASSIGN(std::optional<session::Event> next, Carry(effect, answer));
      if (next) {
        events.push_back(*std::move(next));
      }
    }
  }
  return answer;
}

StatusOr<std::optional<session::Event>> SecureClient::Carry(const session::Effect& effect,
                                                            Answer& answer) {
  using Next = std::optional<session::Event>;
  if (const auto* decide = std::get_if<session::Decide>(&effect)) {
    config_ = decide->config;
    return Next(session::Allowed{decide->offer.session});
  }
  if (const auto* train = std::get_if<session::Train>(&effect)) {
    return Next(session::Trained{train->offer.session});
  }
  if (const auto* charge = std::get_if<session::Charge>(&effect)) {
    return Next(session::Charged{charge->session});
  }
  if (std::holds_alternative<session::Upload>(effect)) {
    std::optional<secagg::RingVector> vector = encode_(config_);
    if (!vector) {
      answer.cannot_train = true;
      return Next();
    }
    TUTTI_ASSIGN(session::Session::PreparedUpload upload,
                 session_.PrepareUpload(*std::move(vector)));
    answer.upload = Upload{std::move(upload.header), std::move(upload.vector)};
    return Next();
  }
  if (const auto* send = std::get_if<session::Send>(&effect)) {
    answer.requests.push_back(send->request);
  }
  return Next();
}

}  // namespace tutti::simulate
