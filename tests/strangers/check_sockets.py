"""WebSocket at its edges (RFC 6455), the cases of Autobahn's suite by hand: `websockets` makes and reads the frames."""

import os
import struct
import time

import messages
from checks import check
from people import member, submit
from websockets.frames import Close, CloseCode, Frame, Opcode
from wire import FRAME_BYTES_MAX, Tls

PING = messages.box.ClientFrame(version=1, request=1, ping={}).SerializeToString()
BINARY, CONTINUE, TEXT = Opcode.BINARY, Opcode.CONT, Opcode.TEXT


def framed(opcode, data, final=True, **bits):
    return Frame(opcode, data, final, **bits).serialize(mask=True)


def raw(first, data, length=None):
    """A masked frame with any first byte and any length in its header."""
    length = len(data) if length is None else length
    if length < 126:
        header = bytes([first, 0x80 | length])
    elif length < 1 << 16:
        header = bytes([first, 0x80 | 126]) + struct.pack(">H", length)
    else:
        header = bytes([first, 0x80 | 127]) + struct.pack(">Q", length)
    return header + bytes(4) + data


def answered(wire):
    frame = wire.frame()
    assert frame.WhichOneof("body") == "pong", frame


def ends(stage, data, code, error=None):
    """What these bytes end a fresh connection with; nobody else is concerned."""
    wire = stage.usual.connect()
    wire.channel.send(data)
    told, closed = wire.ended(10)
    assert closed == code, f"{data[:16].hex()}… ({len(data)} bytes): closed with {closed}, not {code}"
    assert error is None or told == error, f"{data[:16].hex()}…: told {told}, not {error}"
    wire.channel.close()


@check("a message in any fragments is one message")
def fragments(stage):
    wire = stage.usual.connect()
    for cut in range(len(PING) + 1):
        wire.channel.send(framed(BINARY, PING[:cut], False) + framed(CONTINUE, PING[cut:]))
        answered(wire)
    each = [framed(BINARY, b"", False)] + [framed(CONTINUE, bytes([byte]), False) for byte in PING]
    wire.channel.send(b"".join(each) + framed(CONTINUE, b""))
    answered(wire)
    _, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    frame = messages.box.ClientFrame(version=1, request=9, submit=submit(token, os.urandom(65536))).SerializeToString()
    for size in (1000, 4096, 65535):
        pieces = [frame[at : at + size] for at in range(0, len(frame), size)]
        for number, piece in enumerate(pieces):
            final = number == len(pieces) - 1
            sender.channel.send(framed(BINARY if number == 0 else CONTINUE, piece, final))
        assert sender.frame().accepted.duplicate == (size != 1000)
    assert len(owner.told("push").envelope) == 65536


@check("pings are answered with their payload, between fragments too, and in their order")
def pings(stage):
    wire = stage.usual.connect()
    for size in (0, 1, 124, 125):
        data = os.urandom(size)
        wire.channel.send(framed(BINARY, PING[:2], False) + framed(Opcode.PING, data) + framed(CONTINUE, PING[2:]))
        answered(wire)
        while not wire.pongs:
            wire._receive(5)
        assert wire.pongs.pop() == data
    many = [bytes([number]) * 9 for number in range(200)]
    wire.channel.send(b"".join(framed(Opcode.PING, data) for data in many))
    while len(wire.pongs) < len(many):
        assert wire._receive(5)
    assert wire.pongs == many
    # Pongs that nobody asked for are nobody's business.
    wire.channel.send(framed(Opcode.PONG, b"unasked") + framed(BINARY, PING))
    answered(wire)


@check("a frame may come byte by byte")
def slowly(stage):
    wire = stage.usual.connect()
    for byte in framed(BINARY, PING) + framed(Opcode.PING, b"slow"):
        wire.channel.send(bytes([byte]))
        time.sleep(0.01)
    answered(wire)
    while not wire.pongs:
        assert wire._receive(5)


@check("the box's own frames have no mask and their shortest length")
def own_frames(stage):
    _, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    for size in (2048, 65536):
        assert sender.ask(submit=submit(token, os.urandom(size)))[0] == "accepted"
        owner.told("push")
    # Its parser refuses both; look at the bytes all the same. What comes before is the answer to the handshake.
    data, at, frames = owner.bytes_received, owner.bytes_received.index(b"\r\n\r\n") + 4, 0
    while at < len(data):
        first, second = data[at], data[at + 1]
        assert first in (0x82, 0x88, 0x8A) and second & 0x80 == 0, data[at : at + 10].hex()
        length, at = second, at + 2
        if second == 126:
            (length,), at = struct.unpack(">H", data[at : at + 2]), at + 2
            assert length > 125
        elif second == 127:
            (length,), at = struct.unpack(">Q", data[at : at + 8]), at + 8
            assert length > 65535
        at, frames = at + length, frames + 1
    assert at == len(data) and frames > 4


@check("what the RFC forbids ends with 1002")
def forbidden(stage):
    unmasked = Frame(BINARY, PING).serialize(mask=False)
    for data in (
        unmasked,
        Frame(Opcode.PING, b"").serialize(mask=False),
        raw(0xC2, PING),
        raw(0xA2, PING),
        raw(0x92, PING),
        raw(0xC9, b""),
        *(raw(0x80 | opcode, b"") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        framed(CONTINUE, PING),
        framed(CONTINUE, PING, False),
        framed(BINARY, PING, False) + framed(BINARY, PING),
        framed(BINARY, PING, False) + framed(CONTINUE, b"") + framed(CONTINUE, b""),
        raw(0x89, bytes(126)),
        raw(0x8A, bytes(126)),
        raw(0x88, bytes(126)),
        raw(0x89, b"", 1 << 40),
        raw(0x09, b"x"),
        raw(0x0A, b"x"),
        raw(0x08, struct.pack(">H", 1000)),
        framed(BINARY, PING, False) + raw(0x09, b"x") + framed(CONTINUE, b""),
    ):
        ends(stage, data, 1002)


@check("text ends with 1003, whether or not it is UTF-8, whole or in fragments")
def text(stage):
    for data in (b"", b"hello", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80edited", b"\xf4\x90\x80\x80", b"\xff"):
        ends(stage, raw(0x81, data), 1003, 1)
        ends(stage, raw(0x01, data) + raw(0x80, b"more"), 1003, 1)


@check("a length that is too large ends with 1009 before anything of it comes")
def too_large(stage):
    for length in (FRAME_BYTES_MAX + 1, 1 << 31, 1 << 32, (1 << 63) - 1):
        ends(stage, raw(0x82, b"", length), 1009, 4)
        ends(stage, raw(0x02, bytes(100)) + raw(0x80, b"", length), 1009, 4)
    # Fragments add up.
    half = framed(BINARY, bytes(40_000), False)
    ends(stage, half + framed(CONTINUE, bytes(26_561)), 1009, 4)
    # And all of it, sent to one who does not want it: the reason still arrives.
    for _ in range(20):
        ends(stage, framed(BINARY, bytes(FRAME_BYTES_MAX + 1)), 1009, 4)
        ends(stage, framed(BINARY, bytes(1 << 20)), 1009, 4)
    # As many as may be are taken: they are no frame, but the connection goes on.
    wire = stage.usual.connect()
    wire.channel.send(framed(BINARY, b"\xff" * FRAME_BYTES_MAX))
    assert wire.frame().error.code == 1
    assert wire.ask(ping={})[0] == "pong"


@check("a goodbye is answered with its own code, and nothing after it is heard")
def goodbye(stage):
    for code in (1000, 1001, 1003, 1007, 1008, 1011, 3000, 3999, 4000, 4999):
        ends(stage, framed(Opcode.CLOSE, Close(CloseCode(code) if code < 1012 else code, "so long").serialize()), code)
    ends(stage, framed(Opcode.CLOSE, struct.pack(">H", 1000) + b"x" * 123), 1000)
    # One without a code gets one without a code, or 1000.
    wire = stage.usual.connect()
    wire.channel.send(framed(Opcode.CLOSE, b"") + framed(BINARY, PING))
    assert wire.ended(10) == (None, 1000) or wire.ended(10) == (None, 1005)
    # In the middle of a message, too.
    ends(stage, framed(BINARY, PING, False) + framed(Opcode.CLOSE, struct.pack(">H", 1000)), 1000)


@check("a goodbye that the RFC forbids ends with 1002 or 1007")
def bad_goodbye(stage):
    ends(stage, raw(0x88, b"\x03"), 1002)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        ends(stage, raw(0x88, struct.pack(">H", code)), 1002)
    ends(stage, raw(0x88, struct.pack(">H", 1000) + b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80"), 1007)


def upgrade(stage, **other):
    """The answer's head to a handshake with other headers than usual; `None` leaves one out."""
    headers = {
        "Host": "box.example",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "hob.v1",
    }
    line = other.pop("line", "GET /v1/socket HTTP/1.1")
    headers |= {name.replace("_", "-"): value for name, value in other.items() if name != "behind"}
    head = line + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    channel = Tls(stage.usual.address)
    channel.send(head.encode() + b"\r\n" + other.get("behind", b""))
    got = b""
    while b"\r\n\r\n" not in got and (more := channel.receive(10)):
        got += more
    channel.close()
    return got.split(b"\r\n\r\n")[0].decode() + "\r\n"


def is_status(head, *wanted):
    assert head.startswith("HTTP/1.1 ") and int(head.split()[1]) in wanted, head


@check("the handshake: what must be there, what may be, and no extension")
def handshakes(stage):
    good = upgrade(stage)
    is_status(good, 101)
    assert "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in good.replace("Sec-WebSocket-Accept", "sec-websocket-accept")
    for other in (
        {"Connection": "keep-alive, Upgrade"},
        {"Upgrade": "WebSocket"},
        {"Sec_WebSocket_Protocol": "other, hob.v1"},
        {"Sec_WebSocket_Protocol": None},
        {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"},
        {"Origin": "https://somewhere.example"},
        {"line": "GET https://box.example/v1/socket HTTP/1.1"},
        {"line": "GET /v1/socket?x=1 HTTP/1.1"},
    ):
        head = upgrade(stage, **other)
        is_status(head, 101)
        assert "extensions" not in head.lower(), head
        assert ("protocol: hob.v1" in head.lower()) == (other.get("Sec_WebSocket_Protocol", "") is not None), head
    for status, other in (
        (426, {"Sec_WebSocket_Version": "8"}),
        (426, {"Sec_WebSocket_Version": None}),
        (426, {"Upgrade": "h2c"}),
        (426, {"Upgrade": None}),
        (426, {"Connection": "close"}),
        (400, {"Sec_WebSocket_Key": None}),
        (400, {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"}),
        (400, {"Sec_WebSocket_Key": "!!!!!!!!!!!!!!!!!!!!!!=="}),
        (400, {"Sec_WebSocket_Protocol": "soap"}),
        (400, {"Host": None}),
        (405, {"line": "POST /v1/socket HTTP/1.1"}),
    ):
        is_status(upgrade(stage, **other), status)
    head = upgrade(stage, Sec_WebSocket_Version="8")
    assert "sec-websocket-version: 13" in head.lower(), head
    assert "upgrade: websocket" in head.lower(), f"RFC 9110, section 15.5.22: {head}"


@check("frames right behind the handshake are heard")
def behind(stage):
    channel = Tls(stage.usual.address)
    request = "GET /v1/socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    request += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    channel.send(request.encode() + framed(BINARY, PING))
    got, pong = b"", messages.box.ServerFrame(version=1, request=1, pong={}).SerializeToString()
    while pong not in got and (more := channel.receive(10)):
        got += more
    assert got.startswith(b"HTTP/1.1 101 ") and pong in got, "the ping behind the handshake is answered"
    # And one that says all at once and leaves: what it submitted is there.
    device, owner, token = member(stage.usual)
    envelope = os.urandom(2048)
    frame = messages.box.ClientFrame(version=1, request=1, submit=submit(token, envelope)).SerializeToString()
    channel = Tls(stage.usual.address)
    goodbye = framed(Opcode.CLOSE, struct.pack(">H", 1001))
    channel.send(request.encode() + framed(BINARY, frame) + goodbye)
    assert goodbye[0:1] == b"\x88" and channel.receive_all(10).endswith(b"\x88\x02\x03\xe9")
    assert owner.told("push").envelope == envelope


@check("after all of this the box serves as before")
def well(stage):
    _, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    assert sender.ask(submit=submit(token))[0] == "accepted"
    owner.told("push")
    stage.usual.assert_well()
