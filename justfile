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
    cargo build --release --bins && cargo build --release -p hob --features demo-clock --target-dir target/demo-clock && HOB_BENCH_DEMO_CLOCK=target/demo-clock/release/hob cargo bench -q -p hob-tests --bench figures -- {{PART}}

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

# a disk that is full, and one that is read-only, for real (namespaces; root where users may not make them)
small-disk:
    tests/recipes/small-disk

# fuzz every target for so many seconds
fuzz SECONDS="600":
    tests/recipes/fuzz {{SECONDS}}

# the client's core for browsers (needs the wasm32-unknown-unknown target)
wasm:
    cargo build -p hob-protocol -p hob-client --target wasm32-unknown-unknown

# the binary as the image ships it: smaller, slower to build
dist:
    cargo build --profile dist --bin hob
