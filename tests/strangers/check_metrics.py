"""`promtool` (Debian: prometheus) reads the box's figures."""

import pathlib
import subprocess
import urllib.request

from checks import check
from people import member, submit, submit_new
from stage import free_port

MONITORING = pathlib.Path(__file__).parents[2] / "docs" / "monitoring"


def promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@check("promtool takes the figures of a box that has seen traffic, and finds nothing to say")
def metrics(stage):
    port = free_port()
    box = stage.box("--metrics-listen", f"127.0.0.1:{port}")
    _, owner, token = member(box)
    sender = box.connect()
    for _ in range(3):
        submit_new(sender, token)
        owner.say(request=0, acknowledge={"ids": [owner.told("push").id]})
    sender.ask(submit=submit(token, ttl_s=1))
    sender.ask(submit=submit(bytes(32)))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        kind, text = answer.headers["Content-Type"], answer.read().decode()
    assert kind == "text/plain; version=0.0.4; charset=utf-8", kind
    code, said = promtool(text)
    assert (code, said.strip()) == (0, ""), said
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["hob_envelopes_accepted_total"] == "3" and values['hob_refusals_total{code="NoSuchToken"}'] == "1"
    # It bites: a counter without its suffix, a figure that is there twice.
    wrong = text.replace("hob_envelopes_accepted_total", "hob_envelopes_accepted") + "hob_members 1\n"
    assert promtool(wrong)[0] != 0
    return f"{len(values)} figures"


@check("promtool takes the alert rules, and their stories come out as told")
def alerts(stage):
    told = []
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts-test.yml"]):
        done = subprocess.run(["promtool", *words], cwd=MONITORING, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr
        told.append(done.stdout)
    return next(word for word in told[0].splitlines() if "rules found" in word).split(": ")[1]
