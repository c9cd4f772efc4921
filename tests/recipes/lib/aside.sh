# Sourced by the recipes that need a program which no release holds: a clock that can be moved, planted faults.
# Built where everything is built, so that only the few crates that a feature reaches are built again, and with --workspace:
# what is built for one package alone has other features in its dependencies, and so other dependencies. Then it is put aside:
# no such program ever lies where a real one is looked for.

# aside NAME FEATURES CARGO-WORDS…: puts what cargo builds of them into $target/aside/NAME.
aside() {
  local folder="$target/aside/$1" features="$2" made programs
  shift 2
  mkdir -p "$folder"
  made=$(cargo build --quiet --message-format=json-render-diagnostics "$@" --features "$features")
  programs=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$made")
  [ -n "$programs" ] || { echo "cargo build $* made no program" >&2; return 1; }
  while read -r program; do
    # The same file under another name; one that still runs keeps its own.
    ln -f "$program" "$folder/"
    rm "$program"
  done <<<"$programs"
}
