# SPDX-License-Identifier: BSL-1.0
# tools/lib.sh - what tools/demo, tools/test and tools/compare share. Sourced, not run.
#
# A bare Debian machine has apt and nothing else we need, so each command names its packages and
# this installs what is missing. Rejected: installing unconditionally (apt-get update costs seconds
# and a network on every run).

weft_build_packages=(
  g++ cmake ninja-build libboost-context-dev libconcurrentqueue-dev libjemalloc-dev
  libssl-dev
)
weft_example_packages=(libcli11-dev libfmt-dev libhttp-parser-dev)
weft_tool_packages=(libdw-dev libprotozero-dev nlohmann-json3-dev zlib1g-dev)
weft_test_packages=(
  gdb doctest-dev doxygen libboost-dev openssl pkg-config python3 python3-prometheus-client
  python3-venv
  # the examples' clients
  apache2-utils bind9-dnsutils curl wrk libpq-dev libhiredis-dev postgresql redis-server
  libcurl4-openssl-dev  # a library in docs/guide
  heaptrack linux-perf  # shown in docs/tools.md
)
weft_browser_packages=(chromium)  # looks at the timeline page; 400 MB, 15 s
weft_package_packages=(debhelper dpkg-dev lintian)  # make and check the Debian packages
weft_clang_packages=(clang llvm libclang-rt-dev)
weft_bench_packages=(libbenchmark-dev)
# the preset aarch64 on another machine
weft_aarch64_packages=(
  g++-aarch64-linux-gnu gdb-multiarch qemu-user
  libboost-context-dev:arm64 libssl-dev:arm64 libdw-dev:arm64 libfmt-dev:arm64 zlib1g-dev:arm64
)

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# is_installed PACKAGE[:ARCHITECTURE] - of this machine's architecture, if none is named: dpkg-query
# prints a line for each that the package is installed for.
is_installed() {
  local architecture
  architecture=$(dpkg --print-architecture)
  [[ $1 != *:* ]] || architecture=${1#*:}
  dpkg-query -W -f='${db:Status-Status} ${Architecture}\n' "$1" 2>/dev/null |
    grep -qxE "installed ($architecture|all)"
}

# need_packages PACKAGE... - returns when all are installed, dies with what to do when they cannot be.
need_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "This is no Debian, so nothing is installed for you. weft needs what Debian calls: $*"
    return 0
  fi
  local package missing=() as_root=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0

  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && as_root=(sudo -n)
    # A person at a terminal can still type the password.
    [ ${#as_root[@]} -eq 0 ] && [ -t 0 ] && command -v sudo >/dev/null && as_root=(sudo)
    [ ${#as_root[@]} -ne 0 ] ||
      die "packages are missing and only root can install them. Run as root:
  apt-get install --no-install-recommends ${missing[*]}"
  fi
  step "Installing ${missing[*]}"
  [[ "${missing[*]}" != *:arm64* ]] || "${as_root[@]}" dpkg --add-architecture arm64 || return 1
  if ! "${as_root[@]}" apt-get update -qq </dev/null ||
    ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends "${missing[@]}" </dev/null >/dev/null; then
    die "apt-get could not install ${missing[*]}; its message is above. Once the network or the
package sources are mended, run this again."
  fi
}

# need_house_tools - what formats the tree and the theme of the reference, of the versions in
# tools/house-requirements.txt, from PyPI into build/house. Without it the test house/format is
# skipped.
need_house_tools() {
  local wanted=tools/house-requirements.txt have=build/house/requirements.txt
  cmp -s "$wanted" "$have" && return 0
  step "Installing clang-format, clang-tidy and black into build/house"
  if python3 -m venv build/house && build/house/bin/pip install -q -r "$wanted" </dev/null; then
    cp "$wanted" "$have"
  else
    say "pip could not install them; the test house/format is skipped."
  fi
}

# Compilers at the machine's width, leaving the machine usable: one job a CPU, 1 GiB of memory each.
build_jobs() {
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  [ "$cpus" -le "$memory" ] && echo "$cpus" || echo "$memory"
}

# build_preset PRESET [TARGET...] - configures (with "${configure_arguments[@]}") and builds.
configure_arguments=()
build_preset() {
  local preset=$1 log
  shift
  log=build/$preset.configure.log
  mkdir -p build
  cmake --preset "$preset" ${configure_arguments[@]+"${configure_arguments[@]}"} >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    return 1
  }
  cmake --build "build/$preset" -j "$(build_jobs)" ${1:+--target "$@"} </dev/null
}
