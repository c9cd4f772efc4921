"""Hashes, transcripts and printed codes: sections 8 and 9 of docs/protocol.md."""

import base64
import struct

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import messages


def derive(context, data):
    return blake3(data, derive_key_context=context).digest()


def keyed(key, data):
    return blake3(data, key=key).digest()


def u32(number):
    return struct.pack("<I", number)


def u64(number):
    return struct.pack("<Q", number)


def sized(data):
    return u32(len(data)) + data


def signed(context, *fields):
    """A signed message: `context || 0x00 || fields`."""
    return context.encode("ascii") + b"\0" + b"".join(fields)


def holds(public_key, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def mailbox_id(device_key):
    return derive("hob/1 mailbox", device_key)[:16]


def envelope_id(mailbox, envelope):
    return derive("hob/1 envelope", b"\x01" + mailbox + envelope)


def token_hash(token):
    return derive("hob/1 token", token)


def redeem_mac(secret, device_key, identity, exporter=b""):
    return keyed(derive("hob/1 redeem", secret), device_key + identity + exporter)


def hello_transcript(exporter, spki):
    return signed("hob/1 server", exporter, sized(spki))


def prove_native(nonce, identity, exporter):
    return signed("hob/1 prove", nonce, identity, b"\x01", exporter)


def prove_web(nonce, identity, origin):
    return signed("hob/1 prove", nonce, identity, b"\x02", sized(origin.encode()))


def addresses_transcript(sequence, expires_at_s, addresses):
    return signed("hob/1 addresses", u64(sequence), u64(expires_at_s), *(sized(each.encode()) for each in addresses))


KINDS = {
    "hob://join/": messages.box.InvitationCode,
    "hob://contact/": messages.box.ContactCode,
    "hob://device/": messages.box.DeviceCode,
    "hob://revoked/": messages.box.RevocationCode,
}


class BadCode(Exception):
    """A printed code that was changed, cut, or is none."""


def parse_code(text):
    """Section 9: version, body and checksum of a printed code, its body read."""
    text = text.strip()
    if len(text) > 2048:
        raise BadCode("longer than 2,048 characters")
    for prefix, kind in KINDS.items():
        if text.startswith(prefix):
            break
    else:
        raise BadCode("of no kind that is known")
    rest = text.removeprefix(prefix)
    if prefix == "hob://revoked/":
        rest = "".join(rest.split())
    packed = base64.urlsafe_b64decode(rest + "=" * (-len(rest) % 4))
    versioned, checksum = packed[:-4], packed[-4:]
    if derive("hob/1 printed", versioned)[:4] != checksum:
        raise BadCode("mistyped")
    if versioned[:1] != b"\x01":
        raise BadCode("of another version")
    return kind.FromString(versioned[1:]), versioned[1:], checksum
