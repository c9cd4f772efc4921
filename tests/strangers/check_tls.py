"""TLS 1.3 and nothing older, by other people's tools: OpenSSL twice (the system's, and pyOpenSSL's newer one), sslscan."""

import re
import subprocess
import xml.etree.ElementTree as xml

from checks import check
from OpenSSL import SSL
from wire import Tls

REQUEST = b"GET /join HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def s_client(stage, *words, said="Q\n", wait_s=20):
    """What `openssl s_client` says of a connection."""
    host, port = stage.usual.address
    command = ["openssl", "s_client", "-connect", f"{host}:{port}", *words]
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=wait_s, errors="replace")
    return done.returncode, done.stdout + done.stderr


@check("only TLS 1.3")
def only_1_3(stage):
    code, said = s_client(stage, "-tls1_3")
    assert code == 0 and "TLSv1.3" in said, said
    for older in ("-tls1_2", "-tls1_1", "-tls1"):
        code, said = s_client(stage, older, "-cipher", "ALL:@SECLEVEL=0")
        assert code != 0 and ("alert" in said or "no protocols" in said) and "Cipher is (NONE)" in said, f"{older}: {said}"
    assert "protocol version" in s_client(stage, "-tls1_2")[1], "the alert names it (RFC 8446, section 6.2)"


@check("X25519MLKEM768 where the client offers it; else X25519, P-256 or P-384, and no weaker group")
def groups(stage):
    channel = Tls(stage.usual.address)
    chosen = channel.tls.get_group_name()
    assert chosen == "X25519MLKEM768", chosen
    assert channel.tls.get_protocol_version() == SSL.TLS1_3_VERSION
    channel.close()
    for group, temp in (("X25519", "X25519"), ("P-256", "ECDH, prime256v1"), ("P-384", "ECDH, secp384r1")):
        code, said = s_client(stage, "-groups", group)
        assert code == 0 and f"Server Temp Key: {temp}" in said, f"{group}: {said}"
    # The client prefers another: a group that the box takes is good at once.
    assert "X25519" in s_client(stage, "-groups", "P-521:X25519")[1]
    for group in ("P-521", "X448", "ffdhe2048", "ffdhe3072"):
        code, said = s_client(stage, "-groups", group)
        assert code != 0 and "Cipher is (NONE)" in said, f"{group}: {said}"


@check("only AEAD suites, whichever the client prefers")
def suites(stage):
    for suite in ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"):
        code, said = s_client(stage, "-ciphersuites", suite)
        assert code == 0 and f"Cipher is {suite}" in said, said
    for suite in ("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"):
        code, said = s_client(stage, "-ciphersuites", suite)
        assert code != 0 and "Cipher is (NONE)" in said, said


@check("no tickets, nothing resumed, no early data")
def nothing_kept(stage):
    code, said = s_client(stage, "-msg", "-ign_eof", said=REQUEST.decode())
    assert "HTTP/1.1 200" in said and "NewSessionTicket" not in said and "EncryptedExtensions" in said, said
    assert "Early data was not sent" in said and "Max Early Data" not in said, said
    _, said = s_client(stage, "-reconnect")
    assert "Reused, TLS" not in said and said.count("New, TLSv1.3") >= 1, said


@check("no renegotiation, and no key update without end")
def renegotiation(stage):
    code, said = s_client(stage, "-tls1_3", "-ign_eof", said="R\n", wait_s=40)
    assert "RENEGOTIATING" not in said or "wrong ssl version" in said or "error" in said, said
    assert "Secure Renegotiation IS NOT supported" in said, said
    # TLS 1.3 has key updates instead: a few are good manners.
    for letter in ("K", "k"):
        channel_code, said = s_client(stage, "-tls1_3", "-msg", said=f"{letter}\nQ\n")
        assert channel_code == 0 and "KeyUpdate" in said, said


@check("no ALPN that is not spoken here, any server name, no compression, no OCSP to wait for")
def extensions(stage):
    code, said = s_client(stage, "-alpn", "h2,http/1.1")
    assert code == 0 and "ALPN protocol: http/1.1" in said, said
    code, said = s_client(stage, "-alpn", "h2")
    assert code != 0 and "no application protocol" in said, said
    for name in (("-servername", "box.example"), ("-servername", ("x" * 60 + ".") * 3 + "example"), ("-noservername",)):
        code, said = s_client(stage, *name)
        assert code == 0, said
    assert "Compression: NONE" in s_client(stage)[1]


@check("sslscan finds TLS 1.3 only, strong suites and groups only, no renegotiation, no Heartbleed")
def sslscan(stage):
    host, port = stage.usual.address
    command = ["sslscan", "--no-colour", "--xml=-", "--show-times", f"{host}:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = xml.fromstring(done.stdout[done.stdout.index("<?xml") :])
    spoken = {f"{each.get('type')} {each.get('version')}" for each in found.iter("protocol") if each.get("enabled") == "1"}
    assert spoken == {"tls 1.3"}, spoken
    ciphers = list(found.iter("cipher"))
    assert len(ciphers) >= 3
    for cipher in ciphers:
        assert cipher.get("sslversion") == "TLSv1.3" and int(cipher.get("bits")) >= 128, cipher.attrib
        assert cipher.get("strength") in ("strong", "acceptable"), cipher.attrib
    groups = {group.get("name") for group in found.iter("group")}
    assert groups and groups <= {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}, groups
    assert all(each.get("vulnerable") == "0" for each in found.iter("heartbleed"))
    renegotiation = found.find(".//renegotiation")
    assert renegotiation is None or renegotiation.get("supported") == "0", renegotiation.attrib
    compression = found.find(".//compression")
    assert compression is None or compression.get("supported") == "0"
    return f"{len(ciphers)} suites, groups {', '.join(sorted(re.sub(' .*', '', group) for group in groups))}"


@check("records that are none end the handshake with an alert, and nobody else is concerned")
def records(stage):
    import os
    import socket

    for data in (
        b"\x16\x03\x01\x00\x00" * 50,
        b"\x16\x03\x01\xff\xff" + os.urandom(4000),
        b"\x17\x03\x03\x00\x10" + os.urandom(16),
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x80\x2e\x01\x00\x02" + os.urandom(60),
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        os.urandom(2000),
    ):
        with socket.create_connection(stage.usual.address, 15) as plain:
            plain.settimeout(15)
            try:
                plain.sendall(data)
                plain.shutdown(socket.SHUT_WR)
                got = plain.recv(4096)
            except ConnectionError:
                got = b""
            assert got[:1] in (b"", b"\x15") or b"HTTP/1.1 400" in got, got
    Tls(stage.usual.address).close()
    stage.usual.assert_well()
