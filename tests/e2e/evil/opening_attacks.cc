// Lies about whose shares came, who survived and who agreed: boxes, survivor sets, certificates.
#include <algorithm>

#include "common/crypto/hash.h"
#include "common/secagg/binding.h"
#include "common/secagg/graph.h"
#include "tests/e2e/evil/scene.h"

namespace tutti::evil {
namespace {

using secagg::Boxes;
using secagg::CommitCertificate;

void Edit(v1::Notice& notice, const std::function<void(Boxes&)>& change) {
  Rewrite<protocol::BoxesNotice>(notice,
                                 [&](protocol::BoxesNotice& value) { change(value.boxes); });
}
void Edit(v1::Notice& notice, const std::function<void(Bytes&)>& change) {
  Rewrite<protocol::SurvivorsNotice>(
      notice, [&](protocol::SurvivorsNotice& value) { change(value.survivors.bitmap); });
}
void Edit(v1::Notice& notice, const std::function<void(CommitCertificate&)>& change) {
  Rewrite<protocol::CertificateNotice>(
      notice, [&](protocol::CertificateNotice& value) { change(value.certificate); });
}

// The victim and the first `others` accomplices that shared.
Bytes SetOf(const Scene& scene, std::uint32_t others) {
  Bytes set = secagg::EmptyBitmap(scene.roster().size);
  secagg::SetBit(set, scene.own());
  for (const secagg::ShareBox& box : scene.boxes().boxes.boxes) {
    if (others-- == 0) break;
    secagg::SetBit(set, box.peer);
  }
  return set;
}

// Whose commits the certificate holds, the victim aside, signed again over something else.
void SignAgain(const Scene& scene, CommitCertificate& certificate, const Bytes& statement) {
  for (secagg::CommitEntry& entry : certificate.commits) {
    if (entry.index == scene.own()) continue;
    entry.signature = crypto::Sign(scene.IdentityOf(entry.index).signing_key, statement);
  }
}

void OneSilent(Draft& draft) { draft.silent = 1; }

constexpr Attack kAttacks[] = {
    // ---- boxes
    {"no-boxes", Step::kBoxes, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Boxes& b) { b.boxes.clear(); }); }},
    {"too-few-boxes", Step::kBoxes, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Boxes& b) { b.boxes.resize(s.threshold() - 1); });
     }},
    {"box-of-a-stranger", Step::kBoxes, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Boxes& b) { b.boxes.back().peer = s.roster().size; });
     }},
    {"box-of-the-victim", Step::kBoxes, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Boxes& b) { b.boxes[s.own() == 0 ? 0 : s.own() - 1].peer = s.own(); });
     }},
    {"boxes-swapped", Step::kBoxes, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](Boxes& b) {
         const Boxes honest = b;
         for (std::size_t i = 0; i < b.boxes.size(); ++i) {
           b.boxes[i] = honest.boxes[(i + 1) % b.boxes.size()];
           b.boxes[i].peer = honest.boxes[i].peer;
         }
       });
     }},
    {"boxes-altered", Step::kBoxes, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](Boxes& b) {
         for (secagg::ShareBox& box : b.boxes) box.ciphertext[11] ^= 1;
       });
     }},
    {"share-hashes-altered", Step::kBoxes, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](Boxes& b) {
         for (secagg::ShareBox& box : b.boxes) box.share_hash[11] ^= 1;
       });
     }},
    {"boxes-of-an-earlier-round", Step::kBoxes, nullptr,
     [](Scene& s, v1::Notice& n) { Edit(n, [&](Boxes& b) { b = s.earlier()->boxes.boxes; }); }},
    // ---- survivors
    {"victim-called-dead", Step::kSurvivors, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Bytes& set) {
         set[s.own() / 8] = static_cast<std::uint8_t>(set[s.own() / 8] & ~(1U << (s.own() % 8)));
       });
     }},
    {"unknown-survivor", Step::kSurvivors, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Bytes& set) { set.back() |= 0x80; }); }},
    {"longer-set", Step::kSurvivors, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Bytes& set) { set.push_back(1); }); }},
    {"no-set", Step::kSurvivors, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](Bytes& set) { set.clear(); }); }},
    {"dead-called-alive", Step::kSurvivors, OneSilent,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Bytes& set) {
         for (secagg::Index i = 0; i < s.roster().size; ++i) secagg::SetBit(set, i);
       });
     }},
    {"too-few-survivors", Step::kSurvivors, nullptr,
     [](Scene& s, v1::Notice& n) { Edit(n, [&](Bytes& set) { set = SetOf(s, 1); }); }},
    {"victim-alone", Step::kSurvivors, nullptr,
     [](Scene& s, v1::Notice& n) { Edit(n, [&](Bytes& set) { set = SetOf(s, 0); }); }},
    {"too-few-living-neighbours", Step::kSurvivors, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Bytes& set) { set = SetOf(s, s.threshold() - 1); });
     }},
    // ---- certificate
    {"no-commits", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](CommitCertificate& c) { c.commits.clear(); }); }},
    {"too-few-commits-in-certificate", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) { Edit(n, [](CommitCertificate& c) { c.commits.pop_back(); }); }},
    {"commit-repeated", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](CommitCertificate& c) { c.commits.back() = c.commits[c.commits.size() - 2]; });
     }},
    {"commits-out-of-order", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](CommitCertificate& c) { std::swap(c.commits[0], c.commits[1]); });
     }},
    {"commit-of-a-stranger", Step::kCertificate, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) { c.commits.back().index = s.roster().size; });
     }},
    {"commit-of-the-dead", Step::kCertificate, OneSilent,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) {
         const Bytes& alive = s.survivors().survivors.bitmap;
         secagg::Index dead = 0;
         while (secagg::TestBit(alive, dead)) ++dead;
         const Bytes statement = secagg::CommitStatement(s.SecaggSession(), crypto::Sha256(alive));
         c.commits.pop_back();
         c.commits.push_back(
             {.index = dead,
              .join = {},
              .signature = crypto::Sign(s.IdentityOf(dead).signing_key, statement)});
         std::sort(c.commits.begin(), c.commits.end(),
                   [](const auto& a, const auto& b) { return a.index < b.index; });
       });
     }},
    {"commit-altered", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](CommitCertificate& c) { c.commits.back().signature[5] ^= 1; });
     }},
    {"commits-to-another-set", Step::kCertificate, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) {
         SignAgain(
             s, c,
             secagg::CommitStatement(s.SecaggSession(), crypto::Sha256(SetOf(s, s.threshold()))));
       });
     }},
    {"commits-of-an-earlier-round", Step::kCertificate, nullptr,
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) { c = s.earlier()->certificate.certificate; });
     }},
    {"commits-of-other-signers", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](CommitCertificate& c) {
         std::swap(c.commits[0].signature, c.commits[1].signature);
       });
     }},
    {"unsigned-commits", Step::kCertificate, nullptr,
     [](Scene&, v1::Notice& n) {
       Edit(n, [](CommitCertificate& c) {
         for (secagg::CommitEntry& entry : c.commits) entry.signature = {};
       });
     }},
    // In a sparse cohort most signers are no neighbours: the tree says who they are.
    {"signer-outside-the-tree", Step::kCertificate, [](Draft& d) { d.accomplices = 70; },
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) {
         const auto stranger = std::find_if(
             c.commits.begin(), c.commits.end(),
             [](const secagg::CommitEntry& entry) { return entry.join != secagg::Join{}; });
         stranger->join.nonce[0] ^= 1;
         (void)s;
       });
     }},
    {"signer-without-certificate", Step::kCertificate, [](Draft& d) { d.accomplices = 70; },
     [](Scene&, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) {
         for (secagg::CommitEntry& entry : c.commits) entry.join = {};
       });
     }},
    {"outsider-as-signer", Step::kCertificate, [](Draft& d) { d.accomplices = 70; },
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) {
         const auto stranger = std::find_if(
             c.commits.begin(), c.commits.end(),
             [](const secagg::CommitEntry& entry) { return entry.join != secagg::Join{}; });
         const secagg::ClientIdentity outsider = s.cast().Outsider("accomplice-0");
         stranger->join.certificate = outsider.certificate;
         stranger->signature =
             crypto::Sign(outsider.signing_key,
                          secagg::CommitStatement(s.SecaggSession(),
                                                  crypto::Sha256(s.survivors().survivors.bitmap)));
       });
     }},
    {"one-signer-for-two", Step::kCertificate, [](Draft& d) { d.accomplices = 70; },
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](CommitCertificate& c) {
         const auto stranger = std::find_if(
             c.commits.begin(), c.commits.end(),
             [](const secagg::CommitEntry& entry) { return entry.join != secagg::Join{}; });
         const auto other = std::find_if(c.commits.begin(), c.commits.end(), [&](const auto& e) {
           return e.index != s.own() && &e != &*stranger;
         });
         stranger->join.certificate = s.IdentityOf(other->index).certificate;
         stranger->signature = other->signature;
       });
     }},
    {"signers-proof-cut-off", Step::kCertificate, [](Draft& d) { d.accomplices = 70; },
     [](Scene&, v1::Notice& n) { Edit(n, [](CommitCertificate& c) { c.proof.pop_back(); }); }},
    // ---- level curious: the set alone opens
    {"curious-victim-called-dead", Step::kSurvivors,
     [](Draft& d) {
       d.config.level = secagg::ThreatLevel::kCurious;
       d.task.mutable_secure_aggregation()->set_level("curious");
     },
     [](Scene& s, v1::Notice& n) {
       Edit(n, [&](Bytes& set) {
         set[s.own() / 8] = static_cast<std::uint8_t>(set[s.own() / 8] & ~(1U << (s.own() % 8)));
       });
     }},
    {"curious-too-few-survivors", Step::kSurvivors,
     [](Draft& d) {
       d.config.level = secagg::ThreatLevel::kCurious;
       d.task.mutable_secure_aggregation()->set_level("curious");
     },
     [](Scene& s, v1::Notice& n) { Edit(n, [&](Bytes& set) { set = SetOf(s, 1); }); }},
};

}  // namespace

std::span<const Attack> OpeningAttacks() { return kAttacks; }

}  // namespace tutti::evil
