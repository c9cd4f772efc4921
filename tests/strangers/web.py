"""A web device: docs/api.md in Python, with a certificate of a test authority."""

import base64
import json
import os
import ssl
import subprocess
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import ids


def make_certificates(folder):
    """A test authority, and a certificate of it for localhost."""

    def run(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    run("req", "-new", *curve, "-keyout", "box.key", "-out", "box.csr", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
    run("x509", "-req", "-in", "box.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "ext", "-out", "box.pem")
    (folder / "box.key").chmod(0o600)


def call(box, method, path, body=None, access=None):
    """One request on a connection of its own."""
    headers = {"Authorization": "Bearer " + access} if access else {}
    if body is not None and not isinstance(body, bytes):
        headers["Content-Type"], body = "application/json", json.dumps(body).encode()
    tls = ssl.create_default_context(cafile=box.ca)
    request = urllib.request.Request(box.origin + path, body, headers, method=method)
    with urllib.request.urlopen(request, context=tls, timeout=30) as answer:
        return json.loads(answer.read() or b"null")


class WebDevice:
    """A device that proves itself over its origin."""

    def __init__(self, box):
        """`box` has `origin`, `ca` and `invite()`."""
        self.box, self.key = box, Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes_raw()
        registered = call(box, "POST", "/v1/auth/register", self.registration(box.invite()))
        assert registered["mailbox"] == ids.mailbox_id(self.public).hex()

    def registration(self, invitation):
        mac = ids.redeem_mac(invitation.secret, self.public, invitation.box_identity)
        about = {"invitation": invitation.id.hex(), "device_key": self.public.hex()}
        return about | {"label": "a web stranger", "mac": mac.hex()}

    def proof(self):
        challenge = call(self.box, "POST", "/v1/auth/challenge", b"")
        nonce, identity = bytes.fromhex(challenge["nonce"]), bytes.fromhex(challenge["identity"])
        signature = self.key.sign(ids.prove_web(nonce, identity, self.box.origin)).hex()
        about = {"nonce": nonce.hex(), "device_key": self.public.hex(), "signature": signature}
        return about | {"origin": self.box.origin}

    def log_in(self):
        return call(self.box, "POST", "/v1/auth/login", self.proof())

    def grant(self, access):
        token = os.urandom(32)
        body = {"token_hash": ids.token_hash(token).hex(), "kind": "contact"}
        call(self.box, "POST", "/v1/tokens", body, access=access)
        return token

    def submit(self, token, envelope, **other):
        body = {"token": token.hex(), "envelope": base64.b64encode(envelope).decode(), "ttl_s": 600} | other
        return call(self.box, "POST", "/v1/envelopes", body)
