"""The messages of proto/tutti/v1/secagg.proto and coordinator.proto as bytes: proto3, fields by ascending number.

A field that has its default (0, empty) is not written; `repeated uint32` is packed. Only what the vectors need.
"""


def varint(value):
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def raw(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value if value else b""


def message(field, value):
    """A message that is there, even when all of its fields have their defaults."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def numbers(field, values):
    return raw(field, b"".join(varint(v) for v in values))


def signature(field, value):
    """Level curious signs nothing: its signatures are zeros in statements and absent from messages."""
    return raw(field, value if any(value) else b"")


# ---- secagg.proto


def join_message(join):
    return (raw(1, join["box_key"]) + raw(2, join["mask_key"]) + raw(3, join["seed_commitment"])
            + raw(4, join["nonce"]) + raw(5, join["certificate"]) + signature(6, join["signature"]))


def roster_message(size, root, own, neighbours, joins, proof, malicious):
    keys = b"" if malicious else b"".join(j["box_key"] + j["mask_key"] for j in joins)
    out = number(1, size) + raw(2, root) + number(3, own) + numbers(4, neighbours) + raw(5, keys)
    if malicious:
        out += b"".join(message(6, join_message(j)) for j in joins)
    return out + raw(7, b"".join(proof))


def share_boxes(boxes):
    return (numbers(1, [b["peer"] for b in boxes]) + raw(2, b"".join(b["ciphertext"] for b in boxes))
            + raw(3, b"".join(b["share_hash"] for b in boxes)))


def share_message(boxes, signed):
    return message(1, share_boxes(boxes)) + signature(2, signed)


def boxes_message(boxes):
    return message(1, share_boxes(boxes))


def masked_header(length, root, signed, chunks):
    return number(1, length) + raw(2, root) + signature(3, signed) + raw(4, b"".join(chunks))


def certificate_message(commits, proof):
    out = b""
    for commit in commits:
        entry = number(1, commit["index"])
        if commit["join"] is not None:
            entry += message(2, join_message(commit["join"]))
        out += message(1, entry + raw(3, commit["signature"]))
    return out + raw(2, b"".join(proof))


def revealed_shares(field, shares):
    if not shares:
        return b""
    return message(field, numbers(1, [s["owner"] for s in shares]) + raw(2, b"".join(s["share"] for s in shares)))


def unmask_message(shares):
    return (revealed_shares(1, [s for s in shares if s["of"] == "seed"])
            + revealed_shares(2, [s for s in shares if s["of"] == "mask_key"]))


# ---- coordinator.proto


def request(session, body):
    return raw(1, session) + message(2, body)


def upload_data(offset, data):
    return number(3, offset) + raw(4, data)


def offer_notice(config, task, model_bytes, milliseconds):
    return message(2, raw(1, config) + raw(2, task) + number(3, model_bytes) + number(4, milliseconds))


def step_notice(field, body):
    """roster 3, boxes 4, survivors 5, certificate 6; the session was said by the offer and is left out."""
    return message(field, message(2, body))


def closed_notice(outcome, survivors, sum_hash):
    return message(7, number(2, outcome) + number(4, survivors) + raw(5, sum_hash))
