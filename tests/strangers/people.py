"""Devices that join, prove and grant: sections 5 to 7 of docs/protocol.md."""

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import ids

NATIVE, WEB = 1, 2


class Device:
    """A native device with its key."""

    def __init__(self, box):
        self.box, self.key = box, Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes_raw()
        self.mailbox = ids.mailbox_id(self.public)

    def redeem(self, wire, invitation, **other):
        """The fields of `redeem`."""
        mac = ids.redeem_mac(invitation.secret, self.public, self.box.identity, wire.exporter)
        fields = {"invitation": invitation.id, "device_key": self.public, "label": "a stranger", "binding": NATIVE}
        return fields | {"mac": mac} | other

    def join(self, invitation=None):
        wire = self.box.connect()
        kind, admitted = wire.ask(redeem=self.redeem(wire, invitation or self.box.invite()))
        assert kind == "admitted", admitted
        assert admitted.mailbox == self.mailbox and len(admitted.member) == 16
        self.member = admitted.member
        return wire

    def proof(self, wire):
        message = ids.prove_native(wire.nonce, self.box.identity, wire.exporter)
        return {"device_key": self.public, "signature": self.key.sign(message)}

    def prove(self, wire=None):
        """An owner's connection, and what the box wants of it."""
        wire = wire or self.box.connect()
        kind, proved = wire.ask(prove=self.proof(wire))
        assert kind == "proved", proved
        assert proved.mailbox == self.mailbox
        return wire, proved


def grant(owner, kind=0):
    """A fresh token for the owner's mailbox."""
    token = os.urandom(32)
    answer, _ = owner.ask(token_grant={"token_hash": ids.token_hash(token), "kind": kind})
    assert answer == "done"
    return token


def member(box):
    """A device that joined and proved, its connection and a token to write to it."""
    device = Device(box)
    owner, _ = device.prove(device.join())
    owner.told("caught_up")
    return device, owner, grant(owner)


def submit(token, envelope=None, ttl_s=600, **other):
    return {"token": token, "envelope": envelope or os.urandom(2048), "ttl_s": ttl_s} | other


def submit_new(sender, token, envelope=None, **other):
    """Submits; the envelope, once it is accepted as new."""
    envelope = envelope or os.urandom(2048)
    kind, accepted = sender.ask(submit=submit(token, envelope, **other))
    assert kind == "accepted" and not accepted.duplicate, accepted
    return envelope
