# Sourced by launch.sh, after layout.sh: the interface between the nodes, for MPI and NCCL.
#
# MPI would otherwise use all interfaces, those of containers too. Of the networks that all nodes are in the fastest counts, by the
# slowest of its links; of those that are as fast, the one that leads to the next node. A network has a name on each node.
# shellcheck shell=bash disable=SC2154
network=${NETWORK:-} names='' speed=''
[[ -z $network || $network = */* ]] || names=$network

# choose NODES ROUTE: of the lines of links.sh; prints NETWORK SPEED NAME,NAME...; nothing where the nodes share none.
choose() {
    awk -v nodes="$1" -v me="$(hostname -s)" -v route="$2" '
        { if (!(($3, $1) in on)) { on[$3, $1]; count[$3]++ }
          if (!($3 in slowest) || $4 < slowest[$3]) slowest[$3] = $4
          if (!(($3, $2) in named)) { named[$3, $2]; names[$3] = names[$3] (names[$3] == "" ? "" : ",") $2 }
          if ($1 == me && $2 == route) near = $3 }
        END { for (n in count) if (count[n] == nodes && (best == "" || slowest[n] > slowest[best] || (slowest[n] == slowest[best] && n == near))) best = n
              if (best != "") print best, slowest[best], names[best] }'
}
if [ -z "$network" ] && [ ${#hosts[@]} -gt 1 ]; then
    for host in "${hosts[@]}"; do [ "$host" = "$(hostname -s)" ] || break; done
    address=$(getent ahostsv4 "$host" | awk '{ print $1; exit }') || true
    route=$(ip -o route get "${address:-none}" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p') || true
    if links=$(timeout 60 srun --mpi=none --nodes=${#hosts[@]} --ntasks=${#hosts[@]} --ntasks-per-node=1 --cpus-per-task=1 --overcommit \
        --nodelist="$(IFS=, && echo "${hosts[*]}")" "$root/scripts/slurm/links.sh" 2>&1 </dev/null); then
        read -r network speed names < <(choose ${#hosts[@]} "$route" <<<"$links") ||
            say "the nodes share no network that they know of: MPI chooses (NETWORK=NAME says which)"
    else
        say "the links of the nodes cannot be read (NETWORK=NAME says which to take): $(tail -n 1 <<<"$links")"
        names=$route # to the next node, if this is one
    fi
    [[ $names = *,* ]] || network=$names
fi
if [ -n "$network" ]; then
    if [ "$kind" = openmpi ]; then
        export OMPI_MCA_btl_tcp_if_include="${OMPI_MCA_btl_tcp_if_include:-$network}"
        export OMPI_MCA_oob_tcp_if_include="${OMPI_MCA_oob_tcp_if_include:-$network}"
    fi
    # NCCL takes a name without = as the beginning of names: eth1 would be eth10 too.
    [ -z "$names" ] || export NCCL_SOCKET_IFNAME="${NCCL_SOCKET_IFNAME:-=$names}"
fi
# network_told LAUNCHER: of the network that the ranks' MPI is told of, what launch.sh says. Hydra's mpirun takes one name for all nodes.
network_told() {
    local told=''
    case $kind,$1 in
        openmpi,*) told=${OMPI_MCA_btl_tcp_if_include:-} ;;
        hydra,mpirun) [ "$network" != "$names" ] || told=$network ;;
    esac
    [ -n "$told" ] || { echo "as MPI chooses" && return; }
    [[ $told != "$network" || ${speed:-0} = 0 ]] || told+=", the fastest of all nodes, $((speed / 1000)) Gb/s"
    echo "$told"
}
