"""The cryptography of a secure sum from its specifications, slowly, with Python's integers and standard library alone.

Shares no code with the product, takes no care of time or memory, and is checked against the specifications' own test
vectors by CheckSelf().  For tests; never for secrets.
"""
import hashlib
import hmac

# --- X25519, RFC 7748, section 5

P25519 = 2**255 - 19


def X25519(scalar, point):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    x1 = (int.from_bytes(point, "little") & (2**255 - 1)) % P25519
    x2, z2, x3, z3 = 1, 0, x1, 1
    for bit in reversed(range(255)):
        swap = k >> bit & 1
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b = (x2 + z2) % P25519, (x2 - z2) % P25519
        aa, bb = a * a % P25519, b * b % P25519
        e = (aa - bb) % P25519
        da, cb = (x3 - z3) * a % P25519, (x3 + z3) * b % P25519
        x3, z3 = (da + cb) ** 2 % P25519, x1 * (da - cb) ** 2 % P25519
        x2, z2 = aa * bb % P25519, e * (aa + 121665 * e) % P25519
        if swap:
            x2, x3, z2, z3 = x3, x2, z3, z2
    return (x2 * pow(z2, P25519 - 2, P25519) % P25519).to_bytes(32, "little")


def X25519Public(scalar):
    return X25519(scalar, (9).to_bytes(32, "little"))


# --- Ed25519, RFC 8032, section 5.1, in affine coordinates

ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P25519) % P25519
BASE_Y = 4 * pow(5, -1, P25519) % P25519


def XFromY(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, -1, P25519) % P25519
    x = pow(square, (P25519 + 3) // 8, P25519)
    if (x * x - square) % P25519 != 0:
        x = x * pow(2, (P25519 - 1) // 4, P25519) % P25519
    assert (x * x - square) % P25519 == 0, "no point"
    return x if x % 2 == sign else P25519 - x


BASE = (XFromY(BASE_Y, 0), BASE_Y)


def PointAdd(p, q):
    product = D * p[0] * q[0] * p[1] * q[1] % P25519
    x = (p[0] * q[1] + q[0] * p[1]) * pow(1 + product, -1, P25519) % P25519
    y = (p[1] * q[1] + p[0] * q[0]) * pow(1 - product, -1, P25519) % P25519
    return x, y


def PointMultiply(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = PointAdd(result, point)
        point = PointAdd(point, point)
        scalar >>= 1
    return result


def PointEncode(point):
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def Ed25519Expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return scalar, digest[32:]


def Ed25519Public(seed):
    return PointEncode(PointMultiply(Ed25519Expand(seed)[0], BASE))


def Ed25519Sign(seed, message):
    scalar, prefix = Ed25519Expand(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % ORDER
    point = PointEncode(PointMultiply(r, BASE))
    k = int.from_bytes(hashlib.sha512(point + Ed25519Public(seed) + message).digest(), "little") % ORDER
    return point + ((r + k * scalar) % ORDER).to_bytes(32, "little")


# --- HKDF with SHA-256, RFC 5869


def Hkdf(secret, salt, info, length):
    key = hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()
    out, block, count = b"", b"", 0
    while len(out) < length:
        count += 1
        block = hmac.new(key, block + info + bytes([count]), hashlib.sha256).digest()
        out += block
    return out[:length]


# --- AES, FIPS 197; counter mode, SP 800-38A; GCM, SP 800-38D


def Times2(a):
    return (a << 1 ^ 0x11B) & 0xFF if a & 0x80 else a << 1


def ByteMultiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = Times2(a), b >> 1
    return product


def MakeSbox():
    box = []
    for value in range(256):
        inverse = next((other for other in range(256) if ByteMultiply(value, other) == 1), 0)
        out = 0x63
        for shift in range(5):
            out ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
        box.append(out)
    return box


SBOX = MakeSbox()


def AesRoundKeys(key):
    words = [list(key[i : i + 4]) for i in range(0, len(key), 4)]
    own, constant = len(words), 1
    rounds = own + 6
    for i in range(own, 4 * (rounds + 1)):
        word = list(words[-1])
        if i % own == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = Times2(constant)
        elif own == 8 and i % own == 4:
            word = [SBOX[byte] for byte in word]
        words.append([a ^ b for a, b in zip(words[i - own], word)])
    return [sum(words[4 * i : 4 * i + 4], []) for i in range(rounds + 1)]


def AesEncrypt(key, block):
    round_keys = AesRoundKeys(key)
    state = [a ^ b for a, b in zip(block, round_keys[0])]
    for index, round_key in enumerate(round_keys[1:], 1):
        state = [SBOX[byte] for byte in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if index < len(round_keys) - 1:
            mixed = []
            for column in range(4):
                a = state[4 * column : 4 * column + 4]
                for i in range(4):
                    mixed.append(Times2(a[i]) ^ Times2(a[(i + 1) % 4]) ^ a[(i + 1) % 4] ^ a[(i + 2) % 4]
                                 ^ a[(i + 3) % 4])
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


def AesCtr(key, counter, length):
    """The key stream from this counter block on."""
    out, at = b"", int.from_bytes(counter, "big")
    while len(out) < length:
        out += AesEncrypt(key, (at % 2**128).to_bytes(16, "big"))
        at += 1
    return out[:length]


def GcmMultiply(x, y):
    product = 0
    for bit in reversed(range(128)):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product


def GcmSeal(key, nonce, associated, plain):
    """The ciphertext, then the tag of 16 bytes."""
    assert len(nonce) == 12
    subkey = int.from_bytes(AesEncrypt(key, bytes(16)), "big")
    stream = AesCtr(key, nonce + (2).to_bytes(4, "big"), len(plain))
    cipher = bytes(a ^ b for a, b in zip(plain, stream))
    pad = lambda text: text + bytes(-len(text) % 16)
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(cipher)).to_bytes(8, "big")
    hashed, blocks = 0, pad(associated) + pad(cipher) + lengths
    for at in range(0, len(blocks), 16):
        hashed = GcmMultiply(hashed ^ int.from_bytes(blocks[at : at + 16], "big"), subkey)
    first = AesEncrypt(key, nonce + (1).to_bytes(4, "big"))
    return cipher + bytes(a ^ b for a, b in zip(first, hashed.to_bytes(16, "big")))


# --- Shamir's sharing in the field of 2^61 - 1: 32 bytes are five limbs of 52 bits, lowest first

FIELD = 2**61 - 1
LIMBS = 5


def Split(secret, coefficients, x):
    """`coefficients`: for each limb those of x^1, x^2, ...  Returns the five values at x."""
    number = int.from_bytes(secret, "little")
    limbs = [number >> 52 * i & 2**52 - 1 for i in range(LIMBS)]
    return [
        (limb + sum(c * x ** (k + 1) for k, c in enumerate(own))) % FIELD for limb, own in zip(limbs, coefficients)
    ]


def Rebuild(shares):
    """`shares`: {x: five values}."""
    number = 0
    for limb in range(LIMBS):
        value = 0
        for i, ys in shares.items():
            numerator = denominator = 1
            for j in shares:
                if j != i:
                    numerator, denominator = numerator * j, denominator * (j - i)
            value += ys[limb] * numerator * pow(denominator, -1, FIELD)
        value %= FIELD
        assert value < 2**52, "no secret"
        number |= value << 52 * limb
    return number.to_bytes(32, "little")


def CheckSelf():
    """The specifications' test vectors; an AssertionError is a fault of this file."""
    hx = bytes.fromhex
    # RFC 7748, 5.2 and 6.1.
    assert X25519(hx("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                  hx("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")) == hx(
                      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    alice = hx("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = hx("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert X25519Public(alice) == hx("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    shared = hx("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    assert X25519(alice, X25519Public(bob)) == X25519(bob, X25519Public(alice)) == shared
    # RFC 8032, 7.1, tests 1 and 2.
    seed = hx("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert Ed25519Public(seed) == hx("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    assert Ed25519Sign(seed, b"") == hx(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
        "be24655141438e7a100b")
    seed = hx("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert Ed25519Sign(seed, hx("72")) == hx(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
        "2aeeb00d291612bb0c00")
    # RFC 5869, A.1 and A.3.
    assert Hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42) == hx(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    assert Hkdf(b"\x0b" * 22, b"", b"", 42) == hx(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
    # SP 800-38A, F.5.1 and F.5.5.
    plain = hx("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    counter = hx("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    for key, sealed in (("2b7e151628aed2a6abf7158809cf4f3c",
                         "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"),
                        ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                         "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5")):
        assert bytes(a ^ b for a, b in zip(AesCtr(hx(key), counter, 32), plain)) == hx(sealed)
    # The GCM specification's test cases 14 and 16.
    assert GcmSeal(bytes(32), bytes(12), b"", bytes(16)) == hx(
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
    plain = hx("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16a"
               "edf5aa0de657ba637b39")
    assert GcmSeal(hx("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
                   hx("cafebabefacedbaddecaf888"), hx("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plain) == hx(
                       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b105682"
                       "8838c5f61e6393ba7a0abcc9f662"
                       "76fc6ece0f4e1768cddf8853bb2d551b")
    # Shamir: any three of four rebuild, two do not.
    secret = hashlib.sha256(b"secret").digest()
    coefficients = [[int.from_bytes(hashlib.sha256(bytes([limb, k])).digest()[:7], "little") for k in range(2)]
                    for limb in range(LIMBS)]
    shares = {x: Split(secret, coefficients, x) for x in (1, 2, 3, 9)}
    for left_out in shares:
        assert Rebuild({x: ys for x, ys in shares.items() if x != left_out}) == secret
