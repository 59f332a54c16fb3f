// Steps left out, repeated otherwise, or asked for before they are due; and bytes that are no
// notice.
#include "tests/e2e/evil/scene.h"

#include "common/secagg/binding.h"

namespace tutti::evil {
namespace {

void Curious(Draft& draft) {
  draft.config.level = secagg::ThreatLevel::kCurious;
  draft.task.mutable_secure_aggregation()->set_level("curious");
}

protocol::SurvivorsNotice Everyone(const Scene& scene) {
  protocol::SurvivorsNotice notice{scene.session(), {secagg::EmptyBitmap(scene.roster().size)}};
  for (secagg::Index i = 0; i < scene.roster().size; ++i) {
    secagg::SetBit(notice.survivors.bitmap, i);
  }
  return notice;
}

void EmptyCertificate(Scene& scene, v1::Notice& notice) {
  Put(notice, protocol::CertificateNotice{scene.session(), {}});
}

// The set that was shown before, with one client less.
void OtherSurvivors(Scene& scene, v1::Notice& notice) {
  protocol::SurvivorsNotice other = scene.survivors();
  const secagg::Index gone = scene.own() == 0 ? 1 : 0;
  other.survivors.bitmap[0] = static_cast<std::uint8_t>(other.survivors.bitmap[0] & ~(1U << gone));
  Put(notice, other);
}

constexpr Attack kOrder[] = {
    {"boxes-before-roster", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Put(n, protocol::BoxesNotice{s.session(), {}});
     }},
    {"survivors-before-roster", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) { Put(n, Everyone(s)); }},
    {"certificate-before-roster", Step::kRoster, nullptr, EmptyCertificate},
    {"survivors-before-upload", Step::kBoxes, nullptr,
     [](Scene& s, v1::Notice& n) { Put(n, Everyone(s)); }},
    {"certificate-before-upload", Step::kBoxes, nullptr, EmptyCertificate},
    {"curious-survivors-before-upload", Step::kBoxes, Curious,
     [](Scene& s, v1::Notice& n) { Put(n, Everyone(s)); }},
    {"certificate-before-commit", Step::kSurvivors, nullptr, EmptyCertificate},
    {"curious-certificate", Step::kSurvivors, Curious, EmptyCertificate},
    {"other-task-for-the-offer", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       v1::TaskSpec task = s.draft().task;
       task.mutable_privacy()->set_noise_multiplier(0.001);
       const std::string bytes = task.SerializeAsString();
       Put(n, protocol::Offer{.session = s.session(),
                              .config = secagg::Encode(s.draft().config),
                              .task = ToBytes(AsBytes(bytes)),
                              .model_bytes = s.draft().model_bytes,
                              .train_left = Milliseconds(1000)});
     }},
    {"second-roster", Step::kBoxes, nullptr,
     [](Scene& s, v1::Notice& n) {
       protocol::RosterNotice second{s.session(), s.roster()};
       second.roster.root[0] ^= 1;
       Put(n, second);
     }},
    {"second-boxes", Step::kSurvivors, nullptr,
     [](Scene& s, v1::Notice& n) {
       protocol::BoxesNotice second = s.boxes();
       second.boxes.boxes.pop_back();
       Put(n, second);
     }},
    {"second-survivors", Step::kCertificate, [](Draft& d) { d.silent = 0; }, OtherSurvivors},
    {"curious-second-survivors", Step::kAfter, Curious, OtherSurvivors},
    {"second-certificate", Step::kAfter, nullptr,
     [](Scene& s, v1::Notice& n) {
       protocol::CertificateNotice second = s.certificate();
       second.certificate.commits.pop_back();
       Put(n, second);
     }},
    {"second-set-after-the-answer", Step::kAfter, nullptr, OtherSurvivors},
};

// A roster nobody asked for, in the offer's place: what its bytes are is seen before what it is of.
v1::RosterMessage& Roster(Scene& scene, v1::Notice& notice) {
  secagg::Join join = {};
  join.signature[0] = 1;
  Put(notice,
      protocol::RosterNotice{
          scene.session(),
          {.size = 3, .root = {}, .own_index = 0, .entries = {{1, join}, {2, join}}, .proof = {}}});
  return *notice.mutable_roster()->mutable_roster();
}

// What the domain types cannot even say.
constexpr Attack kWire[] = {
    {"roster-of-nobody", Step::kOffer, nullptr, [](Scene& s, v1::Notice& n) { Roster(s, n); }},
    {"unknown-notice", Step::kOffer, nullptr, [](Scene&, v1::Notice& n) { n.Clear(); }},
    {"key-of-31-bytes", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) { Roster(s, n).mutable_joins(0)->mutable_box_key()->pop_back(); }},
    {"key-of-33-bytes", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       Roster(s, n).mutable_joins(0)->mutable_mask_key()->push_back('x');
     }},
    {"no-key", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) { Roster(s, n).mutable_joins(1)->clear_box_key(); }},
    {"more-keys-than-neighbours", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       v1::RosterMessage& roster = Roster(s, n);
       *roster.add_joins() = v1::JoinMessage(roster.joins(0));
     }},
    {"fewer-keys-than-neighbours", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) { Roster(s, n).mutable_joins()->RemoveLast(); }},
    {"neighbour-twice", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) { Roster(s, n).set_neighbours(1, 1); }},
    {"neighbours-out-of-order", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       v1::RosterMessage& roster = Roster(s, n);
       roster.set_neighbours(0, 2);
       roster.set_neighbours(1, 1);
     }},
    {"more-neighbours-than-clients", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       v1::RosterMessage& roster = Roster(s, n);
       for (std::uint32_t i = 3; i < 10'100; ++i) roster.add_neighbours(i);
     }},
    {"cohort-of-billions", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) { Roster(s, n).set_size(4'000'000'000U); }},
    {"certificate-of-a-megabyte", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) {
       Roster(s, n).mutable_joins(0)->set_certificate(std::string(1 << 20, 'x'));
     }},
    {"notice-above-the-largest", Step::kOffer, nullptr,
     [](Scene& s, v1::Notice& n) { Roster(s, n).set_proof(std::string(20 << 20, 'x')); }},
};

}  // namespace

std::span<const Attack> OrderAttacks() { return kOrder; }
std::span<const Attack> WireAttacks() { return kWire; }

}  // namespace tutti::evil
