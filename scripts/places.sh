# Source this: where a library may lie that pkg-config does not know, on machines with modules, EasyBuild, Spack, conda, NVHPC.
#
# A library is found where one folder (a prefix) has both its header and its shared object, never the header of one
# installation and the object of another. Below a prefix a machine has folders of its own: lib/aarch64-linux-gnu, and
# CUDA's targets/sbsa-linux.
# shellcheck shell=sh

machine=$(${CC:-gcc} -dumpmachine 2>/dev/null || uname -m)
case $machine in
    aarch64*) cuda_target=sbsa-linux ;;
    *) cuda_target=${machine%%-*}-linux ;;
esac
below_includes="include targets/$cuda_target/include include/${machine%%-*}-linux-gnu"
below_libraries="lib64 lib lib/${machine%%-*}-linux-gnu targets/$cuda_target/lib"

# The variables that name one library's prefix: people's and modules' own, then EasyBuild's. $1: CUDNN
own_variables() { echo "$1_HOME $1_ROOT $1_DIR $1_PATH $1ROOT EBROOT$1"; }
# own_prefixes NAME...: what they hold.
own_prefixes() {
    for own_name in "$@"; do
        for variable in $(own_variables "$own_name"); do
            eval "value=\${$variable:-}"
            [ -z "$value" ] || echo "$value"
        done
    done
}
# The folders of variables that hold several, separated by colons.
folders_of() { printf '%s\n' "$@" | tr ':' '\n' | sed '/^$/d'; }
include_path() { folders_of "${CPATH:-}" "${C_INCLUDE_PATH:-}"; }
library_path() { folders_of "${LIBRARY_PATH:-}" "${LD_LIBRARY_PATH:-}"; }
# Prefixes that modules and package managers show to compilers. What the compiler takes anyhow stands first.
shared_prefixes() {
    { include_path && library_path; } | sed -nE 's,/(include|lib64|lib)(/[^/]*-linux[^/]*)?/?$,,p' | awk '!seen[$0]++'
    folders_of "${CMAKE_PREFIX_PATH:-}"
}

# shellcheck disable=SC2034 # half is for who calls look
object_below() {
    for below in $below_libraries; do
        folder=$prefix/$below
        [ ! -e "$folder/$object" ] || return 0
    done
    half="$include/$header is there, but no $object in $(echo "$below_libraries" | sed 's/ /, /g') of $prefix"
    return 1
}
# look HEADER OBJECT PREFIX...: sets $include and $folder to where the first prefix has them, and fails where none has. $half
# tells of a prefix that has the header alone.
look() {
    header=$1 object=$2 include='' folder=''
    shift 2
    for prefix in "$@"; do
        prefix=${prefix%/}
        for below in $below_includes; do
            include=$prefix/$below
            [ ! -e "$include/$header" ] || ! object_below || return 0
        done
    done
    include='' folder=''
    return 1
}
# shellcheck disable=SC2034 # likewise
# look_apart HEADER OBJECT: a header in a folder of CPATH, and its object in one of LIBRARY_PATH or LD_LIBRARY_PATH.
look_apart() {
    for include in $(include_path); do
        [ -e "$include/$1" ] || continue
        for folder in $(library_path); do
            [ ! -e "$folder/$2" ] || return 0
        done
        half="$include/$1 is there, but no $2 in LIBRARY_PATH or LD_LIBRARY_PATH"
    done
    include='' folder=''
    return 1
}

# The value of integer macro $3 of header $2 in folder $1. (The compiler would want the headers that it includes.)
macro() { sed -n "s/^#[[:space:]]*define[[:space:]][[:space:]]*$3[[:space:]][[:space:]]*\([0-9][0-9]*\).*/\1/p" "$1/$2" 2>/dev/null | head -n 1; }

# All that decides: for scripts/configure.sh's signature.
places_set() {
    env | grep -E '^(EBROOT[A-Z0-9]*|CPATH|C_INCLUDE_PATH|(LD_)?LIBRARY_PATH|PKG_CONFIG_[A-Z]*|CMAKE_PREFIX_PATH|CONDA_PREFIX)=' |
        sort || true
    env | grep -E '^(CUDA|CUDNN|NCCL|NVHPC|HDF5|DNNL|ONEDNN|YAML|LIBYAML|CJSON|XXHASH|CAIRO|ZLIB|CMOCKA)(_HOME|_ROOT|_DIR|_PATH|ROOT)?=' |
        sort || true
    echo "${VIRTUAL_ENV:-} ${PYTHONPATH:-}"
}
