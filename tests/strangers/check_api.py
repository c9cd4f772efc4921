"""`schemathesis` against the box's own OpenAPI document; and event streams, which it cannot wait for."""

import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import threading
import urllib.request

from checks import COUNTS, check
from stage import CLEAN
from web import WebDevice, call, make_certificates

HERE = pathlib.Path(__file__).parent
_shared = {}


def web_box(stage):
    """A box with a certificate of a test authority, whose limits are not what is looked at."""
    if "box" not in _shared:
        folder = pathlib.Path(stage.scratch.name) / "certificates"
        folder.mkdir()
        make_certificates(folder)
        settings = ["--gate-burst", "100000", "--gate-new-per-second", "100000", "--gate-half-open", "10000"]
        settings += ["--quota-owner-burst", "1000000", "--quota-token-burst", "1000000", "--quota-bundle-fetches-per-hour"]
        settings += ["1000000", "--tls-certificate", folder / "box.pem", "--tls-key", folder / "box.key"]
        box = stage.box(*settings, address_name="localhost")
        box.origin, box.ca = f"https://localhost:{box.port}", folder / "ca.pem"
        _shared["box"] = box
    return _shared["box"]


def schemathesis(stage, box, name, *words, **variables):
    """One run; what it counted."""
    environment = CLEAN | {key: str(value) for key, value in variables.items()}
    environment |= {"STRANGERS_BOX": box.origin, "STRANGERS_CA": str(box.ca), "STRANGERS_DATA": str(box.folder / "data")}
    environment |= {"STRANGERS_HOB": str(stage.program), "PYTHONPATH": str(HERE), "SCHEMATHESIS_HOOKS": "schema_hooks"}
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    command += ["--config-file", HERE / "schemathesis.toml", "run", f"{box.origin}/v1/openapi.json", "--checks", "all"]
    command += ["--tls-verify", box.ca, "--max-examples", str(stage.examples), "--request-timeout", "20", "--no-color", *words]
    if stage.seed is not None:
        command += ["--seed", str(stage.seed)]
    folder = pathlib.Path(stage.scratch.name) / f"schemathesis-{name}"
    folder.mkdir()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=3600)
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise AssertionError(f"schemathesis ({name}):\n{said[-20000:]}")
    cases = re.search(r"(\d+) generated", said)
    assert cases and int(cases[1]) > stage.examples, said[-3000:]
    COUNTS[f"api {name}"] = f"{cases[1]} cases of schemathesis {name}"
    return f"{cases[1]} cases"


@check("schemathesis, all checks, stateful, as a web device and as a sender with a good token")
def with_credentials(stage):
    box = web_box(stage)
    # An event stream does not end by itself: it has a check of its own below.
    told = schemathesis(stage, box, "with credentials", "--exclude-path", "/v1/events", STRANGERS_SESSION=1)
    box.assert_well()
    return told


@check("schemathesis, all checks, stateful, without credentials")
def without_credentials(stage):
    box = web_box(stage)
    told = schemathesis(stage, box, "without credentials")
    box.assert_well()
    return told


@check("an event stream tells what comes, and ends with its session")
def events(stage):
    box = web_box(stage)
    device = WebDevice(box)
    session = device.log_in()
    token = device.grant(session["access_token"])
    tls = ssl.create_default_context(cafile=box.ca)
    request = urllib.request.Request(box.origin + "/v1/events", headers={"Authorization": "Bearer " + session["access_token"]})
    with urllib.request.urlopen(request, context=tls, timeout=40) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream", stream.headers

        def event():
            fields = {}
            while line := stream.readline().decode().rstrip("\n"):
                name, _, value = line.partition(":")
                fields[name] = value.strip()
            return fields.get("event"), json.loads(fields["data"]) if "data" in fields else None

        assert event() == ("waiting", {"pending": 0})
        envelope = os.urandom(2048)
        device.submit(token, envelope)
        kind, data = event()
        assert kind == "ready" and set(data) == {"id", "ttl_s"}, (kind, data)
        page = call(box, "GET", "/v1/envelopes", access=session["access_token"])
        assert [each["id"] for each in page["envelopes"]] == [data["id"]]
        device.submit(token, envelope, online_only=True)
        kind, data = event()
        assert kind == "online" and set(data) == {"envelope", "ttl_s"}, (kind, data)
        assert event() == (None, None), "a comment, while nothing happens"
        threading.Timer(0.1, lambda: call(box, "POST", "/v1/auth/logout", b"", access=session["access_token"])).start()
        kind, data = event()
        while kind is None:
            kind, data = event()
        assert (kind, data["name"]) == ("end", "NoSession"), (kind, data)
        assert stream.read() == b""


