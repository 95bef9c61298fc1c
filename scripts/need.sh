# shellcheck shell=bash
# Installs what the scripts need besides Rust, a C compiler, Node and Python, on first use and only
# when it is missing. To be sourced.

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi
}

# need_command COMMAND PACKAGE: a command from a Debian package.
need_command() {
  command -v "$1" >/dev/null && return
  install_debs "$2"
}

# Reads the lists of packages, once in a run.
update_debs() {
  [[ -n ${debs_updated-} ]] && return
  as_root apt-get -qq update
  debs_updated=yes
}

install_debs() {
  if ! command -v apt-get >/dev/null; then
    echo "missing, and cannot be installed without apt-get: $*" >&2
    return 1
  fi
  echo "installing $*"
  update_debs
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "$@" >/dev/null
}

# need_cargo_tool CRATE VERSION: a cargo subcommand. An installed one of any version is accepted.
need_cargo_tool() {
  cargo "${1#cargo-}" --version >/dev/null 2>&1 && return
  echo "installing $1 $2"
  # A debug build takes a third of the time, and the tools are fast enough without optimisation.
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug "$1@$2"
}

# The features that the checks are built with: all that the service has.
features=(--features otlp)

# The workspace includes the fuzz targets, which are linked with libFuzzer.
need_compilers() {
  need_command c++ g++
}

# The programs in target/debug, built with the tests, so that both share every artefact.
need_programs() {
  need_compilers
  cargo build --locked --quiet --workspace "${features[@]}" --bins --tests
}

# The browser of the tests. Without windows it takes half of the time.
need_chromium() {
  command -v chromium-headless-shell >/dev/null || install_debs chromium-headless-shell ||
    need_command chromium chromium
}

# PostgreSQL's server programs, used by scripts/with-postgres.
need_postgres() {
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    install_debs postgresql
}

need_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_debs python3-venv
}

# need_python DIRECTORY REQUIREMENTS: installs packages, with their hashes, in a separate Python
# environment.
need_python() {
  cmp -s "$2" "$1/requirements.txt" && return
  need_venv
  python3 -m venv --clear "$1"
  "$1/bin/pip" install --quiet --no-deps --require-hashes --requirement "$2"
  cp "$2" "$1/requirements.txt"
}

# need_promtool DIRECTORY: puts promtool there, unless it is installed. Only this program is taken from
# Debian's package: an installed one would start a server, on the port of the service's admin listener.
need_promtool() {
  local work
  command -v promtool >/dev/null && return
  [[ -x $1/promtool ]] && return
  need_command apt-get apt
  echo "installing promtool"
  work=$(mktemp -d) && chmod 0755 "$work"
  update_debs
  (cd "$work" && apt-get -qq download prometheus && dpkg-deb --extract prometheus_*.deb .)
  install -m 0755 "$work/usr/bin/promtool" "$1/promtool"
  rm -rf "$work"
}

# need_node_modules DIRECTORY: installs the packages of its package-lock.json.
need_node_modules() {
  local installed=$1/node_modules/.package-lock.json
  [[ -e $installed && ! $1/package-lock.json -nt $installed ]] && return
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error)
}
