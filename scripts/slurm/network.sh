# Sourced by launch.sh, after layout.sh: the interface between the nodes, for Open MPI and NCCL.
#
# Open MPI would otherwise use all interfaces, those of containers too. Nodes know theirs; a login node (salloc) may not.
# shellcheck shell=bash disable=SC2154
network=${NETWORK:-}
if [ -z "$network" ] && [[ ${#hosts[@]} -gt 1 && " ${hosts[*]} " = *" $(hostname -s) "* ]] && command -v ip >/dev/null; then
    for host in "${hosts[@]}"; do [ "$host" = "$(hostname -s)" ] || break; done
    address=$(getent ahostsv4 "$host" | awk '{ print $1; exit }') || true
    [ -z "$address" ] || network=$(ip -o route get "$address" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
fi
if [ -n "$network" ]; then
    export OMPI_MCA_btl_tcp_if_include="${OMPI_MCA_btl_tcp_if_include:-$network}"
    export OMPI_MCA_oob_tcp_if_include="${OMPI_MCA_oob_tcp_if_include:-$network}"
    [[ $network = */* ]] || export NCCL_SOCKET_IFNAME="${NCCL_SOCKET_IFNAME:-$network}"
fi
