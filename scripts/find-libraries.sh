#!/bin/sh
# Finds the libraries that lockstep is built with, but for MPI and what GPUs need.
#
#   scripts/find-libraries.sh FILE   prints what was found and writes it to FILE, a make fragment
#
# Looked for, in this order: the variables that name one library (HDF5_HOME, _ROOT, _DIR, _PATH, EBROOTHDF5: scripts/places.sh),
# CPATH with LIBRARY_PATH, CMAKE_PREFIX_PATH, pkg-config, HDF5's compiler wrappers, CONDA_PREFIX, the compiler's own folders.
# Objects are linked by their paths, and those outside of the system are looked for there at run time (RUNPATH, over which
# LD_LIBRARY_PATH wins): Spack and conda set no LD_LIBRARY_PATH.
set -eu

out=$1
CC=${CC:-gcc}
. scripts/places.sh
cflags='' libs='' missing='' why=''

found() { echo "  ✓ $1${2:+ $2}"; }
absent() { echo "  ✗ $1: $2"; }

# runpaths WORD...: the words of a linker, with a RUNPATH for each folder that is not the system's.
runpaths() {
    for word in "$@"; do
        case $word in
            -L/usr/lib* | -L/lib*) echo "$word" ;;
            -L*) echo "$word -Wl,-rpath,${word#-L}" ;;
            *) echo "$word" ;;
        esac
    done | awk '!seen[$0]++' | paste -s -d ' ' -
}
# System headers: their warnings are not ours to mend. The system's own folder must stay where the compiler has it.
system_headers() { sed -e 's/-I */-isystem /g' -e 's,-isystem /usr/include\( \|$\),,g'; }

# found_at SUBFOLDER OBJECT: takes what look found in $include and $folder.
found_at() {
    more_cflags=$(echo "-I$include${1:+ -I$include/$1}" | system_headers)
    case $folder in
        /usr/lib* | /lib*) more_libs=$folder/$2 ;;
        *) more_libs="$folder/$2 -Wl,-rpath,$folder" ;;
    esac
    where="in ${include%/include}"
}
# by_pkg_config PACKAGE
by_pkg_config() {
    version=$(pkg-config --modversion "$1" 2>/dev/null) || return 1
    more_cflags=$(pkg-config --cflags "$1" | system_headers)
    # shellcheck disable=SC2046 # words
    more_libs=$(runpaths $(pkg-config --libs "$1"))
    where=$version
}
# by_wrapper: HDF5's. A parallel HDF5 has no h5cc, but h5pcc; its headers want MPI's, which the Makefile brings.
by_wrapper() {
    for wrapper in h5cc h5pcc; do
        words=$($wrapper -show 2>/dev/null) || continue
        more_cflags='' more_libs='' include='' folder=''
        for word in $words; do
            case $word in
                -I*) more_cflags="$more_cflags $word" && [ ! -e "${word#-I}/hdf5.h" ] || include=${word#-I} ;;
                -L*) [ -n "$folder" ] || [ ! -e "${word#-L}/libhdf5.so" ] || folder=${word#-L} ;;
                *.a | -l*) more_libs="$more_libs $word" ;;
            esac
        done
        # A wrapper may name neither folder where the compiler knows both, and static libraries where there are shared ones.
        if [ -n "$folder" ]; then
            more_libs=$folder/libhdf5.so
            case $folder in /usr/lib* | /lib*) ;; *) more_libs="$more_libs -Wl,-rpath,$folder" ;; esac
        fi
        more_cflags=$(echo "$more_cflags" | system_headers)
        # shellcheck disable=SC2086 # words
        echo '#include <H5public.h>' | $CC -E -x c - $more_cflags >/dev/null 2>&1 || [ -n "$include" ] || continue
        where="by $wrapper"
        return 0
    done
    return 1
}
# by_compiler HEADER OBJECT: in the folders that it knows by itself.
by_compiler() {
    include=$(echo "#include <$1>" | $CC -E -x c - 2>/dev/null | sed -n "s,^# [0-9]* \"\(.*\)/$1\".*,\1,p" | head -n 1)
    [ -n "$include" ] || return 1
    folder=$($CC -print-file-name="$2" 2>/dev/null)
    case $folder in /*) ;; *) half="$include/$1 is there, but the compiler knows no $2" && return 1 ;; esac
    more_cflags='' where=''
    more_libs=-l$(basename "${2#lib}" .so)
}

# find NAME PACKAGE HEADER OBJECT SUBFOLDER VARIABLE...: sets $more_cflags, $more_libs and $where; else $why says what was done.
find() {
    name=$1 package=$2 wanted=$3 shared=$4 subfolder=$5 half=''
    shift 5
    # shellcheck disable=SC2046 # prefixes
    if look "$wanted" "$shared" $(own_prefixes "$@") || look "$wanted" "$shared" $(shared_prefixes) || look_apart "$wanted" "$shared"; then
        found_at "$subfolder" "$shared"
    elif by_pkg_config "$package" || { [ "$name" = HDF5 ] && by_wrapper; }; then
        :
    elif look "$wanted" "$shared" ${CONDA_PREFIX:+"$CONDA_PREFIX"}; then
        found_at "$subfolder" "$shared"
    elif ! by_compiler "$wanted" "$shared"; then
        why="no $wanted with $shared in what $(own_variables "$1"), CPATH with LIBRARY_PATH, CMAKE_PREFIX_PATH and CONDA_PREFIX"
        why="$why name; $package unknown to pkg-config$([ "$name" != HDF5 ] || echo ', no h5cc'); nothing in the compiler's own folders"
        why="${half:-$why}. Load its module, or name its folder: $1_HOME=DIR"
        return 1
    fi
}
take() {
    case " $cflags " in *" $more_cflags "*) ;; *) cflags="$cflags $more_cflags" ;; esac
    libs="$libs $more_libs"
}
# need as find: a required library.
need() {
    if find "$@"; then
        found "$1" "$where"
        take
    else
        absent "$1" "$why"
        missing="$missing $1"
    fi
}
# value HEADER MACRO: an integer as the compiler sees it, with what was found.
value() {
    # shellcheck disable=SC2086 # words
    printf '#include <%s>\nVALUE %s\n' "$1" "$2" | $CC -E -P -x c - $more_cflags 2>/dev/null | sed -n 's/^VALUE (\{0,1\}\([0-9][0-9]*\)u\{0,1\})\{0,1\}$/\1/p'
}

if ! command -v "${CC%% *}" >/dev/null; then
    absent libraries "cannot be looked for without a compiler"
    echo "LIBRARIES_MISSING :=" >"$out"
    exit 0
fi
# ---- HDF5 ----
need HDF5 hdf5 hdf5.h libhdf5.so '' HDF5
parallel=
if [ "$missing" = '' ] && [ "$(value H5pubconf.h H5_HAVE_PARALLEL)" = 1 ]; then
    parallel=1
    echo "    (parallel: its headers want MPI's)"
fi

# ---- oneDNN: src/cpu/dnnl_version.h knows these versions ----
# lanes are threads of our own, and each tells oneDNN to use no others, by OpenMP.
if find oneDNN dnnl dnnl.h libdnnl.so '' DNNL ONEDNN; then
    major=$(value dnnl_version.h DNNL_VERSION_MAJOR) minor=$(value dnnl_version.h DNNL_VERSION_MINOR)
    version=$major.$minor.$(value dnnl_version.h DNNL_VERSION_PATCH)
    case $(value dnnl_config.h DNNL_CPU_RUNTIME) in
        1 | 2 | '') runtime='' ;; # sequential, OpenMP, or a header that does not say
        0) runtime='no threads: it has no CPU engine' ;;
        4) runtime='the threads of TBB' ;;
        8) runtime="a caller's thread pool" ;;
        *) runtime='the threads of SYCL (DPC++)' ;;
    esac
    if [ "${major:-0}" -ne 3 ] && ! { [ "${major:-0}" -eq 2 ] && [ "$minor" -ge 6 ]; }; then
        absent oneDNN "$version has another C interface; lockstep is written for versions 2.6 to 3"
        missing="$missing oneDNN (2.6 to 3)"
    elif [ -n "$runtime" ]; then
        absent oneDNN "$version ${where%"$version"} is built for $runtime; lockstep needs one built for OpenMP, as is the default, or sequential \
(ONEDNN_CPU_RUNTIME; conda-forge: onednn-cpu-omp)"
        missing="$missing oneDNN (for OpenMP)"
    else
        found oneDNN "$version${where:+ ${where%"$version"}}"
        take
    fi
else
    absent oneDNN "$why"
    missing="$missing oneDNN"
fi

need libyaml yaml-0.1 yaml.h libyaml.so '' YAML LIBYAML
need cJSON libcjson cjson/cJSON.h libcjson.so cjson CJSON
need xxHash libxxhash xxhash.h libxxhash.so '' XXHASH

# ---- What it can do without ----
cairo_cflags=
if find zlib zlib zlib.h libz.so '' ZLIB && zlib_cflags=$more_cflags zlib_libs=$more_libs &&
    find cairo cairo cairo/cairo.h libcairo.so cairo CAIRO; then
    found cairo "$where"
    cairo_cflags="-DHAVE_CAIRO $more_cflags $zlib_cflags"
    libs="$libs $more_libs $zlib_libs"
else
    echo "  ✗ cairo (no pictures and no report: make setup)"
fi
test_libs=
if find cmocka cmocka cmocka.h libcmocka.so '' CMOCKA; then
    found cmocka "$where${where:+ }(tests)"
    cflags="$cflags $more_cflags"
    test_libs=$more_libs
else
    echo "  ✗ cmocka (tests need it: make setup)"
fi

cat >"$out" <<END
LIBRARIES_MISSING := ${missing# }
PARALLEL_HDF5 := $parallel
LIBRARY_CFLAGS := $(echo "$cflags" | tr -s ' ')
LIBRARY_LIBS := $(echo "$libs" | tr -s ' ')
CAIRO_CFLAGS := $cairo_cflags
TEST_LIBS := $test_libs
END
