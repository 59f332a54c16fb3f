"""As much of X.509 as docs/protocol.md asks of a client: who signed it, whose key it holds, name and role."""
from primitives import ed25519_verify

ED25519_KEY = bytes.fromhex("300506032b6570032100")  # AlgorithmIdentifier, then a BIT STRING of 32 bytes
COMMON_NAME = bytes.fromhex("0603550403")
ROLE = b"tutti:role:"


def element(der, at):
    """(start of the content, end) of the DER element at `at`."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    return start, start + length


def read(der):
    inside, end = element(der, 0)
    if end != len(der):
        raise ValueError("bytes follow the certificate")
    signed_end = element(der, inside)[1]
    algorithm_end = element(der, signed_end)[1]
    start, stop = element(der, algorithm_end)
    body = der[inside:signed_end]
    name_at = body.rindex(COMMON_NAME) + len(COMMON_NAME)  # the issuer's comes first
    name_start, name_end = element(body, name_at)
    key_at = body.index(ED25519_KEY) + len(ED25519_KEY)
    role = None
    if ROLE in body:
        role_at = body.index(ROLE)
        role = body[role_at + len(ROLE) : role_at + body[role_at - 1]].decode()
    return {"signed": body, "signature": der[start + 1 : stop], "name": body[name_start:name_end].decode(),
            "key": body[key_at : key_at + 32], "role": role}


def verify(ca, der):
    """The certificate's facts when `ca` signed it; an error otherwise."""
    facts = read(der)
    if not ed25519_verify(read(ca)["key"], facts["signed"], facts["signature"]):
        raise ValueError(f"the certificate of {facts['name']} is not of the CA")
    return facts
