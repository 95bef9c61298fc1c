# shellcheck shell=bash
# What the scripts need beside Rust, a C compiler, Node and Python: installed when first asked for,
# and only if missing. To be sourced.

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi
}

# need_command COMMAND PACKAGE: a command of Debian's.
need_command() {
  command -v "$1" >/dev/null && return
  install_debs "$2"
}

install_debs() {
  if ! command -v apt-get >/dev/null; then
    echo "missing, and not to be had without apt-get: $*" >&2
    return 1
  fi
  echo "installing $*"
  as_root apt-get -qq update
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# need_cargo_tool CRATE VERSION: a subcommand of cargo. Any version that is there will do.
need_cargo_tool() {
  cargo "${1#cargo-}" --version >/dev/null 2>&1 && return
  echo "installing $1 $2"
  # Unoptimised: it takes a third of the time to build, and the tools are fast enough like that.
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug "$1@$2"
}

# target/debug/auth0-emulator. Built as the tests are, so that it shares everything with them.
need_emulator() {
  cargo test --locked --quiet --workspace --no-run
}

# PostgreSQL's server programs, which scripts/with-postgres starts a cluster with.
need_postgres() {
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    install_debs postgresql
}

need_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_debs python3-venv
}

# need_linters DIRECTORY: scripts/lint/requirements.txt in a Python environment of its own.
need_linters() {
  local wanted=scripts/lint/requirements.txt
  cmp -s "$wanted" "$1/requirements.txt" && return
  need_venv
  python3 -m venv --clear "$1"
  "$1/bin/pip" install --quiet --no-deps --require-hashes --requirement "$wanted"
  cp "$wanted" "$1/requirements.txt"
}

# need_node_modules DIRECTORY: what its package-lock.json names.
need_node_modules() {
  local have=$1/node_modules/.package-lock.json
  [[ -e $have && ! $1/package-lock.json -nt $have ]] && return
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
}
