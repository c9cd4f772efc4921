"""What `schemathesis` cannot make up: sessions, a good token, invitations, proofs. And one connection a request, since
what names a device and what is anonymous may not share one."""

import base64
import json
import os
import subprocess
from types import SimpleNamespace

import schemathesis
from hypothesis import strategies

import ids
from web import WebDevice, call

#: No schema can say that there are six sizes.
ENVELOPES = strategies.builds(
    lambda size, byte: bytes([byte]) * size,
    strategies.sampled_from([2048 << step for step in range(6)]),
    strategies.integers(0, 255),
)
schemathesis.openapi.format("envelope", ENVELOPES.map(lambda envelope: base64.b64encode(envelope).decode()))
schemathesis.openapi.media_type("application/octet-stream", ENVELOPES)

HAS_SESSION = "STRANGERS_SESSION" in os.environ


def _invite():
    words = [os.environ["STRANGERS_HOB"], "invite", "--json", "--data", os.environ["STRANGERS_DATA"]]
    return ids.parse_code(json.loads(subprocess.run(words, capture_output=True, check=True).stdout)["link"])[0]


BOX = SimpleNamespace(origin=os.environ["STRANGERS_BOX"], ca=os.environ["STRANGERS_CA"], invite=_invite)
_kept = {}


def kept(name, make):
    if name not in _kept:
        _kept[name] = make()
    return _kept[name]


def owner():
    """Whose session everything else uses."""
    return kept("owner", lambda: WebDevice(BOX))


def leaver():
    """Who logs out, again and again."""
    return kept("leaver", lambda: WebDevice(BOX))


def good_token():
    """To the mailbox of a third device, so that no list of the owner's drops it. It has a bundle."""

    def make():
        device = WebDevice(BOX)
        access = device.log_in()["access_token"]
        call(BOX, "PUT", "/v1/bundles", {"bundle": "YSBidW5kbGU=", "ttl_s": 86400}, access=access)
        return device.grant(access).hex()

    return kept("token", make)


if HAS_SESSION:

    @schemathesis.auth(refresh_interval=300).apply_to(tag="mailbox").apply_to(path="/v1/auth/me")
    class Session:
        def get(self, case, context):
            return owner().log_in()["access_token"]

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"

    @schemathesis.auth(refresh_interval=None).apply_to(path="/v1/auth/logout")
    class Leaving:
        def get(self, case, context):
            return leaver().log_in()["access_token"]

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"


def _is_positive(case):
    return case.meta is None or case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers["Connection"] = "close"
    if not HAS_SESSION or not _is_positive(case):
        return
    turn = _kept["turn"] = _kept.get("turn", 0) + 1
    at, body = (case.method.upper(), case.path), case.body if isinstance(case.body, dict) else None
    if turn % 2 and body and "token" in body:
        body["token"] = good_token()
    if turn % 2 and "Hob-Delivery-Token" in case.headers:
        case.headers["Hob-Delivery-Token"] = good_token()
    if body and at == ("POST", "/v1/auth/login") and turn % 2:
        case.body = body | owner().proof()
    if body and at == ("POST", "/v1/auth/refresh") and turn % 2:
        case.body = body | {"refresh_token": leaver().log_in()["refresh_token"]}
    if body and at == ("POST", "/v1/auth/register") and turn % 8 == 1:
        case.body = body | owner().registration(_invite())
