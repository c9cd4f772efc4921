"""What never failed proves nothing: each kind of check meets a fault that was planted, and has to find it."""

import copy
import contextlib
import io
import sys

import checks
from checks import COUNTS, check
from stage import Stage

#: A fault that `HOB_TEST_SABOTAGE` plants, and the check that has to find it.
FAULTS = {
    "hello-of-another-connection": ("client", "the hello holds for this connection and for no other"),
    "frames-without-mask": ("sockets", "what the RFC forbids ends with 1002"),
    "codings-as-they-come": ("http", "no shape of a body makes two requests of one"),
    "tickets": ("tls", "no tickets, nothing resumed, no early data"),
    "pages-without-limit": ("api", "schemathesis, all checks, stateful, as a web device and as a sender with a good token"),
}


def fails(stage, part, name):
    """Whether a check fails; and it must run."""
    __import__(f"check_{part}")
    (function,) = [function for at, named, function in checks.ALL if (at, named) == (part, name)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            function(stage)
        except Exception:
            return True
    return False


@check("each vector that is another by one bit is noticed")
def vectors(_):
    import check_vectors

    good, changed, missed = check_vectors.VECTORS, 0, []
    functions = [function for part, name, function in checks.ALL if part == "vectors"]

    def leaves(value, path=()):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from leaves(inner, (*path, key))
        elif isinstance(value, list):
            for at, inner in enumerate(value):
                yield from leaves(inner, (*path, at))
        else:
            yield path, value

    def notices(vectors):
        check_vectors.VECTORS = vectors
        check_vectors.seen.clear()
        try:
            for function in functions:
                function(None)
        except Exception:
            return True
        return False

    try:
        for path, value in leaves(good):
            other = copy.deepcopy(good)
            at = other
            for key in path[:-1]:
                at = at[key]
            if isinstance(value, bool):
                at[path[-1]] = not value
            elif isinstance(value, int):
                at[path[-1]] = value ^ 1
            else:
                middle = len(value) // 2
                at[path[-1]] = value[:middle] + ("1" if value[middle] != "1" else "2") + value[middle + 1 :]
            changed += 1
            if not notices(other):
                missed.append(".".join(map(str, path)))
        assert not notices(good)
    finally:
        check_vectors.VECTORS = good
    # Its middle lies in a token, which may be any 32 bytes.
    assert missed == ["sealing_inner.bytes"], missed
    COUNTS["bites"] = f"{changed} changed vectors and {len(FAULTS)} planted faults found"
    return f"{changed} changes"


def planted(fault):
    part, name = FAULTS[fault]

    @check(f"planted fault: {fault}")
    def finds(stage):
        assert stage.sabotaged, "no build with planted faults was given"
        # Without the fault the same build passes: else the check would find something else.
        for variables, expected in (({"HOB_TEST_SABOTAGE": fault}, True), ({}, False)):
            module = sys.modules.get("check_api")
            if module:
                module._shared.clear()
            other = Stage(stage.sabotaged, 10, 1, variables)
            try:
                assert fails(other, part, name) is expected, f"{'not found' if expected else 'fails without it'}: {name}"
            finally:
                other.end()
                if module:
                    module._shared.clear()


for _fault in FAULTS:
    planted(_fault)
