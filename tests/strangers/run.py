"""Runs the strangers against a real box: `tests/recipes/strangers` starts this in its own Python."""

import argparse
import pathlib
import signal
import sys

import checks
from stage import Stage

PARTS = ["vectors", "client", "sockets", "http", "tls", "metrics", "api", "bites"]


def main():
    about = "Clients and tools that nobody here wrote, against a real box. Ends with one line, and 1 where a check failed."
    parser = argparse.ArgumentParser(prog="tests/recipes/strangers", description=about)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be given again")
    parser.add_argument("--without", action="append", default=[], choices=PARTS, help="not this part; may be given again")
    parser.add_argument("--examples", type=int, default=100, help="schemathesis: cases for each operation (%(default)s)")
    parser.add_argument("--seed", type=int, help="schemathesis: the seed of a run that failed")
    parser.add_argument("--hob", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--sabotaged", type=pathlib.Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    parts = [part for part in asked.part or PARTS if part not in asked.without]
    for part in PARTS:
        if part in parts:
            __import__(f"check_{part}")
    # Interrupted, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stage = Stage(asked.hob, asked.examples, asked.seed)
    stage.sabotaged = asked.sabotaged
    try:
        failed, ran = checks.run(stage, parts)
        for box in stage.boxes:
            if "panic" in box.said():
                failed.append("a box panicked")
    finally:
        stage.end()
    notes = "".join(f", {note}" for note in checks.COUNTS.values())
    if failed:
        print("strangers: FAILED " + "; ".join(failed) + f" ({ran} checks ran)")
        sys.exit(1)
    print(f"strangers: {ran} checks passed{notes}")


main()
