# Each recipe is one line that a person could type.

# list the recipes
default:
    @just --list --unsorted

# a box and two people in this terminal
demo:
    cargo build --release --bins && ./target/release/hob demo

# all tests: no root, no network
test:
    cargo test --workspace

# everything that must hold before a change lands
gate:
    .ci/run

# formatting and lints
lint:
    cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings

# the documentation of all crates, the rules first
docs:
    cargo doc --workspace --no-deps --open -p hob-relay

# licences, bans and sources of all dependencies
deny:
    cargo deny check bans licenses sources

# the figures of docs/figures.md; `just bench online` for a part
bench *PART:
    cargo build --release -p hob --features demo-clock --target-dir target/demo-clock && cargo build --release --bins && HOB_BENCH_DEMO_CLOCK=target/demo-clock/release/hob cargo bench -q -p hob-tests --bench figures -- {{PART}}

# instructions for seal, open, append and the submit path (valgrind)
instructions:
    tests/recipes/instructions

# records a CPU-second of the log alone
bench-log:
    cargo bench -q -p hob-log --bench append

# six hours in a minute: windows end, keys go (a demo build with a fast clock)
demo-clock:
    tests/recipes/demo-clock

# three days of three members, five devices and two boxes, in about a minute: real processes, a clock that jumps
three-days:
    tests/recipes/three-days

# every example of docs/api.md, in curl and in Python, against a real box with a test authority
api-examples:
    tests/recipes/api-examples

# the systemd units: understood, little exposed, and a busy box stays within its system calls
systemd:
    tests/recipes/systemd

# the dashboard in a real Chromium: a keeper's first evening, at a desk, on a phone, without JavaScript; `--quick` for two
browser *ARGS:
    tests/recipes/browser {{ARGS}}

# a disk that is full, and one that is read-only, for real (namespaces; root where users may not make them)
small-disk:
    tests/recipes/small-disk

# two minutes of simulated worlds, from fresh seeds; `just sim --seed N --verbose` replays one, `just sim --sabotage` plants bugs
sim *ARGS:
    tests/recipes/sim {{ARGS}}

# the log alone on a disk in memory: cuts, failing operations, damage
log-sim *ARGS:
    tests/recipes/log-sim {{ARGS}}

# SIGKILL for boxes and clients under load: 500 cycles; `just kill --sabotage` plants faults
kill *ARGS:
    tests/recipes/kill {{ARGS}}

# the plug pulled 330 times on a disk that loses what was not synced (FUSE, root)
powercut *ARGS:
    tests/recipes/powercut {{ARGS}}

# a disk that is full, fails, turns read-only or is slow, at every write in turn (FUSE, root)
disk-faults *ARGS:
    tests/recipes/disk-faults {{ARGS}}

# bits flipped, records swapped, folders of yesterday: detected, said, the rest served
damage *ARGS:
    tests/recipes/damage {{ARGS}}

# what folder and medium still hold after six hours, and that nothing opens it (root)
six-hours *ARGS:
    tests/recipes/six-hours {{ARGS}}

# 200 devices come and go for an hour: memory, descriptors, threads, disk stay flat
soak *ARGS:
    tests/recipes/soak {{ARGS}}

# ten thousand idle connections, and floods, while a member's message gets through
load *ARGS:
    tests/recipes/load {{ARGS}}

# clients and tools that nobody here wrote: a Python client, schemathesis, openssl, sslscan, wrk, promtool
strangers *ARGS:
    tests/recipes/strangers {{ARGS}}

# beside Mosquitto, NATS JetStream, Prosody and ejabberd: writes docs/compared.md (root: installs them)
compare *ARGS:
    tests/recipes/compare {{ARGS}}

# lines that the tests of the four inner crates reach (cargo-llvm-cov)
coverage *CRATES:
    tests/recipes/coverage {{CRATES}}

# bugs put in by a machine, into a seeded sample of rules and log (cargo-mutants)
mutants SEED="7":
    tests/recipes/mutants {{SEED}}

# fuzz every target for so many seconds
fuzz SECONDS="600":
    tests/recipes/fuzz {{SECONDS}}

# the client's core for browsers (needs the wasm32-unknown-unknown target)
wasm:
    cargo build -p hob-protocol -p hob-client --target wasm32-unknown-unknown

# the binary as the image ships it: smaller, slower to build
dist:
    cargo build --profile dist --bin hob
