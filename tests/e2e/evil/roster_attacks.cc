// Rosters that are not the honest one: other keys, other clients, other neighbours, another tree.
#include <algorithm>

#include "common/crypto/keys.h"
#include "common/secagg/binding.h"
#include "tests/e2e/evil/scene.h"

namespace tutti::evil {
namespace {

using secagg::Join;
using secagg::Roster;
using Joins = std::vector<Join>;

// The place of an accomplice, the `nth` of them.
secagg::Index Other(const Scene& scene, std::uint32_t nth = 0) {
  return nth < scene.own() ? nth : nth + 1;
}

// A roster that hangs together, of other joins.
void Forge(Scene& scene, v1::Notice& notice, const std::function<void(Joins&)>& change) {
  Put(notice, protocol::RosterNotice{scene.session(), scene.Forge(change)});
}
// The honest roster with something changed.
void Edit(v1::Notice& notice, const std::function<void(Roster&)>& change) {
  Rewrite<protocol::RosterNotice>(notice,
                                  [&](protocol::RosterNotice& value) { change(value.roster); });
}

Join WithNewKeys(Scene& scene, Join join) {
  join.box_key = crypto::PublicOf(crypto::NewX25519Key(scene.cast().rng));
  join.mask_key = crypto::PublicOf(crypto::NewX25519Key(scene.cast().rng));
  return join;
}
Join SignedBy(const Scene& scene, Join join, const secagg::ClientIdentity& identity) {
  join.certificate = identity.certificate;
  join.signature = crypto::Sign(identity.signing_key, secagg::JoinStatement(scene.session(), join));
  return join;
}

void Curious(Draft& draft) {
  draft.config.level = secagg::ThreatLevel::kCurious;
  draft.task.mutable_secure_aggregation()->set_level("curious");
}

constexpr Attack kAttacks[] = {
    // ---- the victim's own entry
    {"own-join-missing", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[s.own()] = s.Signed(joins[s.own()], Other(s)); });
     }},
    {"own-join-altered", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[s.own()].seed_commitment[0] ^= 1; });
     }},
    {"own-keys-doubled", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)] = joins[s.own()]; });
     }},
    {"own-place-of-another", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) { Edit(n, [&](Roster& r) { r.own_index = Other(s); }); }},
    {"own-place-outside", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.own_index = r.size; }); }},
    // ---- the others' keys
    {"key-of-another-doubled", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s, 1)].mask_key = joins[Other(s)].mask_key;
         joins[Other(s, 1)] = s.Signed(joins[Other(s, 1)], Other(s, 1));
       });
     }},
    {"box-key-as-mask-key", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s)].mask_key = joins[Other(s)].box_key;
         joins[Other(s)] = s.Signed(joins[Other(s)], Other(s));
       });
     }},
    {"key-put-in", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)] = WithNewKeys(s, joins[Other(s)]); });
     }},
    {"box-key-of-low-order", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s)].box_key = {};
         joins[Other(s)] = s.Signed(joins[Other(s)], Other(s));
       });
     }},
    {"mask-key-of-low-order", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s)].mask_key = {};
         joins[Other(s)] = s.Signed(joins[Other(s)], Other(s));
       });
     }},
    // ---- who the others are
    {"no-certificate", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)].certificate.clear(); });
     }},
    {"certificate-of-another-ca", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s)] = SignedBy(s, joins[Other(s)], s.cast().Outsider("accomplice-0"));
       });
     }},
    {"coordinator-in-the-cohort", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s)] = SignedBy(s, joins[Other(s)], s.cast().Enrol("coordinator", "server"));
       });
     }},
    {"accomplice-twice", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         joins[Other(s, 1)] = s.Signed(WithNewKeys(s, joins[Other(s, 1)]), Other(s));
       });
     }},
    {"one-key-under-two-names", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         const secagg::ClientIdentity& first = s.IdentityOf(Other(s));
         joins[Other(s, 1)] = SignedBy(
             s, joins[Other(s, 1)],
             s.cast().EnrolKey(first.signing_key, "accomplice-under-another-name", "trainer"));
       });
     }},
    {"one-name-with-two-keys", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) {
         const auto first = crypto::ReadCertificateDer(s.IdentityOf(Other(s)).certificate).value();
         joins[Other(s, 1)] =
             SignedBy(s, joins[Other(s, 1)], s.cast().Enrol(first.name, "trainer"));
       });
     }},
    {"victim-as-its-own-neighbour", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)] = WithNewKeys(s, joins[s.own()]); });
     }},
    {"signature-altered", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)].signature[7] ^= 1; });
     }},
    {"no-signature", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)].signature = {}; });
     }},
    {"join-of-an-earlier-round", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)] = s.earlier()->joins.at("accomplice-0"); });
     }},
    // ---- two models: everyone else signed another configuration
    {"other-model-for-the-others", Step::kRoster, [](Draft& d) { d.split = true; },
     [](Scene&, v1::Notice&) {}},
    // ---- how many they are
    {"cohort-too-small", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Put(n,
           protocol::RosterNotice{
               s.session(), {.size = 2, .root = {}, .own_index = 0, .entries = {}, .proof = {}}});
     }},
    {"cohort-too-large", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Roster& r) { r.size = s.draft().config.max_cohort + 1; });
     }},
    {"cohort-one-larger", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { ++r.size; }); }},
    {"cohort-one-smaller", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { --r.size; }); }},
    {"no-neighbours", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.entries.clear(); }); }},
    {"neighbour-missing", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.entries.pop_back(); }); }},
    {"neighbour-too-many", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Roster& r) {
         r.entries.push_back(
             {.index = r.size, .join = s.Signed(WithNewKeys(s, r.entries[0].join), Other(s))});
       });
     }},
    {"neighbour-unknown", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.entries.back().index = 77; }); }},
    {"graph-of-a-smaller-degree", Step::kRoster, [](Draft& d) { d.accomplices = 70; },
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.entries.erase(r.entries.begin()); }); }},
    {"graph-chosen-by-hand", Step::kRoster, [](Draft& d) { d.accomplices = 70; },
     [](Scene& s, v1::Notice& n) {
       // The first clients of the roster instead of those the session's hash chooses.
       const auto count = s.roster().entries.size();
       const Roster all = s.roster();
       Edit(n, [&](Roster& r) {
         for (secagg::Index place = 0, at = 0; at < count; ++place) {
           if (place != s.own()) r.entries[at++].index = place;
         }
       });
     }},
    // ---- the tree
    {"other-root", Step::kRoster, nullptr,
     [](Scene& s, v1::Notice& n) {
       const Roster other = s.Forge([&](Joins& joins) { joins[Other(s)].nonce[0] ^= 1; });
       Edit(n, [&](Roster& r) { r.root = other.root; });
     }},
    {"proof-too-long", Step::kRoster, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.proof.push_back(r.root); }); }},
    {"proof-cut-off", Step::kRoster, [](Draft& d) { d.accomplices = 70; },
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.proof.pop_back(); }); }},
    {"proof-altered", Step::kRoster, [](Draft& d) { d.accomplices = 70; },
     [](Scene&, v1::Notice& n) { Edit(n, [](Roster& r) { r.proof.front()[0] ^= 1; }); }},
    // ---- level curious: keys alone
    {"curious-key-doubled", Step::kRoster, Curious,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)].box_key = joins[Other(s, 1)].box_key; });
     }},
    {"curious-key-of-low-order", Step::kRoster, Curious,
     [](Scene& s, v1::Notice& n) {
       Forge(s, n, [&](Joins& joins) { joins[Other(s)].mask_key = {}; });
     }},
    // Nothing is signed here, but no box of a client that was shown another model opens.
    {"curious-other-model-for-the-others", Step::kBoxes,
     [](Draft& d) {
       Curious(d);
       d.split = true;
     },
     [](Scene&, v1::Notice&) {}},
};

}  // namespace

std::span<const Attack> RosterAttacks() { return kAttacks; }

}  // namespace tutti::evil
