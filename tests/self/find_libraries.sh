#!/bin/bash
# Where the build looks for the libraries that it needs on CPUs, and what it says of what it does not find or may not take:
# stand-in trees of headers and empty shared objects, as modules of EasyBuild, Spack, conda and of sites have them.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

# Nothing of this machine: neither what modules set, nor pkg-config, nor what compilers know.
for variable in $(compgen -e | grep -E '_(HOME|ROOT|DIR|PATH|PREFIX)$|ROOT$|^EBROOT|^CPATH$'); do unset "$variable"; done
unset BUILD MAKEFLAGS MAKELEVEL MFLAGS
mkdir "$tmp/bin" "$tmp/sysroot"
for tool in sh env dirname basename sed sort head cat awk tr uname grep paste; do ln -s "$(command -v $tool)" "$tmp/bin"; done
# Not ccache, which would look for the compiler in turn.
compiler=$(for gcc in $(type -ap gcc); do [[ $(readlink -f "$gcc") = *ccache ]] || echo "$gcc"; done | head -n 1)
cat >"$tmp/bin/gcc" <<END
#!/bin/sh
[ "\$1" != -dumpmachine ] || [ -z "\${MACHINE:-}" ] || { echo "\$MACHINE"; exit; }
exec $compiler --sysroot=$tmp/sysroot "\$@"
END
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/pkg-config"
chmod +x "$tmp"/bin/{gcc,pkg-config}

# library PREFIX HEADER OBJECT [LINE OF THE HEADER]...: an installation of one of them.
library() {
    mkdir -p "$(dirname "$1/include/$2")" "$1/lib"
    printf '%s\n' "${@:4}" >"$1/include/$2"
    touch "$1/lib/$3"
}
onednn() { # PREFIX RUNTIME
    library "$1" dnnl.h libdnnl.so
    printf '#define DNNL_VERSION_%s\n' 'MAJOR 3' 'MINOR 6' 'PATCH 0' >"$1/include/dnnl_version.h"
    printf '#define DNNL_RUNTIME_%s\n' 'NONE 0u' 'SEQ 1u' 'OMP 2u' 'TBB 4u' 'THREADPOOL 8u' 'SYCL 512u' >"$1/include/dnnl_config.h"
    echo "#define DNNL_CPU_RUNTIME DNNL_RUNTIME_$2" >>"$1/include/dnnl_config.h"
}
hdf5() { library "$1" hdf5.h libhdf5.so && echo '#define H5_VERS_INFO "1.14"' >"$1/include/H5pubconf.h"; }
# all HDF5 ONEDNN LIBYAML CJSON XXHASH: each in its prefix.
all() { hdf5 "$1" && onednn "$2" OMP && library "$3" yaml.h libyaml.so && library "$4" cjson/cJSON.h libcjson.so && library "$5" xxhash.h libxxhash.so; }

find_all() { env PATH="$tmp/bin" CC=gcc "$@" scripts/find-libraries.sh "$tmp/found.mk" | tee "$tmp/said"; }
finds() { find_all "$@" && grep -qx 'LIBRARIES_MISSING := ' "$tmp/found.mk"; }
lacks() { find_all "$@" && grep -q '^LIBRARIES_MISSING := .' "$tmp/found.mk" && grep -qF -- "$words" "$tmp/said"; }
links() { grep -F -- "$1/$2 -Wl,-rpath,$1" "$tmp/found.mk"; }
includes() { grep -F -- "-isystem $1" "$tmp/found.mk"; }

eb=$tmp/easybuild/software
all "$eb/HDF5/1.14.0-gompi-2023a" "$eb/oneDNN/3.6" "$eb/libyaml/0.2.5" "$eb/cJSON/1.7" "$eb/xxHash/0.8"
modules=(EBROOTHDF5="$eb/HDF5/1.14.0-gompi-2023a" EBROOTONEDNN="$eb/oneDNN/3.6" EBROOTLIBYAML="$eb/libyaml/0.2.5" EBROOTCJSON="$eb/cJSON/1.7")
check "EasyBuild's variables" finds "${modules[@]}" EBROOTXXHASH="$eb/xxHash/0.8"
check "headers are the system's to the compiler" includes "$eb/HDF5/1.14.0-gompi-2023a/include"
check "objects are linked from there, and looked for there" links "$eb/oneDNN/3.6/lib" libdnnl.so
check "a header that is below a folder" includes "$eb/cJSON/1.7/include/cjson"
check "what was found, and where" grep -qxF "  ✓ oneDNN 3.6.0 in $eb/oneDNN/3.6" "$tmp/said"
mv "$eb/HDF5/1.14.0-gompi-2023a/lib" "$eb/HDF5/1.14.0-gompi-2023a/lib64"
check "lib64" finds "${modules[@]}" XXHASH_HOME="$eb/xxHash/0.8/"

s=$tmp/spack/opt/linux-rocky9-zen4/gcc-13.2.0
all "$s/hdf5-1.14.3-abc" "$s/onednn-3.0-def" "$s/libyaml-0.2.5-ghi" "$s/cjson-1.7.17-jkl" "$s/xxhash-0.8.1-mno"
prefixes=$(printf '%s:' "$s"/*)
check "Spack: CMAKE_PREFIX_PATH" finds CMAKE_PREFIX_PATH="$prefixes"
check "whose programs find their libraries without LD_LIBRARY_PATH" links "$s/hdf5-1.14.3-abc/lib" libhdf5.so
check "CPATH alone, beside which the libraries are" finds CPATH="${prefixes//:/\/include:}"
check "LIBRARY_PATH alone" finds LIBRARY_PATH="${prefixes//:/\/lib:}"
check "one's own variable comes before" finds CMAKE_PREFIX_PATH="$prefixes" HDF5_ROOT="$eb/HDF5/1.14.0-gompi-2023a"
check "that is, its HDF5" links "$eb/HDF5/1.14.0-gompi-2023a/lib64" libhdf5.so
mkdir -p "$tmp/apart"/{headers,objects}
cp -r "$s"/*/include/* "$tmp/apart/headers" && cp "$s"/*/lib/* "$tmp/apart/objects"
check "CPATH and LIBRARY_PATH of any names" finds CPATH="$tmp/apart/headers" LIBRARY_PATH="/none:$tmp/apart/objects"
check "or LD_LIBRARY_PATH" finds CPATH="$tmp/apart/headers" LD_LIBRARY_PATH="$tmp/apart/objects"

c=$tmp/conda/envs/lockstep
all "$c" "$c" "$c" "$c" "$c"
library "$c" zlib.h libz.so && library "$c" cairo/cairo.h libcairo.so && library "$c" cmocka.h libcmocka.so
check "conda" finds CONDA_PREFIX="$c"
check "and pictures with it" grep -qF -- "-DHAVE_CAIRO -isystem $c/include -isystem $c/include/cairo" "$tmp/found.mk"
check "and tests" grep -qxF "TEST_LIBS := $c/lib/libcmocka.so -Wl,-rpath,$c/lib" "$tmp/found.mk"

d=$tmp/grace
all "$d" "$d" "$d" "$d" "$d"
mkdir "$d/lib/aarch64-linux-gnu" && mv "$d"/lib/*.so "$d/lib/aarch64-linux-gnu"
check "aarch64: lib/aarch64-linux-gnu" finds MACHINE=aarch64-linux-gnu CMAKE_PREFIX_PATH="$d"
words="✗ HDF5: $d/include/hdf5.h is there, but no libhdf5.so in lib64, lib, lib/x86_64-linux-gnu, targets/x86_64-linux/lib of $d."
check "which is no folder of another machine" lacks CMAKE_PREFIX_PATH="$d"

# ---- pkg-config, and HDF5's wrappers ----
rest=("${modules[@]:1}" EBROOTXXHASH="$eb/xxHash/0.8")
cat >"$tmp/bin/pkg-config" <<END
#!/bin/sh
case "\$*" in
    *hdf5) case \$1 in --modversion) echo 1.14.3 ;; --cflags) echo -I$tmp/pc/include ;; --libs) echo -L$tmp/pc/lib -L/usr/lib/hdf5 -lhdf5 ;; esac ;;
    *) exit 1 ;;
esac
END
check "pkg-config" finds "${rest[@]}"
check "whose folders are looked for at run time, but not the system's" grep -qF " -L$tmp/pc/lib -Wl,-rpath,$tmp/pc/lib -L/usr/lib/hdf5 -lhdf5 " "$tmp/found.mk"
printf '#!/bin/sh\nexit 1\n' >"$tmp/bin/pkg-config"
# wrapper NAME WORDS: what it shows.
# shellcheck disable=SC2016 # the wrapper expands it
wrapper() { rm -f "$tmp"/bin/h5*cc && printf '#!/bin/sh\n[ "$1" = -show ] && echo "%s"\n' "$2" >"$tmp/bin/$1" && chmod +x "$tmp/bin/$1"; }
h=$tmp/site/hdf5
hdf5 "$h" && touch "$h/lib/libhdf5.a"
wrapper h5cc "gcc -I$h/include -L$h/lib $h/lib/libhdf5_hl.a $h/lib/libhdf5.a -lz -ldl -lm"
check "HDF5 by h5cc" finds "${rest[@]}"
check "its shared object where there is one" links "$h/lib" libhdf5.so
rm "$h/lib/libhdf5.so"
check "HDF5 that has static libraries alone" finds "${rest[@]}"
check "with what they need" grep -qF "$h/lib/libhdf5.a -lz -ldl -lm" "$tmp/found.mk"
touch "$h/lib/libhdf5.so" && echo '#define H5_HAVE_PARALLEL 1' >>"$h/include/H5pubconf.h"
wrapper h5pcc "mpicc -I$h/include -L$h/lib -lhdf5 -lz -ldl -lm"
check "a parallel HDF5, by h5pcc" finds "${rest[@]}"
check "its headers are given MPI's" grep -qx 'PARALLEL_HDF5 := 1' "$tmp/found.mk"
wrapper h5cc "gcc -I$tmp/gone/include -L$tmp/gone/lib -lhdf5"
words="✗ HDF5: no hdf5.h with libhdf5.so in what HDF5_HOME HDF5_ROOT HDF5_DIR HDF5_PATH HDF5ROOT EBROOTHDF5, CPATH with LIBRARY_PATH,"
check "a wrapper whose HDF5 is gone; where was looked" lacks "${rest[@]}"
check "and what to do" grep -qF "no h5cc; nothing in the compiler's own folders. Load its module, or name its folder: HDF5_HOME=DIR" "$tmp/said"
rm "$tmp"/bin/h5cc

# ---- What may not be taken ----
others=("${modules[@]:0:1}" "${rest[@]:1}")
for runtime in "TBB the threads of TBB" "SYCL the threads of SYCL (DPC++)" "THREADPOOL a caller's thread pool" "NONE no threads: it has no CPU engine"; do
    onednn "$tmp/dnnl" "${runtime%% *}"
    words="✗ oneDNN: 3.6.0 in $tmp/dnnl is built for ${runtime#* }; lockstep needs one built for OpenMP, as is the default, or sequential"
    check "oneDNN for ${runtime%% *} is refused" lacks "${others[@]}" DNNL_HOME="$tmp/dnnl"
done
onednn "$tmp/dnnl" SEQ
check "a sequential oneDNN is taken" finds "${others[@]}" DNNL_HOME="$tmp/dnnl"

words="✗ libyaml: no yaml.h with libyaml.so in what YAML_HOME"
check "each that is missing has a line" lacks "${modules[@]:0:2}"
check "of its own" eval "grep -q '✗ cJSON: no cjson/cJSON.h' $tmp/said && grep -q '✗ xxHash: no xxhash.h' $tmp/said"
check "and make is told all" grep -qx 'LIBRARIES_MISSING := libyaml cJSON xxHash' "$tmp/found.mk"
finish
