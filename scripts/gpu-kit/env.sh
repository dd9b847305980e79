# Source this in an unpacked kit, on the machine with the GPU: `. scripts/gpu-kit/env.sh`.
#
#   $KIT          the kit's folder
#   $KIT/cuda     links to the machine's own CUDA libraries: NVIDIA's Python wheels first (the ones that PyTorch runs on), then
#                 CUDA_HOME, /usr/local/cuda* and what the loader knows
#   PATH          has Open MPI's launcher, and the toolkit's tools where there are some
#
# Open MPI takes its own folders from variables, since they are not where it was built for.
# shellcheck shell=bash

KIT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export KIT BUILD=$KIT/build
export OPAL_PREFIX=$KIT/ompi OPAL_BINDIR=$KIT/ompi/bin OPAL_LIBDIR=$KIT/lib OPAL_PKGLIBDIR=$KIT/ompi/lib/openmpi3 \
    OPAL_DATADIR=$KIT/ompi/share OPAL_PKGDATADIR=$KIT/ompi/share/openmpi OPAL_SYSCONFDIR=$KIT/ompi/etc \
    PMIX_INSTALL_PREFIX=$KIT/pmix PMIX_PREFIX=$KIT/pmix PMIX_MCA_pcompress_base_silence_warning=1
export OMPI_MCA_plm_rsh_agent=/bin/true # one machine: no ssh is asked for
. "$KIT/scripts/env.sh"

# Folders with CUDA's libraries, the best first.
kit_cuda_folders() {
    # NVIDIA's wheels are one package in many folders, none of which may be there.
    python3 -c 'import glob, nvidia
for root in nvidia.__path__: print(*sorted(glob.glob(root + "/*/lib")), sep="\n")' 2>/dev/null
    [ -z "${CUDA_HOME:-}" ] || printf '%s\n' "$CUDA_HOME/lib64" "$CUDA_HOME/lib"
    printf '%s\n' /usr/local/cuda/lib64 /usr/local/cuda*/targets/x86_64-linux/lib
    ldconfig -p 2>/dev/null | sed -nE 's/.*=> (.*)\/lib(cudart|cudnn|nccl)\.so.*/\1/p' | sort -u
}

kit_link() {
    local folder file
    rm -f "$KIT"/cuda/*
    while IFS= read -r folder; do
        for file in "$folder"/lib{cudart,cudnn,nccl,nvrtc,nvJitLink,cublas}*.so.*; do
            # A stub of the toolkit is for linkers alone.
            [[ ! -e $file || $file = */stubs/* || -e $KIT/cuda/${file##*/} ]] || ln -s "$file" "$KIT/cuda/"
        done
    done < <(kit_cuda_folders)
}
kit_link
# For what CUDA's libraries open by name themselves. The kit's own libraries are found without it, and no other program meets them.
export KIT_LOADER=${LD_LIBRARY_PATH:-} # as the machine has it: the driver may be found by it
export LD_LIBRARY_PATH=$KIT/cuda${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
for kit_tools in "${CUDA_HOME:-/usr/local/cuda}/bin" /usr/local/cuda*/bin /opt/nvidia/nsight-compute/*; do
    [ ! -d "$kit_tools" ] || PATH=$PATH:$kit_tools
done
unset kit_tools
export PATH=$KIT/ompi/bin:$PATH
