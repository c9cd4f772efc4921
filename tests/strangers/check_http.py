"""HTTP/1.1 at its edges (RFC 9110 and 9112), byte by byte; and `wrk`."""

import re
import subprocess
import time

from checks import check
from OpenSSL import SSL
from people import member, submit
from wire import Tls

#: Two requests were read where one was sent.
SMUGGLED = b"GET /join HTTP/1.1\r\nHost: smuggled\r\n\r\n"


def answers(stage, data, within_s=10):
    """Everything that is answered to these bytes, until the box closes or has nothing more to say."""
    channel = Tls(stage.usual.address)
    got = b""
    try:
        channel.send(data)
    except (SSL.Error, OSError):
        pass  # It was refused before its end.
    try:
        while more := channel.receive(within_s if not got else 0.4):
            got += more
    except TimeoutError:
        pass
    channel.close()
    return got


def statuses(got):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d\d\d) [A-Z]", got)]


def answered(stage, data, *wanted):
    """One answer, with one of these statuses; 0 stands for none."""
    got = answers(stage, data)
    assert len(statuses(got)) <= 1 and (statuses(got) or [0])[0] in wanted, f"{data[:120]!r}…: {got[:300]!r}"
    return got


def request(line="GET /join HTTP/1.1", *headers, host="Host: box.example"):
    return "\r\n".join([line, *([host] if host else []), *headers, "", ""]).encode("latin-1")


@check("one answer for each request of a pipeline, in its order")
def pipelined(stage):
    got = answers(stage, request() + request("GET /nothing HTTP/1.1") + request("GET /v1/box HTTP/1.1") + request())
    assert statuses(got) == [200, 404, 200, 200], statuses(got)
    got = answers(stage, request("GET /join HTTP/1.1", "Connection: close") + request())
    assert statuses(got) == [200], "nothing is answered after close"
    assert statuses(answers(stage, request("GET /join HTTP/1.0", host=None))) == [200], "HTTP/1.0 needs no Host"
    head = answers(stage, request("HEAD /join HTTP/1.1"))
    assert statuses(head) == [200] and head.endswith(b"\r\n\r\n"), "HEAD has no body"


@check("a Host that is missing, twice there or none is refused (RFC 9112, section 3.2)")
def hosts(stage):
    answered(stage, request(host=None), 400)
    answered(stage, request("GET /v1/box HTTP/1.1", host=None), 400)
    answered(stage, request("GET /join HTTP/1.1", "Host: other.example"), 400)
    answered(stage, request("GET /join HTTP/1.1", "Host: box.example"), 400)
    for bad in ("a b", "box.example/path", "user@box.example", "box.example:port", "[::1", "box.example:8443:1"):
        answered(stage, request(host=f"Host: {bad}"), 400)
    for good in ("", "box.example", "box.example:8443", "[::1]:8443", "192.168.178.20"):
        answered(stage, request(host=f"Host: {good}"), 200)
    answered(stage, request("GET https://box.example/join HTTP/1.1"), 200)


@check("no shape of a body makes two requests of one")
def smuggling(stage):
    inner = SMUGGLED
    length = f"Content-Length: {len(inner)}"
    line = "POST /v1/auth/login HTTP/1.1"
    chunked = b"0\r\n\r\n" + inner
    shapes = [
        # (headers, body): what a front server might read otherwise than we do.
        ((length, "Transfer-Encoding: chunked"), chunked),
        (("Transfer-Encoding: chunked", length), chunked),
        ((length, "Content-Length: 0"), inner),
        (("Content-Length: 0", length), inner),
        ((f"Content-Length: 0, {len(inner)}",), inner),
        (("Content-Length: -1",), inner),
        (("Content-Length: +5",), inner),
        (("Content-Length: 0x10",), inner),
        (("Content-Length: 5 5",), inner),
        (("Content-Length: ",), inner),
        (("Content-Length: 99999999999999999999999999",), inner),
        (("Transfer-Encoding: xchunked",), chunked),
        (("Transfer-Encoding: chunked, identity",), chunked),
        (("Transfer-Encoding: identity, chunked, chunked",), chunked),
        (("Transfer-Encoding: gzip, chunked", length), chunked),
        (("Transfer-Encoding : chunked",), chunked),
        ((" Transfer-Encoding: chunked",), chunked),
        (("Transfer-Encoding:\x0bchunked",), chunked),
        (("X: y\rTransfer-Encoding: chunked",), chunked),
        (("Content_Length: 0", "Content-Length\x00: 5"), inner),
        (("Transfer-Encoding: chunked",), b"5;\n" + inner),
        (("Transfer-Encoding: chunked",), b"0x0\r\n\r\n" + inner),
        (("Transfer-Encoding: chunked",), b"fffffffffffffffff\r\n" + inner),
        (("Transfer-Encoding: chunked",), b"-1\r\n\r\n" + inner),
        (("Transfer-Encoding: chunked",), b"2\r\n{}X0\r\n\r\n" + inner),
        (("Transfer-Encoding: chunked",), b"0;" + b"x" * 100_000 + b"\r\n\r\n" + inner),
        (("Transfer-Encoding: chunked",), b"0\r\n" + b"T: x\r\n" * 20_000 + b"\r\n" + inner),
    ]
    for headers, body in shapes:
        got = answers(stage, request(line, "Content-Type: application/json", *headers) + body)
        assert 200 not in statuses(got), f"{headers} {body[:40]!r}: {got!r}"
        assert len(statuses(got)) <= 1, f"{headers} {body[:40]!r}: {statuses(got)}"
    # The honest ones: a body that the operation does not want is read to its end, and what follows is a request.
    for headers, body in (((length,), inner), (("Transfer-Encoding: chunked",), b"2\r\n{}\r\n0\r\n\r\n")):
        got = answers(stage, request(line, "Content-Type: application/json", *headers) + body + request())
        assert statuses(got) in ([400, 200], [400]), statuses(got)
    # A GET with a body: its bytes are no request.
    got = answers(stage, request("GET /join HTTP/1.1", length) + inner)
    assert statuses(got) == [200], statuses(got)
    return f"{len(shapes)} shapes"


@check("a head that is none, or too large, is refused and nothing is kept")
def heads(stage):
    before = stage.usual.resident_kib()
    many = [f"X-{number}: y" for number in range(2000)]
    for data, wanted in (
        (request("GET /join HTTP/1.1", "X: " + "y" * 20_000), (431,)),
        (request("GET /join HTTP/1.1", *many), (0, 431)),
        (request("GET /" + "a" * 70_000 + " HTTP/1.1"), (0, 414, 431)),
        (request("GET /join HTTP/1.1", "Cookie: " + "a=b; " * 200_000), (0, 431)),
        (request("G@T /join HTTP/1.1"), (400,)),
        (request("GET /join HTTP/3.7"), (400, 505)),
        (request("GET  /join HTTP/1.1"), (400,)),
        (request("GET /jo\x00in HTTP/1.1"), (400,)),
        (request("GET /join\x7f HTTP/1.1"), (400, 404)),
        (request("GET join HTTP/1.1"), (400, 404)),
        (request("GET /join HTTP/1.1", "X: a\x00b"), (400,)),
        (request("GET /join HTTP/1.1", "X\x00Y: b"), (400,)),
        (request("GET /join HTTP/1.1", ": b"), (400,)),
        (request("GET /join HTTP/1.1", "no colon"), (400,)),
        (request("GET /join HTTP/1.1", "X: a", " folded"), (400,)),
        (request("CONNECT box.example:443 HTTP/1.1"), (400, 404, 405)),
        (request("OPTIONS * HTTP/1.1"), (204, 400, 404, 405)),
        (request("TRACE /join HTTP/1.1"), (405,)),
        (request("BREW /join HTTP/1.1"), (405,)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (0, 400, 505)),
        (b"\r\n\r\n" + request(), (200,)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300), (400,)),
    ):
        for _ in range(3):
            answered(stage, data, *wanted)
    # A request target of any bytes stays within the host's own pages.
    for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//join", "/join/", "/join%00", "/v1/%ff", "/v1/../join"):
        answered(stage, request(f"GET {path} HTTP/1.1"), 400, 404)
    grown = stage.usual.resident_kib() - before
    assert grown < 16 << 10, f"the box grew by {grown} KiB"


@check("Expect: 100-continue is answered before the body, and a body that never comes ends in time")
def expects(stage):
    channel = Tls(stage.usual.address)
    json = "Content-Type: application/json"
    channel.send(request("POST /v1/auth/login HTTP/1.1", json, "Content-Length: 2", "Expect: 100-continue"))
    assert statuses(channel.receive(10)) == [100]
    channel.send(b"{}")
    assert statuses(channel.receive(10)) == [400]
    channel.close()
    channel = Tls(stage.usual.address)
    channel.send(request("POST /v1/auth/login HTTP/1.1", json, "Content-Length: 100") + b"{")
    began = time.monotonic()
    got = channel.receive_all(25)
    assert statuses(got) == [408] and time.monotonic() - began < 20, got


@check("plain HTTP on the TLS port gets a sentence")
def plain_http(stage):
    import socket

    for line in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /v1/envelopes HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"):
        with socket.create_connection(stage.usual.address, 10) as plain:
            plain.sendall(line)
            got = b""
            while more := plain.recv(4096):
                got += more
        assert statuses(got) == [400] and b"https" in got, got


@check("wrk: many requests on few connections, and on many; members do not wait")
def wrk(stage):
    _, owner, token = member(stage.usual)
    sender = stage.usual.connect()
    told = []
    for path, connections, seconds in (("/join", 32, 4), ("/v1/openapi.json", 8, 2), ("/nothing", 100, 3)):
        url = f"https://{stage.usual.address[0]}:{stage.usual.address[1]}{path}"
        running = subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        worst = 0
        try:
            while running.poll() is None:
                began = time.monotonic()
                assert sender.ask(submit=submit(token))[0] == "accepted"
                owner.say(request=0, acknowledge={"ids": [owner.told("push").id]})
                worst = max(worst, time.monotonic() - began)
                time.sleep(0.05)
        finally:
            if running.poll() is None:
                running.kill()
        said = running.stdout.read()
        count = int(re.search(r"(\d+) requests in", said)[1])
        assert running.returncode == 0 and count > 100, said
        told.append(f"{path} {count} in {seconds} s, a member's message at most {worst * 1000:.0f} ms")
        if path == "/join":
            assert "Socket errors" not in said and "Non-2xx" not in said, said
        assert worst < 2, f"a member waited {worst:.1f} s"
    stage.usual.assert_well()
    return "; ".join(told)
