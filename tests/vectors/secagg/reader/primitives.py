"""The primitives docs/protocol.md names, from their standards and with the standard library alone.

Slow and not constant-time: for checking vectors, not for keys. Sources: RFC 7748, RFC 8032, RFC 5869, FIPS 197,
NIST SP 800-38A and 800-38D.
"""
import hashlib
import hmac

P = 2**255 - 19


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hkdf_extract(salt, key):
    return hmac.new(salt, key, hashlib.sha256).digest()


def hkdf_expand(key, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(key, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


# ---- X25519


def x25519(scalar, point=None):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = (k[31] & 127) | 64
    k = int.from_bytes(k, "little")
    x1 = 9 if point is None else int.from_bytes(point, "little") % 2**255 % P
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a % P, c * b % P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    shared = (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")
    if shared == bytes(32):
        raise ValueError("X25519 gives zero")
    return shared


# ---- Ed25519

ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _recover_x(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * ROOT % P
    if (x * x - xx) % P:
        raise ValueError("no point of the curve")
    return P - x if x & 1 != sign else x


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = _recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def _compress(p):
    z = pow(p[2], P - 2, P)
    return (p[1] * z % P | (p[0] * z % P & 1) << 255).to_bytes(32, "little")


def _decompress(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = _recover_x(y, sign)
    return x, y, 1, x * y % P


def _hash_to_scalar(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand_seed(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    return a, h[32:]


def ed25519_public(seed):
    return _compress(_times(_expand_seed(seed)[0], BASE))


def ed25519_sign(seed, message):
    a, prefix = _expand_seed(seed)
    public = _compress(_times(a, BASE))
    r = _hash_to_scalar(prefix, message) % ORDER
    big_r = _compress(_times(r, BASE))
    s = (r + _hash_to_scalar(big_r, public, message) * a) % ORDER
    return big_r + s.to_bytes(32, "little")


def ed25519_verify(public, message, signature):
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    h = _hash_to_scalar(signature[:32], public, message) % ORDER
    left, right = _times(s, BASE), _add(_decompress(signature[:32]), _times(h, _decompress(public)))
    return _compress(left) == _compress(right)


# ---- GF(2^8) and AES


def gf256_times(a, b, polynomial=0x11B):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= polynomial
        b >>= 1
    return product


def gf256_inverse(a):
    result = 1
    for _ in range(254):
        result = gf256_times(result, a)
    return result


def _make_sbox():
    box = []
    for value in range(256):
        x = gf256_inverse(value) if value else 0
        y = 0x63
        for shift in range(5):
            y ^= (x << shift | x >> 8 - shift) & 0xFF
        box.append(y)
    return box


SBOX = _make_sbox()
TWICE = [gf256_times(v, 2) for v in range(256)]
THRICE = [gf256_times(v, 3) for v in range(256)]


class Aes:
    def __init__(self, key):
        words = [list(key[i : i + 4]) for i in range(0, len(key), 4)]
        per_key, self.rounds, constant = len(words), len(words) + 6, 1
        for i in range(per_key, 4 * (self.rounds + 1)):
            word = list(words[-1])
            if i % per_key == 0:
                word = [SBOX[b] for b in word[1:] + word[:1]]
                word[0] ^= constant
                constant = TWICE[constant]
            elif per_key == 8 and i % per_key == 4:
                word = [SBOX[b] for b in word]
            words.append([a ^ b for a, b in zip(words[i - per_key], word)])
        self.keys = [sum(words[4 * r : 4 * r + 4], []) for r in range(self.rounds + 1)]

    def block(self, block):
        s = [a ^ b for a, b in zip(block, self.keys[0])]
        for r in range(1, self.rounds + 1):
            s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if r < self.rounds:
                mixed = []
                for c in range(0, 16, 4):
                    a, b, d, e = s[c : c + 4]
                    mixed += [TWICE[a] ^ THRICE[b] ^ d ^ e, a ^ TWICE[b] ^ THRICE[d] ^ e,
                              a ^ b ^ TWICE[d] ^ THRICE[e], THRICE[a] ^ b ^ d ^ TWICE[e]]
                s = mixed
            s = [a ^ b for a, b in zip(s, self.keys[r])]
        return bytes(s)


def aes_ctr(key, length, first=0):
    """The key stream: block i is the cipher of the 128-bit big-endian number first + i."""
    cipher, out = Aes(key), b""
    for i in range((length + 15) // 16):
        out += cipher.block((first + i).to_bytes(16, "big"))
    return out[:length]


def _ghash(key, data):
    total = 0
    for at in range(0, len(data), 16):
        total ^= int.from_bytes(data[at : at + 16], "big")
        product, v = 0, key
        for bit in range(127, -1, -1):
            if total >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        total = product
    return total


def aes_gcm_seal(key, associated, plain):
    """With a nonce of twelve zero bytes; the tag follows the ciphertext."""
    pad = lambda data: data + bytes(-len(data) % 16)
    stream = aes_ctr(key, 16 + len(plain), 1)
    sealed = bytes(a ^ b for a, b in zip(plain, stream[16:]))
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    hash_key = int.from_bytes(Aes(key).block(bytes(16)), "big")
    tag = _ghash(hash_key, pad(associated) + pad(sealed) + lengths) ^ int.from_bytes(stream[:16], "big")
    return sealed + tag.to_bytes(16, "big")


# ---- Shamir over GF(2^8), each byte alone


def shamir_share(coefficients, point):
    """coefficients[0] is the secret."""
    out = []
    for column in zip(*coefficients):
        value = 0
        for c in reversed(column):
            value = gf256_times(value, point) ^ c
        out.append(value)
    return bytes(out)


def shamir_rebuild(shares):
    """shares: {point: bytes}."""
    secret = [0] * len(next(iter(shares.values())))
    for point, share in shares.items():
        factor = 1
        for other in shares:
            if other != point:
                factor = gf256_times(factor, gf256_times(other, gf256_inverse(other ^ point)))
        secret = [s ^ gf256_times(factor, byte) for s, byte in zip(secret, share)]
    return bytes(secret)


def check_primitives():
    """One vector of each standard, so that a fault here is not taken for one of the protocol."""
    h = bytes.fromhex
    assert aes_ctr(h("000102030405060708090a0b0c0d0e0f"), 16, int("00112233445566778899aabbccddeeff", 16)) == h(
        "69c4e0d86a7b0430d8cdb78070b4c55a")  # FIPS 197, C.1
    assert aes_ctr(bytes(range(32)), 16, int("00112233445566778899aabbccddeeff", 16)) == h(
        "8ea2b7ca516745bfeafc49904b496089")  # FIPS 197, C.3
    assert aes_gcm_seal(bytes(32), b"", bytes(16)) == h(
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")  # GCM test case 14
    assert x25519(h("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                  h("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")) == h(
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")  # RFC 7748, 5.2
    seed = h("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert ed25519_public(seed) == h("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert ed25519_sign(seed, b"") == h(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
        "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")  # RFC 8032, 7.1
    assert ed25519_verify(ed25519_public(seed), b"", ed25519_sign(seed, b""))
    prk = hkdf_extract(bytes(range(13)), b"\x0b" * 22)
    assert hkdf_expand(prk, bytes(range(0xF0, 0xFA)), 42) == h(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")  # RFC 5869, A.1
