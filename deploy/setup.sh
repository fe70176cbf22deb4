#!/usr/bin/env bash
# Installs the Debian packages that Consilium is built from. Idempotent: when nothing is missing it needs no privileges,
# touches no network and returns at once.
#
#   deploy/setup.sh                  install what is missing (as root, or through sudo)
#   deploy/setup.sh --check          only report; exit code 1 when something is missing, one line per package
#   deploy/setup.sh --trainer-only   what the data plane alone needs: no gRPC, MPI, SQLite, Boost (also with --check)
#   deploy/setup.sh --developer      also what `make format`, `make tidy` and `make fuzz` use
#   deploy/setup.sh --list           print the package names, for an image's Dockerfile
set -euo pipefail

# What both planes need to build and to pass their tests.
base=(
  build-essential cmake ninja-build          # compiler, linker, generator
  ccache lld                                 # a second build takes seconds; links take a tenth of ld's time
  libtorch-dev                               # LibTorch 1.13.1
  libgloo-dev                                # Gloo's headers, which libtorch-dev leaves out
  libopenblas0-pthread                       # or matrix products run at a tenth of the speed (docs/troubleshooting.md)
  libssl-dev                                 # SHA-256 and random bytes in every program; TLS in the control plane
  libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libspdlog-dev
  libnifti-dev libpng-dev zlib1g-dev         # images
  libgtest-dev libgmock-dev
  python3                                    # a test reads our weights as a person with Python would
)
# What the control plane and mpirun add.
control=(
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libopenmpi-dev openmpi-bin
  openssl                                    # the tests make wrong certificates with the command
  libboost-dev                               # Asio and Beast (headers)
  libsqlite3-dev
  libbenchmark-dev
  iproute2                                   # the tests of slow lines join two networks with ip and tc
  mricron-data                               # the demo's MRI where CONSILIUM_DATA holds none
)
developer=(
  clang-format clang-tidy
  clang libclang-rt-14-dev                   # make fuzz: libFuzzer
)

check_only=0 list_only=0 trainer_only=0
with_developer=0
for argument in "$@"; do
  case $argument in
    --check) check_only=1 ;;
    --list) list_only=1 ;;
    --trainer-only) trainer_only=1 ;;
    --developer) with_developer=1 ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) echo "setup: unknown option '$argument' (deploy/setup.sh --help lists them)" >&2; exit 2 ;;
  esac
done

packages=("${base[@]}")
[ $trainer_only = 1 ] || packages+=("${control[@]}")
[ $with_developer = 0 ] || packages+=("${developer[@]}")
if [ $list_only = 1 ]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup: this machine has no apt-get; Consilium is built on Debian 12. Install these packages' equivalents:" >&2
  printf '  %s\n' "${packages[@]}" >&2
  exit 1
fi

# Fills `missing` with the packages that dpkg does not hold as installed.
find_missing() {
  missing=()
  local package
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | cut -c1-2)" = ii ] || missing+=("$package")
  done
}

find_missing
if [ ${#missing[@]} = 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi
if [ $check_only = 1 ]; then
  printf 'setup: missing package %s\n' "${missing[@]}"
  echo "setup: ${#missing[@]} of ${#packages[@]} packages are missing; deploy/setup.sh installs them"
  exit 1
fi

if [ "$(id -u)" = 0 ]; then
  as_root=(env)
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
  # sudo clears the environment; a proxy must come through.
  as_root=(sudo env)
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || as_root+=("$name=${!name}")
  done
else
  echo "setup: not root, and sudo is absent or wants a password without a terminal. Run as root:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }
simulate() { LC_ALL=C apt-get -q -s install --no-install-recommends "$@" 2>&1; }
install() { apt install -y --no-install-recommends "${missing[@]}" 2>&1 </dev/null | tee "$log"; }
update() {
  echo "setup: reading the package lists"
  apt update || { echo "setup: apt-get update failed; see the lines above (network, proxy, sources.list)" >&2; exit 1; }
}

# The lists are read only when they are needed: none yet, or they do not lead to what is missing.
updated=0
if ! simulate "${missing[@]}" >/dev/null; then
  update
  updated=1
fi

echo "setup: installing ${missing[*]}"
if ! install && [ $updated = 0 ]; then
  update  # stale lists name versions that the mirror no longer holds
  install || true
fi

find_missing
if [ ${#missing[@]} = 0 ]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi
# Those that apt refuses even alone are the cause; when each could be installed alone, what apt said of the whole is.
culprits=0
for package in "${missing[@]}"; do
  if ! refusal=$(simulate "$package"); then
    culprits=$((culprits + 1))
    reason=$(grep -E '^ .*Depends:|^E: ' <<<"$refusal" | head -n 3 | tr -s ' \n' ' ')
    echo "setup: cannot install $package: $reason" >&2
  fi
done
if [ $culprits = 0 ]; then
  reason=$(grep -E '^E: ' "$log" | head -n 5 | tr -s ' \n' ' ' || true)
  echo "setup: cannot install ${missing[*]}: ${reason:-apt gave no reason; see its output above}" >&2
fi
exit 1
