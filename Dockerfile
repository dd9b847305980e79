# lockstep on Debian 12, for CPUs: docs/containers.md says how to build it and how to run it. scripts/setup.sh has the
# packages; containers/lockstep.def is the same for Apptainer (tests/self/containers.sh compares the two).
#
#   docker build -t lockstep --build-arg GIT_ID="$(git describe --always --dirty --abbrev=12)" .

FROM debian:bookworm-slim AS build
WORKDIR /lockstep
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh build
COPY . .
# What `lockstep --version` and each result say; the image has no git.
ARG GIT_ID=unknown
RUN make -j"$(nproc)"

FROM debian:bookworm-slim
WORKDIR /lockstep
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh run && rm -rf /var/lib/apt/lists/*
COPY configs configs
COPY --from=build /lockstep/build/lockstep /usr/local/bin/
# What scripts/env.sh sets for root on few cores; and no reading of another rank's memory, which containers forbid.
ENV OMPI_ALLOW_RUN_AS_ROOT=1
ENV OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ENV OMPI_MCA_rmaps_base_oversubscribe=1
ENV OMPI_MCA_mpi_yield_when_idle=1
ENV OMPI_MCA_hwloc_base_binding_policy=none
ENV OMPI_MCA_btl_vader_single_copy_mechanism=none
CMD ["lockstep", "--help"]
