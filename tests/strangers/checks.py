"""What a check is: a function with a name, run against a stage, that raises where something is not as it must be."""

import sys
import time
import traceback

ALL = []

#: Numbers for the last line: a name, and the words with the number in it.
COUNTS = {}


def check(name):
    def keep(function):
        ALL.append((sys.modules[function.__module__].__name__.removeprefix("check_"), name, function))
        return function

    return keep


def run(stage, parts):
    """Runs the checks of these parts; the names of those that failed, and how many ran."""
    failed, ran, part_before = [], 0, None
    for part, name, function in ALL:
        if part not in parts:
            continue
        if part != part_before:
            print(f"-- {part}", flush=True)
            part_before = part
        began = time.monotonic()
        ran += 1
        try:
            note = function(stage)
            took = time.monotonic() - began
            print(f"   ok  {name}{': ' + note if note else ''}{f'  ({took:.0f} s)' if took >= 2 else ''}", flush=True)
        except Exception:
            failed.append(f"{part}: {name}")
            print(f"   NOT {name}\n{traceback.format_exc(limit=-6)}", flush=True)
    return failed, ran
