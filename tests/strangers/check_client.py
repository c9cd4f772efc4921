"""A device's life, as docs/protocol.md tells it."""

import os
import time

import ids
import messages
from checks import check
from people import WEB, Device, grant, member, submit, submit_new
from wire import Closed, NotThatBox

CODES = {
    name: number
    for number, name in (
        line.strip("| ").split(" | ")[:2]
        for line in messages.DOCUMENT.read_text().split("## 10. Refusals")[1].split("### Without")[0].splitlines()
        if line.startswith("| ") and line[2].isdigit()
    )
}
CODES = {name.strip("`"): int(number) for name, number in CODES.items()}
DEFAULTS = {
    "ttl_max_s": 19800,
    "ttl_min_s": 30,
    "mailbox_envelopes": 2000,
    "mailbox_bytes": 33554432,
    "token_burst": 256,
    "token_per_second": 20,
    "credit_max": 64,
    "bundle_fetches_per_hour": 20,
    "tokens_per_mailbox": 1024,
}


def is_refused(got, name):
    assert got == CODES[name], f"{name} ({CODES[name]}) belongs here, not {got}"


@check("the hello holds for this connection and for no other")
def hello(stage):
    wire, other = stage.usual.connect(), stage.usual.connect()
    assert messages.plain(wire.hello.limits) == DEFAULTS
    record = wire.hello.address_record
    transcript = ids.addresses_transcript(record.sequence, record.expires_at_s, record.addresses)
    assert ids.holds(wire.hello.identity, record.signature, transcript)
    assert 1 <= len(record.addresses) <= 3 and record.expires_at_s > time.time()
    wire.exporter = other.exporter
    try:
        wire.check_hello(stage.usual.identity)
    except NotThatBox:
        return
    raise AssertionError("the hello of one connection holds on another")


@check("joins by invitation, again with the same key, and nobody else with the same invitation")
def joins(stage):
    box = stage.usual
    device, invitation = Device(box), box.invite()
    wire = device.join(invitation)
    member = device.member
    kind, again = wire.ask(redeem=device.redeem(wire, invitation))
    assert (kind, again.member) == ("admitted", member)
    other, wire = Device(box), box.connect()
    is_refused(wire.refused(redeem=other.redeem(wire, invitation)), "NoSuchInvitation")
    fresh = box.invite()
    is_refused(wire.refused(redeem=other.redeem(wire, fresh, mac=os.urandom(32))), "NoSuchInvitation")
    is_refused(wire.refused(redeem=other.redeem(wire, fresh, binding=0)), "BadFrame")
    is_refused(wire.refused(redeem=other.redeem(wire, fresh, label="x" * 65)), "BadFrame")
    as_web = ids.redeem_mac(fresh.secret, device.public, box.identity)
    is_refused(wire.refused(redeem=device.redeem(wire, fresh, binding=WEB, mac=as_web)), "ExporterMissing")
    kind, _ = wire.ask(redeem=other.redeem(wire, fresh))
    assert kind == "admitted"


@check("proves over the exporter, and gets another challenge after a failed proof")
def proves(stage):
    device = Device(stage.usual)
    wire = device.join()
    used = wire.nonce
    bad = {"device_key": device.public, "signature": os.urandom(64)}
    is_refused(wire.refused(prove=bad), "BadProof")
    wire.nonce = wire.told("challenge").nonce
    assert wire.nonce != used
    fresh, wire.nonce = wire.nonce, used
    is_refused(wire.refused(prove=device.proof(wire)), "BadProof")
    wire.nonce = wire.told("challenge").nonce
    assert wire.nonce not in (used, fresh)
    wire, proved = device.prove(wire)
    wire.told("caught_up")
    assert proved.wants_bundle
    is_refused(wire.refused(prove=device.proof(wire)), "BadProof")
    nobody, wire = Device(stage.usual), stage.usual.connect()
    is_refused(wire.refused(prove=nobody.proof(wire)), "NotAMember")


@check("publishes tokens and bundle; a sender fetches it; what belongs on the other connection is refused")
def publishes(stage):
    box = stage.usual
    device = Device(box)
    owner, proved = device.prove(device.join())
    token, introduction = os.urandom(32), os.urandom(32)
    listed = [{"token_hash": ids.token_hash(token)}, {"token_hash": ids.token_hash(introduction), "kind": 1}]
    assert owner.ask(token_list={"tokens": listed})[0] == "done"
    assert owner.ask(token_grant=listed[0])[0] == "done", "granted again changes nothing"
    is_refused(owner.refused(bundle_publish={"bundle": b"", "ttl_s": 60}), "BadBundle")
    is_refused(owner.refused(bundle_publish={"bundle": bytes(4097), "ttl_s": 60}), "BadBundle")
    sender = box.connect()
    is_refused(sender.refused(bundle_fetch={"token": token}), "NoBundle")
    bundle = os.urandom(4096)
    assert owner.ask(bundle_publish={"bundle": bundle, "ttl_s": 15 * 86400})[0] == "done"
    kind, fetched = sender.ask(bundle_fetch={"token": token})
    assert (kind, fetched.bundle) == ("bundle", bundle)
    is_refused(sender.refused(credit={"envelopes": 1}), "NotProved")
    is_refused(sender.refused(token_grant=listed[0]), "NotProved")
    is_refused(sender.refused(prove=device.proof(sender)), "NotAnonymous")
    is_refused(owner.refused(submit=submit(token)), "NotAnonymous")
    is_refused(owner.refused(bundle_fetch={"token": token}), "NotAnonymous")
    # Another's hash is not told from an unknown one.
    _, stranger, _ = member(box)
    is_refused(stranger.refused(token_grant=listed[0]), "NoSuchToken")
    # The second login wants nothing any more.
    _, proved = device.prove()
    assert not proved.wants_bundle and not proved.wants_token_list
    # What is not listed is dropped.
    owner, _ = device.prove()
    assert owner.ask(token_list={"tokens": listed[1:]})[0] == "done"
    is_refused(box.connect().refused(bundle_fetch={"token": token}), "NoSuchToken")
    assert box.connect().ask(bundle_fetch={"token": introduction})[0] == "bundle"


@check("submits anonymously; received, acknowledged, repeated")
def sends(stage):
    device, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    for size in (2048 << step for step in range(6)):
        envelope = submit_new(sender, token, os.urandom(size))
        push = owner.told("push")
        assert push.envelope == envelope and push.id == ids.envelope_id(device.mailbox, envelope)
        assert 590 <= push.ttl_s <= 600
        kind, accepted = sender.ask(submit=submit(token, envelope))
        assert kind == "accepted" and accepted.duplicate and accepted.ttl_s <= 600
        assert owner.ask(acknowledge={"ids": [push.id, os.urandom(32)]})[0] == "done"
        kind, accepted = sender.ask(submit=submit(token, envelope))
        assert kind == "accepted" and accepted.duplicate, "also once it was read"
    assert owner.quiet() == [], "nothing is delivered twice"
    owner.say(request=0, acknowledge={"ids": []})
    assert owner.quiet() == [], "with request 0 it is not answered"
    kind, accepted = sender.ask(submit=submit(token, ttl_s=4_000_000_000))
    assert kind == "accepted" and 19790 <= accepted.ttl_s <= 19800, "cut to ttl_max_s"


@check("nothing else is an envelope, and no other token opens the mailbox")
def refusals(stage):
    _, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    for size in (1, 2047, 2049, 65535, 65537):
        is_refused(sender.refused(submit=submit(token, os.urandom(size))), "NotAnEnvelope")
    is_refused(sender.refused(submit={"token": token, "ttl_s": 600}), "NotAnEnvelope")
    is_refused(sender.refused(submit=submit(token, ttl_s=29)), "TtlTooShort")
    is_refused(sender.refused(submit=submit(token[:31])), "BadFrame")
    is_refused(sender.refused(submit=submit(token, urgency=2)), "BadFrame")
    is_refused(sender.refused(submit=submit(os.urandom(32))), "NoSuchToken")
    assert owner.quiet() == []
    submit_new(sender, token)
    held = owner.told("push")
    assert owner.ask(token_revoke={"token_hash": ids.token_hash(token)})[0] == "done"
    assert owner.ask(token_revoke={"token_hash": ids.token_hash(token)})[0] == "done", "whether or not it was there"
    is_refused(sender.refused(submit=submit(token)), "NoSuchToken")
    assert owner.ask(acknowledge={"ids": [held.id]})[0] == "done"
    is_refused(owner.refused(acknowledge={"ids": [os.urandom(32)] * 257}), "BadFrame")
    is_refused(owner.refused(token_list={"tokens": [{"token_hash": os.urandom(32)}] * 1025}), "BadFrame")


@check("online-only goes to who is there, and is never kept")
def online_only(stage):
    device, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    envelope = submit_new(sender, token, online_only=True)
    push = owner.told("push")
    assert (push.id, push.envelope) == (bytes(32), envelope)
    submit_new(sender, token, envelope, online_only=True)
    assert owner.told("push").envelope == envelope, "it has no duplicates"
    owner.close()
    for _ in range(3):
        submit_new(sender, token, online_only=True)
    owner, _ = device.prove()
    while (frame := owner.frame()).WhichOneof("body") != "caught_up":
        assert frame.WhichOneof("body") != "push", "never kept"


@check("what is not acknowledged comes again, oldest first, up to the credit, and after a restart too")
def comes_again(stage):
    box = stage.box()
    device, owner, token = member(box)
    epoch = owner.hello.epoch
    sender = box.connect()
    sent = [submit_new(sender, token) for _ in range(70)]
    assert [owner.told("push").envelope for _ in range(64)] == sent[:64]
    assert owner.quiet() == [], "no more than credit_max are in flight"
    assert owner.ask(acknowledge={"ids": [ids.envelope_id(device.mailbox, sent[0])]})[0] == "done"
    assert owner.told("push").envelope == sent[64]
    assert owner.ask(credit={"envelopes": 0})[0] == "done"
    assert owner.ask(acknowledge={"ids": [ids.envelope_id(device.mailbox, sent[1])]})[0] == "done"
    assert owner.quiet() == [], "0 pauses"
    box.stop()
    assert owner.told("restarting").back_in_s > 0
    is_refused(owner.ended()[1] - 4000, "Restarting")
    box.start()
    owner, proved = device.prove()
    assert owner.hello.epoch == epoch and not proved.wants_token_list
    for envelope in sent[2:]:
        push = owner.told("push")
        assert push.envelope == envelope
        owner.say(request=0, acknowledge={"ids": [push.id]})
    owner.told("caught_up")
    box.assert_well()


@check("a mailbox that is full says so, for as long as is written")
def full(stage):
    box = stage.box("--quota-mailbox-envelopes", "16", "--quota-mailbox-small-places", "0")
    device, owner, token = member(box)
    second = grant(owner)
    assert owner.ask(credit={"envelopes": 0})[0] == "done"
    sender, told = box.connect(), 0
    for each in [token] * 5 + [second] * 5 + [grant(owner)] * 5 + [grant(owner)] * 5:
        kind, answer = sender.ask(submit=submit(each))
        if kind == "error":
            is_refused(answer.code, "MailboxFull")
            assert answer.retry_after_s == 600
            told += 1
    assert told == 4, "a token's share is a quarter"
    owner.close()
    owner, _ = device.prove()
    kind = None
    while kind != "mailbox_was_full":
        frame = owner.frame()
        kind = frame.WhichOneof("body")
        if kind == "push":
            owner.say(request=0, acknowledge={"ids": [frame.push.id]})
    assert frame.mailbox_was_full.refused == 4


@check("a token that does too much is told to wait")
def too_fast(stage):
    box = stage.box("--quota-token-burst", "4", "--quota-token-per-second", "1", "--quota-bundle-fetches-per-hour", "2")
    _, owner, token = member(box)
    assert owner.hello.limits.token_burst == 4
    sender = box.connect()
    answers = [sender.ask(submit=submit(token)) for _ in range(12)]
    refused = [answer for kind, answer in answers if kind == "error"]
    assert refused and len(answers) - len(refused) >= 4
    for answer in refused:
        is_refused(answer.code, "TooFast")
        assert answer.retry_after_s > 0
    assert owner.ask(bundle_publish={"bundle": b"a bundle", "ttl_s": 600})[0] == "done"
    assert [sender.ask(bundle_fetch={"token": token})[0] for _ in range(3)] == ["bundle", "bundle", "error"]


@check("a device ticket admits a second device of the same member, once")
def second_device(stage):
    device, owner, _ = member(stage.usual)
    kind, ticket = owner.ask(device_ticket={})
    assert kind == "device_ticket" and len(ticket.id) == 16 and len(ticket.secret) == 16
    assert time.time() + 3500 < ticket.expires_at_s < time.time() + 3700
    second = Device(stage.usual)
    second.join(ticket)
    assert second.member == device.member and second.mailbox != device.mailbox
    wire, third = stage.usual.connect(), Device(stage.usual)
    is_refused(wire.refused(redeem=third.redeem(wire, ticket)), "NoSuchInvitation")
    for _ in range(4):
        assert owner.ask(device_ticket={})[0] == "device_ticket"
    kind, answer = owner.ask(device_ticket={})
    is_refused(answer.code, "TooManyTickets")
    assert answer.retry_after_s > 0


@check("another connection of the same device takes over; a keeper's revocation ends it")
def taken_over(stage):
    device, owner, token = member(stage.usual)
    newer, _ = device.prove()
    assert owner.ended() == (CODES["Superseded"], 4000 + CODES["Superseded"])
    stage.usual.hob("revoke", "--yes", device.member.hex())
    assert newer.ended() == (CODES["Revoked"], 4000 + CODES["Revoked"])
    wire = stage.usual.connect()
    code = wire.refused(prove=device.proof(wire))
    assert code in (CODES["Revoked"], CODES["NotAMember"]), code
    is_refused(stage.usual.connect().refused(submit=submit(token)), "NoSuchToken")


@check("frames that are none are answered, with their request, and the connection goes on")
def bad_frames(stage):
    wire = stage.usual.connect()
    frame = messages.box.ClientFrame
    for data, name, request in (
        (b"", "UnsupportedVersion", 0),
        (frame(version=2, request=9, ping={}).SerializeToString(), "UnsupportedVersion", 9),
        (frame(version=1, request=8).SerializeToString(), "UnknownFrame", 8),
        (frame(version=1, request=7).SerializeToString() + b"\xfa\x01\x00", "UnknownFrame", 7),
        (b"\xff\xff\xff", "BadFrame", 0),
        (os.urandom(300).replace(b"\x08", b"\x00"), None, None),
    ):
        wire.say_bytes(data)
        answer = wire.frame()
        if name:
            is_refused(answer.error.code, name)
            assert answer.request == request, answer
        assert wire.ask(ping={})[0] == "pong"
    # Unknown fields are ignored, in the frame and in its body.
    wire.say_bytes(frame(version=1, request=77).SerializeToString() + b"\xa2\x01\x03\x98\x06\x01" + b"\x98\x06\x01")
    answer = wire.frame()
    assert (answer.request, answer.WhichOneof("body")) == (77, "pong")
    wire.say(request=0, ping={})
    assert wire.frame().request == 0


@check("whoever shows nothing good is let go, with the code that is written")
def closings(stage):
    too_fast = (CODES["TooFast"], 4000 + CODES["TooFast"])
    wire = stage.usual.connect()
    for _ in range(70):
        wire.say(ping={})
    assert wire.ended() == too_fast
    _, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    submit_new(sender, token)
    for _ in range(200):
        assert sender.ask(ping={})[0] == "pong", "not so whoever showed a good token"
    for _ in range(40):
        try:
            sender.say(submit=submit(os.urandom(32)))
        except (OSError, Closed):
            break
    assert sender.ended() == too_fast
    for _ in range(70):
        owner.say_bytes(b"\xff")
    assert owner.ended() == too_fast, "64 that cannot be read end an owner's connection, too"
    impatient = stage.box("--quota-unproven-for", "1s")
    began = time.monotonic()
    assert impatient.connect().ended() == (CODES["TooSlow"], 4000 + CODES["TooSlow"])
    assert 0.5 < time.monotonic() - began < 10
