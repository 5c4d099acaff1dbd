# shellcheck shell=bash
# What the scripts of this folder share; sourced, never run. Leaves the caller in the root of the
# source tree. BRAID_BUILD_ROOT moves all build folders to another place than the source tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONDONTWRITEBYTECODE=1

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# build_dir NAME: where the build folder NAME is.
build_dir() {
    printf '%s\n' "${BRAID_BUILD_ROOT:-$PWD}/$1"
}

# configure DIR CC CXX [meson options]: sets the folder up, afresh when it was set up otherwise.
# BRAID_MESON_OPTIONS adds options, such as -Dfolders=base,terms.
configure() {
    local dir=$1 cc=$2 cxx=$3
    shift 3
    # shellcheck disable=SC2086 # several options, so it is to be split
    set -- "$@" ${BRAID_MESON_OPTIONS:-}
    local wanted="CC=$cc CXX=$cxx $*"
    if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.braid-setup" 2>/dev/null)" = "$wanted" ]; then
        return 0
    fi
    say "setting up $dir with $cc"
    rm -rf "$dir"
    mkdir -p "$dir"
    if ! CC=$cc CXX=$cxx meson setup "$dir" "$@" >"$dir/setup.log" 2>&1; then
        cat "$dir/setup.log" >&2
        return 1
    fi
    printf '%s' "$wanted" >"$dir/.braid-setup"
}

# compile DIR [targets]: with all cores unless BRAID_JOBS says how many.
compile() {
    local dir=$1
    shift
    ninja -C "$dir" ${BRAID_JOBS:+-j "$BRAID_JOBS"} "$@" >&2
}
