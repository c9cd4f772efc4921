"""Real boxes to be strange to: each in a folder of its own that goes with it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time

import ids
from wire import Wire, address_of

#: Every variable that a box would take for a setting stays out.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("HOB_")}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Box:
    """A running `hob serve`."""

    def __init__(self, program, folder, *settings, variables=None, address_name=None):
        self.program, self.folder, self.settings = program, pathlib.Path(folder), settings
        self.variables = variables or {}
        self.port = free_port()
        if address_name:
            self.settings += ("--address", f"{address_name}:{self.port}")
        self.start()

    def start(self):
        command = [self.program, "serve", "--ready-json", "--data", self.folder / "data"]
        command += ["--listen", f"127.0.0.1:{self.port}", *self.settings]
        self.log = open(self.folder / "log", "a")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=CLEAN | self.variables
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the box did not start:\n" + self.said())
        self.ready = json.loads(line)
        self.address = address_of(self.ready["client"].removeprefix("https://"))
        self.identity = bytes.fromhex(self.ready["identity"])

    def said(self):
        return (self.folder / "log").read_text()

    def hob(self, *words):
        done = subprocess.run(
            [self.program, *words, "--data", self.folder / "data"], capture_output=True, text=True, env=CLEAN, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def invite(self):
        """An invitation, read."""
        code, _, _ = ids.parse_code(json.loads(self.hob("invite", "--json"))["link"])
        assert code.box_identity == self.identity
        return code

    def status(self):
        return json.loads(self.hob("status", "--json"))

    def connect(self, source=None):
        return Wire(self.address, self.identity, source)

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("the box is gone")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) == 0, self.said()[-2000:]

    def assert_well(self):
        assert self.process.poll() is None, "the box ended:\n" + self.said()[-3000:]
        assert "panic" not in self.said(), self.said()[-3000:]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()


class Stage:
    """What the checks share: the program, scratch folders, and the boxes that they started."""

    def __init__(self, program, examples, seed, variables=None):
        self.program, self.examples, self.seed, self.variables = program, examples, seed, variables or {}
        self.scratch = tempfile.TemporaryDirectory(prefix="hob-strangers-")
        self.boxes, self._usual, self._lock = [], None, threading.Lock()

    def box(self, *settings, **other):
        """A box of one's own."""
        with self._lock:
            folder = pathlib.Path(self.scratch.name) / f"box-{len(self.boxes)}"
            folder.mkdir()
            box = Box(self.program, folder, *settings, variables=self.variables, **other)
            self.boxes.append(box)
        return box

    @property
    def usual(self):
        """The box that checks share which need no other settings than these: strangers of one address are many here."""
        if self._usual is None:
            self._usual = self.box("--gate-burst", "100000", "--gate-new-per-second", "100000")
        return self._usual

    def end(self):
        for box in self.boxes:
            box.end()
        self.scratch.cleanup()


def wait_for(what, is_true, within_s=30):
    until = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < until, f"waited in vain for: {what}"
        time.sleep(0.02)
