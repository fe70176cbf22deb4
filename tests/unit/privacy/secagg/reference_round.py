"""One secure sum of four sites, of which one drops out between sharing its keys and sending its vector, byte for byte.

An independent reference: written from the papers, RFCs and wire descriptions (privacy/secagg/*.h), with Python's
integers, sharing no code with the product.  Prints a line `name hex` for everything that goes in and every message that
goes over the wire; frozen_round_<suite>.txt are its outputs, which frozen_round_test.cc holds the real machines to.

    reference_round.py aes128 > frozen_round_aes128.txt     # again only when the protocol's version changes
"""
import hashlib
import struct
import sys
from fractions import Fraction

import reference_crypto as crypto

# --- what goes in; frozen_round_test.cc has the same terms

NAMES = [b"berlin", b"lyon", b"porto", b"turin"]
PROTOCOL_VERSION = 2
CORRUPT, MIN_COHORT, CLIP, ELEMENTS = 1, 3, 0.5, 8
METRICS = [("clipped", 1), ("dice", 1), ("loss", 1024)]  # name, bound
LEVELS = 2**26  # for at most 31 sites
SUITES = {
    "aes128": {"cipher": 1, "key_bytes": 16, "dropped": 1, "round": 3, "attempt": 1, "privacy": bytes(32)},
    "aes256": {"cipher": 2, "key_bytes": 32, "dropped": 3, "round": 0, "attempt": 0,
               "privacy": hashlib.sha256(b"privacy").digest()},
}
UPDATES = [
    [0.25, -0.125, 0.0, 0.5, -0.5, 1e-9, 0.333333, -0.0078125],
    [0.1, 0.2, -0.3, 0.4, -0.45, 1e-3, 0.49999, 2e-5],
    [-0.7, 3.0, 0.015625, -1e-30, 0.123456, -0.499, 0.0625, 0.2],  # two are beyond the clip
    [0.3, -0.3, 0.3, -0.3, 0.3, -0.3, 0.3, -0.3],
]
WEIGHTS = [1.0, 0.5, 0.7371, 0.0123]
DICE = [0.75, 0.5, None, 0.875]
LOSS = [1.25, 0.7, 2000.0, 0.0]  # one is beyond the bound


def Sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def Expand(label, length):
    """So many fixed bytes under a label."""
    return b"".join(Sha256(label, U32(i)) for i in range((length + 31) // 32))[:length]


# --- the wire: little-endian integers, byte strings with a u32 length before them


def U32(value):
    return struct.pack("<I", value)


def U64(value):
    return struct.pack("<Q", value)


def F64(value):
    return struct.pack("<d", value)


def Prefixed(text):
    return U32(len(text)) + text


def List(messages):
    return U32(len(messages)) + b"".join(Prefixed(message) for message in messages)


def Words(values):
    return b"".join(U32(value) for value in values)


def ShareBytes(x, ys):
    return U32(x) + b"".join(U64(y) for y in ys)


def DigestOfPlaces(places):
    return Sha256(Prefixed(b"places"), U32(len(places)), *map(U32, places))


def Context(suite, keys, threshold):
    survivors_min = max(threshold, MIN_COHORT)
    members = b"".join(Prefixed(name) + key for name, key in zip(NAMES, keys))
    digests = Sha256(b"model") + Sha256(b"configuration") + Sha256(b"beacon") + suite["privacy"]
    return Sha256(
        Prefixed(b"consilium secagg session"), U32(PROTOCOL_VERSION), Prefixed(b"frozen-job"), U32(suite["round"]),
        U32(suite["attempt"]), U32(len(NAMES)), members, digests, U64(ELEMENTS + 1 + 2 * len(METRICS)), F64(CLIP),
        U32(CORRUPT), U32(MIN_COHORT), bytes([suite["cipher"]]), U32(len(NAMES) - 1), U32(threshold),
        U32(survivors_min))


# --- a site


class Site:
    """Its secrets in the order in which they are drawn: what the product's machine asks its entropy for."""

    def __init__(self, label, place, threshold):
        self.place, self.draws, self.label = place, b"", label + b" " + NAMES[place]
        self.signing_seed = Expand(self.label + b" signing", 32)
        self.noise = Expand(self.label + b" noise", 32)
        self.mask_seed, self.channel_seed, self.self_mask = (self.Draw(32) for _ in range(3))
        self.mask_polynomials = [[self.FieldElement() for _ in range(threshold - 1)] for _ in range(crypto.LIMBS)]
        self.self_polynomials = [[self.FieldElement() for _ in range(threshold - 1)] for _ in range(crypto.LIMBS)]
        self.nonces = {to: self.Draw(12) for to in range(len(NAMES)) if to != place}
        self.signing_key = crypto.Ed25519Public(self.signing_seed)
        self.channel, self.mask = crypto.X25519Public(self.channel_seed), crypto.X25519Public(self.mask_seed)

    def Draw(self, size):
        drawn = Expand(self.label + b" draw " + U32(len(self.draws)), size)
        # Once the whole field's prime is drawn, which is no element of the field: it must be drawn again.
        if self.place == 2 and len(self.draws) == 3 * 32:
            drawn = b"\xff" * size
        self.draws += drawn
        return drawn

    def FieldElement(self):
        while True:
            value = int.from_bytes(self.Draw(8), "little") & (2**61 - 1)
            if value != crypto.FIELD:
                return value

    def Sign(self, tag, context, body):
        return crypto.Ed25519Sign(self.signing_seed, Prefixed(tag) + context + U32(self.place) + body)

    def Advert(self, context):
        body = self.channel + self.mask + Sha256(b"b", context, self.self_mask)
        return U32(self.place) + body + self.Sign(b"consilium secagg advertise", context, body)

    def SharesFor(self, x):
        return crypto.Split(self.mask_seed, self.mask_polynomials, x), crypto.Split(self.self_mask,
                                                                                    self.self_polynomials, x)

    def SealedFor(self, context, peer):
        ends = U32(self.place) + U32(peer.place)
        mask_share, self_share = self.SharesFor(peer.place + 1)
        plain = ends + ShareBytes(peer.place + 1, mask_share) + ShareBytes(peer.place + 1, self_share)
        agreed = crypto.X25519(self.channel_seed, peer.channel)
        key = crypto.Hkdf(agreed, context, Prefixed(b"share") + ends, 32)
        nonce = self.nonces[peer.place]
        return ends + nonce + Prefixed(crypto.GcmSeal(key, nonce, context + ends, plain))

    def Quantised(self):
        """The vector before its masks: update, weight, and value and weight of each metric."""
        units = max(1, RoundHalfAway(Fraction(WEIGHTS[self.place]) * LEVELS))
        stream = crypto.AesCtr(self.noise, bytes(16), 4 * ELEMENTS)
        words, clipped = [], 0
        for i, value in enumerate(UPDATES[self.place]):
            value = Fraction(Float32(value))
            clipped += abs(value) > CLIP
            value = max(-Fraction(CLIP), min(Fraction(CLIP), value))
            noise = Fraction(struct.unpack_from("<I", stream, 4 * i)[0], 2**32)
            scaled = value * Fraction(units, LEVELS) * LEVELS / Fraction(CLIP)
            words.append(min((scaled + noise).__floor__(), LEVELS))
        words.append(units)
        metrics = {"clipped": Fraction(clipped, ELEMENTS), "dice": DICE[self.place], "loss": LOSS[self.place]}
        for name, bound in METRICS:
            value = metrics[name]
            scaled = 0 if value is None else max(Fraction(-1), min(Fraction(1), Fraction(value) / bound))
            words += [RoundHalfAway(scaled * units), 0 if value is None else units]
        return words


def Float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def RoundHalfAway(value):
    return (abs(value) + Fraction(1, 2)).__floor__() * (1 if value >= 0 else -1)


def Mask(seed, context, suite, count):
    material = crypto.Hkdf(seed, context, b"mask", suite["key_bytes"] + 16)
    stream = crypto.AesCtr(material[: suite["key_bytes"]], material[suite["key_bytes"] :], 4 * count)
    return struct.unpack(f"<{count}I", stream)


def PairSeed(own_seed, peer_key, context, a, b):
    agreed = crypto.X25519(own_seed, peer_key)
    return crypto.Hkdf(agreed, context, Prefixed(b"pair") + U32(min(a, b)) + U32(max(a, b)), 32)


def Masked(site, sharers, context, suite):
    vector = site.Quantised()
    masks = [(1, site.self_mask)]
    for peer in sharers:
        if peer is not site:
            seed = PairSeed(site.mask_seed, peer.mask, context, site.place, peer.place)
            masks.append((1 if peer.place > site.place else -1, seed))
    for sign, seed in masks:
        vector = [a + sign * b for a, b in zip(vector, Mask(seed, context, suite, len(vector)))]
    return [value % 2**32 for value in vector]


# --- the round


def Run(suite_name):
    suite = SUITES[suite_name]
    lines = []
    put = lambda name, value: lines.append((name, value))
    threshold = (len(NAMES) + CORRUPT) // 2 + 1
    sites = [Site(b"frozen " + suite_name.encode(), place, threshold) for place in range(len(NAMES))]
    context = Context(suite, [site.signing_key for site in sites], threshold)
    for site in sites:
        at = f"in.{site.place}."
        put(at + "signing_seed", site.signing_seed)
        put(at + "draws", site.draws)
        put(at + "noise", site.noise)
        put(at + "update", b"".join(struct.pack("<f", value) for value in UPDATES[site.place]))
        put(at + "weight", F64(WEIGHTS[site.place]))
        put(at + "dice", F64(float("nan") if DICE[site.place] is None else DICE[site.place]))
        put(at + "loss", F64(LOSS[site.place]))
    put("in.dropped", U32(suite["dropped"]))

    put("names", U32(len(NAMES)) + b"".join(map(Prefixed, NAMES)))
    for site in sites:
        put(f"signing_key.{site.place}", site.signing_key)
    put("context", context)
    # R0
    adverts = [site.Advert(context) for site in sites]
    for site, advert in zip(sites, adverts):
        put(f"advert.{site.place}", advert)
    put("adverts", List(adverts))
    # R1
    sealed = {(a.place, b.place): a.SealedFor(context, b) for a in sites for b in sites if a is not b}
    for (a, b), message in sealed.items():
        put(f"sealed.{a}.{b}", message)
    survivors = [site for site in sites if site.place != suite["dropped"]]
    for site in survivors:
        put(f"shares_for.{site.place}", List([sealed[a.place, site.place] for a in sites if a is not site]))
    # R2
    vectors = {site.place: Masked(site, sites, context, suite) for site in survivors}
    for site in survivors:
        body = Sha256(Words(vectors[site.place])) + DigestOfPlaces(range(len(NAMES)))
        put(f"vector.{site.place}", Words(vectors[site.place]))
        put(f"head.{site.place}", U32(site.place) + body + site.Sign(b"consilium secagg masked", context, body))
    # R3
    places = [site.place for site in survivors]
    audit = U64(12) + Sha256(b"audit")
    put("survivors", U32(len(places)) + Words(places) + audit)
    confirmations = []
    for site in survivors:
        signature = site.Sign(b"consilium secagg u3", context, DigestOfPlaces(places) + audit)
        confirmations.append(U32(site.place) + audit + signature)
        put(f"confirmation.{site.place}", confirmations[-1])
    put("confirmations", List(confirmations))
    # R4: of a survivor the share of its self-mask (0), of a dropped site that of its mask key (1)
    for site in survivors:
        released = b""
        for owner in sites:
            mask_share, self_share = owner.SharesFor(site.place + 1)
            kind, share = (0, self_share) if owner in survivors else (1, mask_share)
            released += U32(owner.place) + bytes([kind]) + ShareBytes(site.place + 1, share)
        put(f"release.{site.place}", U32(site.place) + U32(len(sites)) + released)

    # What the coordinator makes of it, from the shares alone.
    total = [sum(column) for column in zip(*vectors.values())]
    for owner in sites:
        kind = 1 if owner in survivors else 0
        secret = crypto.Rebuild({site.place + 1: owner.SharesFor(site.place + 1)[kind] for site in survivors})
        if owner in survivors:
            total = [a - b for a, b in zip(total, Mask(secret, context, suite, len(total)))]
            continue
        assert crypto.X25519Public(secret) == owner.mask
        for site in survivors:
            seed = PairSeed(secret, site.mask, context, owner.place, site.place)
            sign = -1 if owner.place > site.place else 1
            total = [a + sign * b for a, b in zip(total, Mask(seed, context, suite, len(total)))]
    plain = [sum(column) % 2**32 for column in zip(*(site.Quantised() for site in survivors))]
    assert [value % 2**32 for value in total] == plain, "masks are left over"
    put("sum", Words(plain))
    signed = [value - 2**32 if value >= 2**31 else value for value in plain]
    weight = signed[ELEMENTS] / LEVELS
    put("weight", F64(weight))
    put("means", b"".join(struct.pack("<f", value * (CLIP / LEVELS) / weight) for value in signed[:ELEMENTS]))
    return lines


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in SUITES:
        sys.exit(f"usage: reference_round.py {'|'.join(SUITES)}")
    crypto.CheckSelf()
    suite = sys.argv[1]
    print(f"# A secure sum, suite {suite}: made by reference_round.py; `in.` goes in, the rest is what comes out.")
    for name, value in Run(suite):
        print(name, value.hex())


if __name__ == "__main__":
    main()
