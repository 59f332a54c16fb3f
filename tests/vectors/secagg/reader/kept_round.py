"""Plays a kept round again from its inputs alone and compares every value and message on the way.

Inputs: the configuration, each client's randomness, values and signing key, its certificate, and its last step.
"""
import certificate
import wire
from primitives import (aes_ctr, aes_gcm_seal, ed25519_public, ed25519_sign, ed25519_verify, sha256, shamir_rebuild,
                        shamir_share, x25519)
from protocol import *

STEPS = ["join", "share", "mask", "commit", "unmask"]


class Mismatch(Exception):
    pass


def same(what, computed, kept):
    if isinstance(computed, bytes):
        computed = computed.hex()
    if computed != kept:
        raise Mismatch(f"{what}: the reader computes {str(computed)[:400]}, the vector has {str(kept)[:400]}")


def read_join(raw):
    """The fields of a JoinMessage, for joins of clients whose secrets a vector leaves out."""
    names = {1: "box_key", 2: "mask_key", 3: "seed_commitment", 4: "nonce", 5: "certificate", 6: "signature"}
    join, at = {name: b"" for name in names.values()}, 0
    while at < len(raw):
        field, at = raw[at] >> 3, at + 1
        length, shift = 0, 0
        while True:
            length, shift, at = length | (raw[at] & 0x7F) << shift, shift + 7, at + 1
            if not raw[at - 1] & 0x80:
                break
        join[names[field]], at = raw[at : at + length], at + length
    join["signature"] = join["signature"] or bytes(64)
    return join


def texts(values):
    return {k: v.hex() if isinstance(v, bytes) else v for k, v in values.items()}


def box_fields(boxes, peer):
    return [{peer: b["peer"], "ciphertext": b["ciphertext"].hex(), "share_hash": b["share_hash"].hex()} for b in boxes]


class Client:
    def __init__(self, facts, config, cfg, ca):
        self.facts, self.config, self.cfg = facts, config, cfg
        self.index, self.name = facts["index"], facts["name"]
        self.drawn = {r["use"]: bytes.fromhex(r["bytes"]) for r in facts["randomness"]}
        self.last = STEPS.index(facts["last_step"])
        self.signing_key = bytes.fromhex(facts.get("signing_key", ""))
        self.malicious = config["level"] == MALICIOUS
        self.ca = ca

    def sign(self, statement):
        return ed25519_sign(self.signing_key, statement) if self.malicious else bytes(64)

    def join(self, der):
        join = {"box_key": x25519(self.drawn["box_key"]), "mask_key": x25519(self.drawn["mask_key"]),
                "seed_commitment": seed_commitment(self.cfg, self.drawn["seed"]), "nonce": self.drawn["nonce"],
                "certificate": der}
        if self.malicious:
            facts = certificate.verify(self.ca, der)
            same("the certificate's key", ed25519_public(self.signing_key), facts["key"].hex())
            same("the certificate's name and role", [facts["name"], facts["role"]], [self.name, "trainer"])
        join["signature"] = self.sign(join_statement(self.cfg, join))
        return join

    def meet(self, sid, t, row, joins):
        """Step 1: what is shared with each neighbour."""
        self.sid, self.t, self.row, self.keys, self.seeds = sid, t, row, {}, {}
        for kept, peer in zip(self.facts["pairs"], row):
            if self.malicious:
                facts = certificate.verify(self.ca, joins[peer]["certificate"])
                if facts["role"] != "trainer" or not ed25519_verify(
                        facts["key"], join_statement(self.cfg, joins[peer]), joins[peer]["signature"]):
                    raise Mismatch(f"the join of client {peer} is not signed by a trainer")
            boxes = x25519(self.drawn["box_key"], joins[peer]["box_key"])
            masks = x25519(self.drawn["mask_key"], joins[peer]["mask_key"])
            secret = pair_secret(sid, boxes)
            self.keys[peer] = box_key(secret, self.index, peer), box_key(secret, peer, self.index)
            self.seeds[peer] = pair_mask_seed(pair_secret(sid, masks), self.index, peer)
            same(f"pair {self.index}, {peer}", {
                "peer": peer, "box_keys_agree_on": boxes.hex(), "box_pair_secret": secret.hex(),
                "box_key_to_peer": self.keys[peer][0].hex(), "box_key_from_peer": self.keys[peer][1].hex(),
                "mask_keys_agree_on": masks.hex(), "mask_pair_secret": pair_secret(sid, masks).hex(),
                "pair_mask_seed": self.seeds[peer].hex()}, kept)
        self.own_seed = self_mask_seed(sid, self.drawn["seed"], self.index)
        same(f"self mask seed {self.index}", self.own_seed, self.facts["self_mask_seed"])

    def share(self):
        coefficients = {of: [self.drawn[of]] + [self.drawn[f"{of}_coefficient_{d}"] for d in range(1, self.t)]
                        for of in ("seed", "mask_key")}
        boxes, dealt = [], []
        for point, holder in enumerate(self.row, 1):
            shares = [shamir_share(coefficients[of], point) for of in ("seed", "mask_key")]
            dealt.append({"holder": holder, "point": point, "seed_share": shares[0].hex(),
                          "mask_key_share": shares[1].hex()})
            sealed = aes_gcm_seal(self.keys[holder][0], box_associated(self.sid, self.index, holder), b"".join(shares))
            boxes.append({"peer": holder, "ciphertext": sealed,
                          "share_hash": share_hash(self.sid, self.index, holder, *shares)})
        same(f"shares dealt by {self.index}", dealt, self.facts["dealt"])
        self.dealt = dealt
        return boxes, self.sign(shares_statement(self.sid, self.index, boxes))

    def mask(self, peers):
        """Step 2: the vector as it travels and its header."""
        c, self.peers = self.config, peers
        words = aes_ctr(self.drawn["rounding_key"], 4 * c["values"])
        draws = [int.from_bytes(words[4 * i : 4 * i + 4], "little") >> 8 for i in range(c["values"])]
        weight = self.facts["weight"]
        self.encoded = [encode_value(x, c, weight, d) for x, d in zip(self.facts["values"], draws)]
        self.extras = [weight] + self.facts["metrics"]
        same(f"encoded values of {self.index}", self.encoded, self.facts["encoded"])
        bits = ring_bits(c["max_cohort"], c["value_bits"])
        payload, extras = list(self.encoded), list(self.extras)
        masks = [(self.own_seed, 1)] + [(self.seeds[p], 1 if self.index < p else -1) for p in peers]
        for seed, factor in masks:
            lanes, more = mask_lanes(seed, c["values"], lane_bits(bits), c["extra_lanes"])
            payload = [(a + factor * b) % 2**bits for a, b in zip(payload, lanes)]
            extras = [(a + factor * b) % 2**32 for a, b in zip(extras, more)]
        same(f"masked lanes of {self.index}", [payload, extras], [self.facts["masked"], self.facts["masked_extras"]])
        vector = pack(payload, bits, extras)
        chunks = chunk_digests(vector)
        root = vector_root(len(vector), chunks)
        return vector, chunks, root, self.sign(header_statement(self.sid, self.index, peers, len(vector), root))


class Round:
    def __init__(self, kept):
        self.kept, self.config = kept, kept["config"]
        self.malicious = self.config["level"] == MALICIOUS
        self.messages = list(kept["messages"])
        encoded = encode_config(self.config)
        same("config bytes", encoded, kept["config_bytes"])
        self.cfg = config_hash(encoded)
        same("config hash", self.cfg, kept["config_hash"])
        self.bits = ring_bits(self.config["max_cohort"], self.config["value_bits"])
        same("ring", [self.bits, lane_bits(self.bits)], [kept["ring"]["bits"], kept["ring"]["lane_bits"]])
        ca = bytes.fromhex(kept.get("ca_certificate", ""))
        self.clients = {c["index"]: Client(c, self.config, self.cfg, ca) for c in kept["clients"]}
        self.joins = [read_join(bytes.fromhex(j)) for j in kept["roster"]["joins"]]
        self.n = len(self.joins)
        self.whole = len(self.clients) == self.n  # every client's secrets are here

    def expect(self, sender, receiver, kind, body, fields):
        same(f"{kind} from {sender} to {receiver}",
             {"from": sender, "to": receiver, "type": "tutti.v1." + kind, "bytes": body.hex(), "fields": texts(fields)},
             self.messages.pop(0))

    def say(self, client, kind, body, fields):
        self.expect(client.name, "coordinator", kind, wire.request(self.cfg, body), {"session": self.cfg, **fields})

    def tell(self, client, body, fields):
        self.expect("coordinator", client.name, "Notice", body, fields)

    def play(self):
        self.join_all()
        self.share_all()
        self.mask_all()
        if self.malicious:
            self.commit_all()
        self.unmask_all()
        self.open()
        same("messages that nothing expects", len(self.messages), 0)

    def join_all(self):
        task = b"a task"
        same("task hash", sha256(task), self.config["task_hash"])
        for client in self.clients.values():
            encoded = encode_config(self.config)
            self.tell(client, wire.offer_notice(encoded, task, 7, 60000),
                      {"config": encoded, "task": task, "model_bytes": 7, "train_milliseconds": 60000})
            join = client.join(self.joins[client.index]["certificate"])
            self.say(client, "JoinRequest", wire.join_message(join), join)
            same("join in the roster", wire.join_message(join), self.kept["roster"]["joins"][client.index])
        roster, c = self.kept["roster"], self.config
        leaves = [join_leaf(i, join) for i, join in enumerate(self.joins)]
        self.levels = tree_levels(leaves)
        self.root = self.levels[-1][0]
        self.sid = session_id(self.cfg, self.root, self.n)
        self.k, self.t = choose_graph(self.n, c["level"], c["corrupt_fraction"], c["dropout_fraction"],
                                      c["privacy_bits"], c["liveness_bits"])
        self.needed = commits_needed(self.n, c["corrupt_fraction"])
        self.rows = graph(self.n, self.k, self.sid)
        same("roster", {"size": self.n, "neighbours": self.k, "threshold": self.t, "commits_needed": self.needed,
                        "joins": roster["joins"], "leaves": [leaf.hex() for leaf in leaves], "root": self.root.hex(),
                        "sid": self.sid.hex(), "graph": self.rows}, roster)

    def proof(self, places):
        proof = tree_proof(self.levels, places)
        leaves = {p: self.levels[0][p] for p in places}
        same("root from the proof", root_from_proof(self.n, leaves, proof), self.root.hex())
        return proof

    def share_all(self):
        self.boxes = {}
        for i, client in self.clients.items():
            row = self.rows[i]
            proof = self.proof(row + [i]) if self.malicious else []
            self.tell(client, wire.step_notice(3, wire.roster_message(
                self.n, self.root, i, row, [self.joins[j] for j in row], proof, self.malicious)),
                {"size": self.n, "root": self.root, "own_index": i, "neighbours": row,
                 "proof": [p.hex() for p in proof]})
            client.meet(self.sid, self.t, row, self.joins)
            if client.last < STEPS.index("share"):
                continue
            boxes, signature = client.share()
            self.boxes[i] = {b["peer"]: b for b in boxes}
            self.say(client, "ShareRequest", wire.share_message(boxes, signature),
                     {"boxes": box_fields(boxes, "holder"), "signature": signature})
        self.sharers = set(self.kept["sharers"])
        if self.whole:
            self.sharers = set(self.boxes)
            while True:
                lonely = {i for i in self.sharers if len(self.sharers & set(self.rows[i])) < self.t}
                self.sharers -= lonely
                if not lonely:
                    break
        same("U1", sorted(self.sharers), self.kept["sharers"])

    def mask_all(self):
        self.vectors = {v["index"]: bytes.fromhex(v["wire"]) for v in self.kept["masked_vectors"]}
        for i, client in self.clients.items():
            if i not in self.sharers:
                continue
            peers = [j for j in self.rows[i] if j in self.sharers]
            if self.whole:
                boxes = [{**self.boxes[j][i], "peer": j} for j in peers]
                self.tell(client, wire.step_notice(4, wire.boxes_message(boxes)), {"boxes": box_fields(boxes, "owner")})
            else:
                self.messages.pop(0)  # boxes of clients whose secrets the vector leaves out
            if client.last < STEPS.index("mask"):
                continue
            vector, chunks, root, signature = client.mask(peers)
            same("vector's bytes", len(vector), self.kept["ring"]["wire_bytes"])
            same(f"masked vector of {i}", vector, self.vectors[i].hex())
            header = wire.masked_header(len(vector), root, signature, chunks)
            self.expect(client.name, "coordinator", "UploadChunk", wire.request(self.cfg, header),
                        {"session": self.cfg, "bytes": len(vector), "chunks": [d.hex() for d in chunks], "root": root,
                         "signature": signature})
            self.expect(client.name, "coordinator", "UploadChunk", wire.upload_data(0, vector),
                        {"offset": 0, "data": vector})
        self.survivors = sorted(self.vectors)
        self.bitmap = bitmap(self.n, self.survivors)
        same("U2", {"members": self.survivors, "bitmap": self.bitmap.hex(), "hash": sha256(self.bitmap).hex()},
             self.kept["survivors"])

    def commit_all(self):
        self.commits = {}
        for i, client in self.clients.items():
            if i not in self.survivors:
                continue
            self.tell(client, wire.step_notice(5, wire.raw(1, self.bitmap)), {"bitmap": self.bitmap})
            if client.last < STEPS.index("commit"):
                continue
            self.commits[i] = client.sign(commit_statement(self.sid, self.bitmap))
            self.say(client, "CommitRequest", wire.raw(1, self.commits[i]), {"signature": self.commits[i]})

    def certificate(self, i):
        """The entries are the coordinator's choice: T_c of them, each of which a client has to check."""
        fields, known = self.messages[0]["fields"], set(self.rows[i]) | {i}
        commits = [{"index": e["index"], "join": None if e["index"] in known else self.joins[e["index"]],
                    "signature": bytes.fromhex(e["signature"])} for e in fields["commits"]]
        places = [c["index"] for c in commits]
        if len(places) < self.needed or places != sorted(set(places)) or not set(places) <= set(self.survivors):
            raise Mismatch(f"certificate for {i} has the signers {places}")
        for commit in commits:
            facts = certificate.read(self.joins[commit["index"]]["certificate"])
            if not ed25519_verify(facts["key"], commit_statement(self.sid, self.bitmap), commit["signature"]):
                raise Mismatch(f"commit of {commit['index']} does not sign the survivor set")
            if self.whole:
                same("commit", commit["signature"], self.commits[commit["index"]].hex())
        proof = self.proof(sorted(known | set(places)))
        return wire.certificate_message(commits, proof), {
            "commits": [{"index": c["index"], "with_join": c["join"] is not None, "signature": c["signature"].hex()}
                        for c in commits],
            "proof": [node.hex() for node in proof]}

    def unmask_all(self):
        self.revealed = {}
        for i, client in self.clients.items():
            if i not in self.survivors or (self.malicious and client.last < STEPS.index("commit")):
                continue
            if self.malicious:
                body, fields = self.certificate(i)
                self.tell(client, wire.step_notice(6, body), fields)
            else:
                self.tell(client, wire.step_notice(5, wire.raw(1, self.bitmap)), {"bitmap": self.bitmap})
            if client.last < STEPS.index("unmask"):
                continue
            if not self.whole:
                self.messages.pop(0)
                continue
            shares = []
            for owner in client.peers:
                dealt = next(d for d in self.clients[owner].dealt if d["holder"] == i)
                of = "seed" if owner in self.survivors else "mask_key"
                shares.append({"owner": owner, "of": of, "share": bytes.fromhex(dealt[of + "_share"])})
                self.revealed.setdefault((owner, of), {})[dealt["point"]] = shares[-1]["share"]
            self.say(client, "UnmaskRequest", wire.unmask_message(shares), {"shares": [texts(s) for s in shares]})

    def rebuild(self):
        """Each secret from t of the revealed shares, checked against what its owner advertised."""
        secrets = []
        for (owner, of), shares in sorted(self.revealed.items()):
            if len(shares) < self.t:
                raise Mismatch(f"{of} of {owner} has {len(shares)} shares")
            for chosen in (sorted(shares)[: self.t], sorted(shares)[-self.t :]):
                secret = shamir_rebuild({point: shares[point] for point in chosen})
                if of == "seed":
                    same("commitment", seed_commitment(self.cfg, secret), self.joins[owner]["seed_commitment"].hex())
                else:
                    same("mask key", x25519(secret), self.joins[owner]["mask_key"].hex())
            secrets.append({"owner": owner, "of": of, "secret": secret.hex()})
        same("rebuilt secrets", secrets, self.kept["rebuilt"])

    def leftovers(self):
        masks = []
        for entry in self.kept["rebuilt"]:
            owner, secret = entry["owner"], bytes.fromhex(entry["secret"])
            if entry["of"] == "seed":
                masks.append((self_mask_seed(self.sid, secret, owner), True))
                continue
            for peer in self.rows[owner]:
                if peer in self.survivors:
                    agreed = x25519(secret, self.joins[peer]["mask_key"])
                    masks.append((pair_mask_seed(pair_secret(self.sid, agreed), owner, peer), peer < owner))
        same("leftover masks", [{"seed": s.hex(), "added": a} for s, a in masks], self.kept["leftover_masks"])
        return masks

    def open(self):
        c, bits = self.config, self.bits
        if self.whole:
            self.rebuild()
        payload, extras = [0] * c["values"], [0] * c["extra_lanes"]
        parts = [(*unpack(v, c["values"], bits, c["extra_lanes"]), 1) for v in self.vectors.values()]
        for seed, added in self.leftovers():
            parts.append((*mask_lanes(seed, c["values"], lane_bits(bits), c["extra_lanes"]), -1 if added else 1))
        for lanes, more, factor in parts:
            payload = [a + factor * b for a, b in zip(payload, lanes)]
            extras = [(a + factor * b) % 2**32 for a, b in zip(extras, more)]
        payload = [signed(v, bits) for v in payload]
        if self.whole:  # what the masks hid
            plain = [self.clients[i].encoded for i in self.survivors]
            same("sum of the encoded values", payload, [sum(column) for column in zip(*plain)])
        out = pack(payload, bits, extras)
        kept = self.kept["sum"]
        same("sum", [payload, extras, out.hex(), sha256(out).hex()],
             [kept["payload"], kept["extras"], kept["wire"], kept["sha256"]])
        step = c["value_clip"] / (2 ** (c["value_bits"] - 1) - 1)
        for value, mean in zip(payload, kept["mean"]):
            # The kept means are rounded to single precision.
            if abs(value * step * 2 ** c["weight_bits"] / extras[0] - mean) > 1e-6 * c["value_clip"]:
                raise Mismatch(f"mean {mean} of the sum {value}")
        for i in self.survivors:
            if i in self.clients:
                self.tell(self.clients[i], wire.closed_notice(1, len(self.survivors), sha256(out)), {
                    "session": self.cfg, "outcome": "published", "survivors": len(self.survivors),
                    "sum_sha256": sha256(out)})
