"""docs/protocol.md, sections 2 to 4, as functions from bytes to bytes. Section numbers stand at the functions."""
import math
import struct

from primitives import aes_ctr, hkdf_expand, hkdf_extract, sha256

LABEL = b"tutti.secagg.v1/"
CURIOUS, MALICIOUS = 0, 1


def u8(v):
    return struct.pack("<B", v)


def u32(v):
    return struct.pack("<I", v)


def u64(v):
    return struct.pack("<Q", v)


def sized(data):
    return u32(len(data)) + data


# ---- section 2


def encode_config(c):
    text = lambda name: bytes.fromhex(c[name])
    return b"".join([
        u32(c["version"]), u8(c["level"]), sized(c["job"].encode()), u64(c["round"]), u64(c["attempt"]),
        u32(c["group"]), u32(c["groups"]), text("model_hash"), text("task_hash"), u64(c["values"]),
        u32(c["extra_lanes"]), u32(c["value_bits"]), struct.pack("<d", c["value_clip"]), u32(c["weight_bits"]),
        u32(c["min_cohort"]), u32(c["min_survivors"]), u32(c["max_cohort"]),
        struct.pack("<d", c["corrupt_fraction"]), struct.pack("<d", c["dropout_fraction"]), u32(c["privacy_bits"]),
        u32(c["liveness_bits"]), text("server_nonce")])


def config_hash(encoded):
    return sha256(LABEL, b"cfg", encoded)


def seed_commitment(cfg, seed):
    return sha256(LABEL, b"seed", cfg, seed)


def join_bytes(join):
    return (join["box_key"] + join["mask_key"] + join["seed_commitment"] + join["nonce"] + sized(join["certificate"]))


def join_statement(cfg, join):
    return LABEL + b"join" + cfg + join_bytes(join)


def join_leaf(index, join):
    return sha256(b"\0", LABEL, b"leaf", u32(index), join_bytes(join), join["signature"])


def tree_levels(leaves):
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        level = [sha256(b"\1", below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append(level + below[-1:] if len(below) % 2 else level)
    return levels


def tree_proof(levels, places):
    """Of the leaves at `places`: each sibling that neither is one of these leaves nor follows from them."""
    proof, known = [], set(places)
    for level in levels[:-1]:
        for place in sorted(known):
            if place ^ 1 not in known and place ^ 1 < len(level):
                proof.append(level[place ^ 1])
        known = {place // 2 for place in known}
    return proof


def root_from_proof(size, leaves, proof):
    """The root that `leaves` {place: digest} and the proof lead to; None when the proof does not fit."""
    known, rest = dict(leaves), list(proof)
    while size > 1:
        above = {}
        for place in sorted(known):
            sibling = place ^ 1
            if place // 2 in above:
                continue
            if sibling >= size:
                above[place // 2] = known[place]
                continue
            other = known[sibling] if sibling in known else (rest.pop(0) if rest else None)
            if other is None:
                return None
            left, right = (known[place], other) if place < sibling else (other, known[place])
            above[place // 2] = sha256(b"\1", left, right)
        known, size = above, (size + 1) // 2
    return None if rest else known[0]


def session_id(cfg, root, n):
    return sha256(LABEL, b"sid", cfg, root, u32(n))


def pair_secret(sid, agreed):
    return hkdf_extract(sid, agreed)


def box_key(secret, sender, receiver):
    return hkdf_expand(secret, LABEL + b"box" + u32(sender) + u32(receiver), 32)


def box_associated(sid, owner, holder):
    return sid + b"share" + u32(owner) + u32(holder)


def one_share_hash(sid, owner, holder, kind, share):
    return sha256(LABEL, b"share-hash", sid, u32(owner), u32(holder), u8(kind), share)


def share_hash(sid, owner, holder, seed_share, key_share):
    return (one_share_hash(sid, owner, holder, 0, seed_share)[:8]
            + one_share_hash(sid, owner, holder, 1, key_share)[:8])


def pair_mask_seed(secret, i, j):
    return hkdf_expand(secret, LABEL + b"pair" + u32(min(i, j)) + u32(max(i, j)), 16)


def self_mask_seed(sid, seed, i):
    return hkdf_expand(hkdf_extract(sid, seed), LABEL + b"self" + u32(i), 16)


def mask_lanes(seed, values, lane_bits, extras):
    """Payload lanes and extra lanes of one mask."""
    width = lane_bits // 8
    start = (values * width + 15) // 16 * 16
    stream = aes_ctr(seed, start + 4 * extras)
    payload = [int.from_bytes(stream[e * width : (e + 1) * width], "little") for e in range(values)]
    return payload, list(struct.unpack_from(f"<{extras}I", stream, start))


CHUNK = 262144


def chunk_digests(vector):
    return [sha256(vector[at : at + CHUNK]) for at in range(0, len(vector), CHUNK)]


def vector_root(length, chunks):
    return sha256(LABEL, b"chunks", u64(length), *chunks)


def shares_statement(sid, owner, boxes):
    return b"".join([LABEL, b"shares", sid, u32(owner), u32(len(boxes))]
                    + [u32(b["peer"]) + b["ciphertext"] + b["share_hash"] for b in boxes])


def header_statement(sid, sender, peers, length, root):
    return b"".join([LABEL, b"masked", sid, u32(sender), u32(len(peers))] + [u32(p) for p in peers]
                    + [u64(length), root])


def bitmap(n, members):
    out = bytearray((n + 7) // 8)
    for i in members:
        out[i // 8] |= 1 << i % 8
    return bytes(out)


def commit_statement(sid, survivors):
    return LABEL + b"commit" + sid + sha256(survivors)


# ---- section 3


def fraction_of(n, fraction):
    return math.floor(fraction * n + 1e-9)


def commits_needed(n, corrupt):
    return math.floor((1 + corrupt) * n / 2 + 1e-9) + 1


def permutation(n, sid):
    stream, at = aes_ctr(sha256(LABEL, b"graph", sid), 16 * n), 0
    circle = list(range(n))
    for i in range(n, 1, -1):
        while True:
            draw = int.from_bytes(stream[at : at + 8], "little")
            at += 8
            if draw >= 2**64 % i:
                break
        place = draw % i
        circle[i - 1], circle[place] = circle[place], circle[i - 1]
    return circle


def graph(n, k, sid):
    """The neighbours of each client, ascending."""
    if k + 1 >= n:
        return [[j for j in range(n) if j != i] for i in range(n)]
    circle, rows = permutation(n, sid), [None] * n
    for place, client in enumerate(circle):
        near = [circle[(place + d) % n] for d in range(1, k // 2 + 1)]
        rows[client] = sorted(near + [circle[place - d] for d in range(1, k // 2 + 1)])
    return rows


def _threshold(level, k, c):
    return max((k + c) // 2 + 1 if level == MALICIOUS else c + 1, min(2, k))


def _upper_quantile(n, marked, k, bits):
    """The least c with Pr[Hyp(n, marked, k) > c] <= 2^-bits / n; exact, as all of this function's kind."""
    tail, limit = 0, math.comb(n, k)
    for hits in range(min(k, marked), 0, -1):
        tail += math.comb(marked, hits) * math.comb(n - marked, k - hits)
        if tail * n << bits > limit:
            return hits
    return 0


def _lower_quantile(n, marked, k, bits):
    tail, limit = 0, math.comb(n, k)
    for hits in range(k + 1):
        tail += math.comb(marked, hits) * math.comb(n - marked, k - hits)
        if tail * n << bits > limit:
            return hits
    return k


def choose_graph(n, level, corrupt, dropout, sigma, eta):
    """(k, t); None when the configuration is refused."""
    bad, gone = fraction_of(n, corrupt), fraction_of(n, dropout)
    if n > 64:
        for k in range(2, min(n - 1, 255), 2):
            pairs, away = n * (n - k - 1), min(bad + gone, n)
            if pairs * math.comb(away, k) << sigma + 1 > 2 * math.comb(n, k):
                continue
            t = _threshold(level, k, _upper_quantile(n, bad, k, sigma + 1))
            if t <= _lower_quantile(n, n - gone, k, eta):
                return k, t
    k = n - 1
    t = _threshold(level, k, bad)
    return (k, t) if t <= k - gone and k <= 254 else None


# ---- section 4


def ring_bits(max_cohort, value_bits):
    bits = 1
    while max_cohort * (2 ** (value_bits - 1) + 1) >= 2 ** (bits - 1):
        bits += 1
    return bits


def lane_bits(bits):
    return next(w for w in (16, 32, 64) if bits <= w)


def encode_value(x, config, weight, draw):
    """draw: 24 random bits."""
    clip = config["value_clip"]
    largest = (2 ** (config["value_bits"] - 1) - 1) * (weight / 2 ** config["weight_bits"])
    scaled = max(-clip, min(clip, x)) * (largest / clip)
    return math.floor(max(-largest, min(largest, scaled)) + draw / 2**24)


def pack(values, bits, extras):
    total = sum((v % 2**bits) << (i * bits) for i, v in enumerate(values))
    return total.to_bytes((len(values) * bits + 7) // 8, "little") + b"".join(u32(e % 2**32) for e in extras)


def unpack(wire, count, bits, extras):
    size = (count * bits + 7) // 8
    total = int.from_bytes(wire[:size], "little")
    return [total >> (i * bits) & 2**bits - 1 for i in range(count)], list(struct.unpack(f"<{extras}I", wire[size:]))


def signed(value, bits):
    value %= 2**bits
    return value - 2**bits if value >> bits - 1 else value
