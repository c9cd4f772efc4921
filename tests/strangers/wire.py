"""One connection, from TCP to frames: sections 1, 2 and 4 of docs/protocol.md, over pyOpenSSL and `websockets`."""

import os
import select
import socket
import time

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import Opcode
from websockets.uri import parse_uri

import ids
import messages

PATIENCE_S = 30
FRAME_BYTES_MAX = 66_560


class Closed(Exception):
    """The box closed the connection. Carries the WebSocket's code; None where there was none."""

    def __init__(self, code):
        super().__init__(f"closed with {code}")
        self.code = code


class NotThatBox(Exception):
    """Who answers is not the box that was pinned."""


class Tls:
    """TLS 1.3 with any certificate; who the box is stands in the hello."""

    def __init__(self, address, source=None, alpn=(b"http/1.1",)):
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_verify(SSL.VERIFY_NONE)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        if alpn:
            context.set_alpn_protos(list(alpn))
        self.socket = socket.create_connection(address, PATIENCE_S, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = SSL.Connection(context, self.socket)
        self.tls.set_connect_state()
        self._retry(self.tls.do_handshake, time.monotonic() + PATIENCE_S)

    def exporter(self):
        return self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32)

    def spki(self):
        key = self.tls.get_peer_certificate(as_cryptography=True).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def _retry(self, call, until):
        while True:
            try:
                return call()
            except SSL.WantReadError:
                wanted = ([self.socket], [])
            except SSL.WantWriteError:
                wanted = ([], [self.socket])
            left = until - time.monotonic()
            if left <= 0 or not any(select.select(*wanted, [], left)):
                raise TimeoutError("the box says nothing")

    def send(self, data):
        until = time.monotonic() + PATIENCE_S
        view = memoryview(data)
        while view:
            view = view[self._retry(lambda: self.tls.send(bytes(view[:16384])), until) :]

    def receive(self, within_s=PATIENCE_S):
        """Some bytes; none at the end."""
        try:
            return self._retry(lambda: self.tls.recv(65536), time.monotonic() + within_s)
        except (SSL.Error, ConnectionError):
            return b""  # Closed, by a goodbye or by a reset.

    def receive_all(self, within_s=PATIENCE_S):
        """Everything until the end."""
        got, until = b"", time.monotonic() + within_s
        while more := self.receive(max(until - time.monotonic(), 0.01)):
            got += more
        return got

    def close(self):
        self.tls = None
        self.socket.close()


class Wire:
    """A WebSocket of hob.v1, after hello and challenge."""

    def __init__(self, address, pin, source=None):
        self.channel = Tls(address, source)
        uri = parse_uri(f"wss://{address[0]}:{address[1]}/v1/socket")
        self.socket = ClientProtocol(uri, subprotocols=["hob.v1"], max_size=FRAME_BYTES_MAX)
        self.unasked, self.frames, self.next_request, self.pongs = [], [], 0, []
        self.bytes_received = b""
        self.socket.send_request(self.socket.connect())
        self._flush()
        while self.socket.state.name == "CONNECTING":
            self._receive(PATIENCE_S)
        if self.socket.handshake_exc:
            raise self.socket.handshake_exc
        assert self.socket.subprotocol == "hob.v1"
        hello = self.frame()
        assert hello.WhichOneof("body") == "hello" and hello.request == 0, hello
        self.hello = hello.hello
        self.exporter = self.channel.exporter()
        self.check_hello(pin)
        challenge = self.frame()
        assert challenge.WhichOneof("body") == "challenge", challenge
        self.nonce = challenge.challenge.nonce

    def check_hello(self, pin):
        transcript = ids.hello_transcript(self.exporter, self.channel.spki())
        if self.hello.identity != pin:
            raise NotThatBox("another identity than the pinned one")
        if not ids.holds(self.hello.identity, self.hello.signature, transcript):
            raise NotThatBox("the hello's signature does not hold for this connection")

    def _flush(self):
        for data in self.socket.data_to_send():
            if data:
                self.channel.send(data)

    def _receive(self, within_s):
        data = self.channel.receive(within_s)
        if data:
            self.bytes_received += data
            self.socket.receive_data(data)
        else:
            self.socket.receive_eof()
        try:
            self._flush()
        except (SSL.Error, OSError):
            pass  # The box is gone: what it said before is what counts.
        for event in self.socket.events_received():
            if getattr(event, "opcode", None) is Opcode.BINARY:
                self.frames.append(messages.box.ServerFrame.FromString(bytes(event.data)))
            elif getattr(event, "opcode", None) is Opcode.PONG:
                self.pongs.append(bytes(event.data))
        return bool(data)

    def frame(self, within_s=PATIENCE_S):
        """The next frame. Raises `Closed`, `TimeoutError`."""
        until = time.monotonic() + within_s
        while not self.frames:
            if not self._receive(max(until - time.monotonic(), 0)) and not self.frames:
                if isinstance(self.socket.parser_exc, Exception) and not isinstance(self.socket.parser_exc, EOFError):
                    raise self.socket.parser_exc
                raise Closed(self.socket.close_rcvd and self.socket.close_rcvd.code)
        frame = self.frames.pop(0)
        assert frame.version == 1, frame
        return frame

    def say(self, request=None, **body):
        """Sends a frame; the number of its request."""
        if request is None:
            self.next_request += 1
            request = self.next_request
        frame = messages.box.ClientFrame(version=1, request=request)
        ((name, fields),) = body.items()
        getattr(frame, name).SetInParent()
        getattr(frame, name).MergeFrom(type(getattr(frame, name))(**fields))
        self.say_bytes(frame.SerializeToString())
        return request

    def say_bytes(self, data):
        self.socket.send_binary(data)
        self._flush()

    def ask(self, **body):
        """Says something and waits for its answer: its kind and its fields. What comes unasked is kept."""
        request = self.say(**body)
        while True:
            frame = self.frame()
            kind = frame.WhichOneof("body")
            if frame.request == request:
                return kind, getattr(frame, kind)
            self.unasked.append(frame)

    def refused(self, **body):
        """The code of the refusal that must come."""
        kind, answer = self.ask(**body)
        assert kind == "error", f"{kind}: {answer}"
        return answer.code

    def told(self, kind, within_s=PATIENCE_S):
        """The next unasked frame of a kind."""
        until = time.monotonic() + within_s
        while True:
            frame = self.unasked.pop(0) if self.unasked else self.frame(max(until - time.monotonic(), 0.01))
            if frame.WhichOneof("body") == kind:
                return getattr(frame, kind)

    def quiet(self):
        """Nothing more comes: a ping's answer is the next that does. What came meanwhile."""
        kind, _ = self.ask(ping={})
        assert kind == "pong"
        came, self.unasked = self.unasked, []
        return came

    def ended(self, within_s=PATIENCE_S):
        """Waits for the end: the code of the last error that was told, and the WebSocket's."""
        last = None
        try:
            while True:
                frame = self.frame(within_s)
                if frame.WhichOneof("body") == "error":
                    last = frame.error.code
        except Closed as closed:
            return last, closed.code

    def close(self, code=1000):
        try:
            self.socket.send_close(code)
            self._flush()
        except (SSL.Error, OSError, ConnectionClosed):
            pass
        self.channel.close()


def address_of(text):
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)



