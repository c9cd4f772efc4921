"""docs/vectors.json, computed again from docs/protocol.md by other people's libraries."""

import hashlib
import json

from blake3 import blake3
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import ids
import messages
from checks import check

VECTORS = json.loads((messages.ROOT / "docs" / "vectors.json").read_text())
SIZES = {2048 << step for step in range(6)}
seen = set()


def vector(name):
    """A vector, its hex as bytes."""
    seen.add(name)
    return {
        key: bytes.fromhex(value) if isinstance(value, str) and is_hex(value) and key != "digits" else value
        for key, value in VECTORS[name].items()
    }


def is_hex(text):
    return len(text) % 2 == 0 and text != "" and all(digit in "0123456789abcdef" for digit in text)


def same(name, got, wanted):
    assert got == wanted, f"{name}: {got!r} is not {wanted!r}"


@check("keys")
def keys(_):
    for name in ("key_box", "key_device", "key_member"):
        known = vector(name)
        private = Ed25519PrivateKey.from_private_bytes(known["ed25519_seed"])
        same(name, private.public_key().public_bytes_raw(), known["public_key"])


def signs(name, transcript, key):
    known = vector(name)
    private = Ed25519PrivateKey.from_private_bytes(vector(key)["ed25519_seed"])
    made = transcript(known)
    same(f"{name}: signed bytes", made, known["signed_bytes"])
    same(f"{name}: signature", private.sign(made), known["signature"])
    same(f"{name}: key", private.public_key().public_bytes_raw(), known["public_key"])
    assert ids.holds(known["public_key"], known["signature"], made)


@check("ids, MACs and transcripts")
def ids_and_transcripts(_):
    known = vector("mailbox_id")
    same("mailbox_id", ids.mailbox_id(known["device_key"]), known["mailbox"])
    known = vector("envelope_id")
    same("envelope_id", ids.envelope_id(known["mailbox"], known["envelope"]), known["id"])
    known = vector("token_hash")
    same("token_hash", ids.token_hash(known["token"]), known["token_hash"])
    for name in ("redeem_mac_native", "redeem_mac_web"):
        known = vector(name)
        mac = ids.redeem_mac(known["secret"], known["device_key"], known["identity"], known.get("exporter", b""))
        same(name, mac, known["mac"])
    signs("hello_signature", lambda v: ids.hello_transcript(v["exporter"], v["certificate_spki"]), "key_box")
    signs("prove_native", lambda v: ids.prove_native(v["nonce"], v["identity"], v["exporter"]), "key_device")
    signs("prove_web", lambda v: ids.prove_web(v["nonce"], v["identity"], v["origin"]), "key_device")
    signs(
        "address_record",
        lambda v: ids.addresses_transcript(v["sequence"], v["expires_at_s"], v["addresses"]),
        "key_box",
    )


@check("printed codes")
def printed_codes(_):
    for name in ("invitation_link", "contact_code", "device_code", "revocation_certificate"):
        known = vector(name)
        read, body, checksum = ids.parse_code(" " + known["text"] + "\n")
        same(name, (body, checksum, 1), (known["body"], known["checksum"], known["version"]))
        same(name, messages.plain(read), VECTORS[name]["fields"])
        # Any one character that is another one is noticed.
        for at in range(len(known["text"]) - 40, len(known["text"]) - 1):
            other = "A" if known["text"][at] != "A" else "B"
            try:
                ids.parse_code(known["text"][:at] + other + known["text"][at + 1 :])
            except ids.BadCode:
                continue
            raise AssertionError(f"{name}: a wrong character at {at} is not noticed")
    signs("revocation_certificate", lambda v: revocation(v["fields"]), "key_member")


def revocation(fields):
    return ids.signed("hob/1 revocation", bytes.fromhex(fields["member_key"]), ids.u64(fields["made_at_s"]))


@check("frames, both ways")
def frames(_):
    for prefix, kind in (("client_", messages.box.ClientFrame), ("server_", messages.box.ServerFrame)):
        for name in (name for name in VECTORS if name.startswith(prefix)):
            known = vector(name)
            read = kind.FromString(known["bytes"])
            same(name, messages.plain(read), VECTORS[name]["fields"])
            made = messages.fill(kind(), VECTORS[name]["fields"]).SerializeToString()
            same(name, kind.FromString(made), read)
            # A field of a later version is ignored.
            same(name, messages.plain(kind.FromString(known["bytes"] + bytes([0xC2, 0x3E, 1, 7]))), messages.plain(read))


def record_of(fields):
    read = messages.clients.DeviceRecord.FromString(fields)
    about = (read.member_key, read.device_key, read.olm_identity, read.mailbox, read.home_box)
    assert ids.holds(read.member_key, read.member_signature, ids.signed("hob/1 device record", *about))
    assert ids.holds(read.device_key, read.device_signature, ids.signed("hob/1 device record, device", *about))
    same("a record's mailbox", read.mailbox, ids.mailbox_id(read.device_key))
    return read


@check("device records, lists and bundles")
def records(_):
    known = vector("sealing_device_record")
    read = record_of(known["bytes"])
    for name in ("home_box", "mailbox", "olm_identity"):
        same(f"record: {name}", getattr(read, name), known[name])
    for seed, key in (("member_seed", read.member_key), ("device_seed", read.device_key)):
        same(seed, Ed25519PrivateKey.from_private_bytes(known[seed]).public_key().public_bytes_raw(), key)

    known = vector("sealing_device_list")
    signed_list = messages.clients.SignedDeviceList.FromString(known["bytes"])
    read = messages.clients.DeviceList.FromString(signed_list.list)
    transcript = ids.signed("hob/1 device list", ids.sized(signed_list.list))
    assert ids.holds(read.member_key, signed_list.signature, transcript)
    same("list: hash", blake3(signed_list.list).digest(), known["hash"])
    for name in ("version", "made_at_s", "expires_at_s"):
        same(f"list: {name}", getattr(read, name), known[name])
    same("list: previous", read.previous, bytes(32))
    same("list: name", [device.name for device in read.devices], [known["name"]])
    record_of(read.devices[0].record)

    known = vector("sealing_bundle")
    signed_bundle = messages.clients.SignedBundle.FromString(known["bytes"])
    read = messages.clients.Bundle.FromString(signed_bundle.bundle)
    transcript = ids.signed("hob/1 bundle", ids.sized(signed_bundle.bundle))
    assert ids.holds(record_of(read.record).device_key, signed_bundle.signature, transcript)
    for name in ("expires_at_s", "generation", "olm_fallback", "prekey", "prekey_id", "suites"):
        same(f"bundle: {name}", getattr(read, name), known[name])


def x_wing(seed):
    """draft-connolly-cfrg-xwing-kem, section 5.2: a private key from its seed of 32 bytes."""
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    return hpke.MLKEM768X25519PrivateKey(mlkem, X25519PrivateKey.from_private_bytes(expanded[64:])), mlkem, expanded[64:]


def open_envelope(envelope, seed, recipient):
    """Section 13. The library has HPKE's associated data under a private name only."""
    assert len(envelope) in SIZES and envelope[0] == 1
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    associated = envelope[:1] + recipient + envelope[1:5]
    opened = openssl.hpke._decrypt_with_aad(suite, envelope[5:], x_wing(seed)[0], b"hob/seal/1", associated)
    length = int.from_bytes(opened[:4], "little")
    assert not any(opened[4 + length :]), "only zeros behind the content"
    return opened[4 : 4 + length]


@check("an envelope opens, and no other does")
def envelope(_):
    known = vector("sealing_envelope")
    same("prekey id", int.from_bytes(known["envelope"][1:5], "little"), known["prekey_id"])
    same("middle", open_envelope(known["envelope"], known["prekey_seed"], known["recipient"]), known["middle"])
    for changed in (1, 700, 1300, len(known["envelope"]) - 1):
        damaged = bytearray(known["envelope"])
        damaged[changed] ^= 1
        try:
            open_envelope(bytes(damaged), known["prekey_seed"], known["recipient"])
        except Exception:  # The library's own; any will do.
            continue
        raise AssertionError(f"an envelope opens although byte {changed} is another")
    bundle = vector("sealing_bundle")
    _, mlkem, x25519 = x_wing(bundle["prekey_seed"])
    public = X25519PrivateKey.from_private_bytes(x25519).public_key().public_bytes_raw()
    same("prekey", mlkem.public_key().public_bytes_raw() + public, bundle["prekey"])


@check("middle layer, inner plaintext, conversation, introduction, safety number")
def between_clients(_):
    known = vector("sealing_middle")
    made = b"\x01" + bytes([known["kind"]]) + known["sender"] + known["session"] + known["inner_ciphertext"]
    same("middle", made, known["bytes"])
    same("retry hash", blake3(known["inner_ciphertext"]).digest(), known["retry_hash"])

    known = vector("sealing_conversation")
    low, high = sorted((known["member_key_a"], known["member_key_b"]))
    same("conversation", ids.derive("hob/1 conversation", low + high)[:16], known["conversation"])

    known = vector("sealing_introduction_mac")
    mac = ids.keyed(ids.derive("hob/1 introduction", known["token"]), known["writer"] + known["reader"])
    same("introduction", mac, known["mac"])

    inner = vector("sealing_inner")
    read = messages.clients.Inner.FromString(inner["bytes"])
    same("inner: text", read.text.text, inner["text"])
    same("inner: name", read.introduction.name, inner["name"])
    same("inner: mac", read.introduction.mac, known["mac"])
    same("inner: conversation", read.conversation, vector("sealing_conversation")["conversation"])
    same("inner: devices", (read.sender_device, read.recipient_device), (known["writer"], known["reader"]))

    known = vector("sealing_safety_number")
    halves = sorted((safety_half(known["member_key_a"]), safety_half(known["member_key_b"])), key=lambda half: half[0])
    same("digits", "".join(digits for digits, _ in halves), known["digits"])
    same("qr", b"\x01" + b"".join(hashed[:32] for _, hashed in halves), known["qr"])


def safety_half(key):
    hashed = hashlib.sha512(b"hob/1 safety number\0" + key).digest()
    for _ in range(5199):
        hashed = hashlib.sha512(hashed + key).digest()
    groups = (int.from_bytes(hashed[at : at + 5], "big") % 100_000 for at in range(0, 30, 5))
    return "".join(f"{group:05}" for group in groups), hashed


@check("no vector is left out")
def all_seen(_):
    same("vectors", seen, set(VECTORS))
