#!/bin/bash
# Does something to a node of the cluster that up.sh started: node.sh DIR VERB NODE
#
#   start         boots it, also after crash or power-off
#   crash         kills everything on it at once; the kernel still closes its sockets
#   power-off     the same, but the cable goes first: the others hear nothing at all
#   cut, heal     takes its network away, gives it back; its processes go on
#   kill-slurmd   kills the daemon alone; jobs go on
#   start-slurmd  starts the daemon again
#   pid           prints the process id, seen from outside, of the node's process 1
set -euo pipefail

dir=$(cd "${1:?usage: node.sh DIR VERB NODE}" && pwd)
verb=${2:?which verb?} node=${3:-ctl}
cable=v${node#n}
init_of() { cat "$dir/run/$1.pid"; }
on_login() { nsenter -t "$(init_of ctl)" -n "$@"; }

# boot NODE INIT [ARGUMENT...]: INIT becomes process 1 of fresh namespaces.
boot() {
    local name=$1 init=$2 parent child=
    shift 2
    setsid unshare --net --uts --ipc --mount --pid --fork --kill-child=KILL --mount-proc --propagation private \
        bash "$init" "$@" </dev/null >"$dir/log/init.$name.log" 2>&1 &
    parent=$!
    for _ in {1..100}; do
        child=$(cat "/proc/$parent/task/$parent/children" 2>/dev/null) && [ -n "$child" ] && break
        sleep .02
    done
    [ -n "$child" ] || { cat "$dir/log/init.$name.log" >&2 && exit 1; }
    echo "$parent" >"$dir/run/$name.parent"
    echo "${child// /}" >"$dir/run/$name.pid"
}

# Waits until a killed process is gone; one that nobody has reaped yet is.
gone() {
    local state
    for _ in {1..100}; do
        state=$(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null) || return 0
        [ -n "$state" ] && [ "$state" != Z ] || return 0
        sleep .05
    done
}

stop() {
    local init
    init=$(init_of "$node")
    kill -KILL "$init"
    gone "$init"
}

case $verb in
    start-ctl)
        rm -f "$dir/run/ctl.ready"
        boot ctl "$dir/etc/init-ctl"
        for _ in {1..200}; do [ -e "$dir/run/ctl.ready" ] && exit 0; sleep .05; done
        cat "$dir/log/init.ctl.log" >&2
        exit 1
        ;;
    start)
        home=$dir/nodes/$node
        mkdir -p "$home/spool" "$home/tmp" && chmod 1777 "$home/tmp"
        rm -rf "$home/spool"/{stepd.*,pmix.*,"$node"_*} "$home/tmp"/*
        boot "$node" "$dir/etc/init-node" "$node" "$(awk -v n="$node" '$2 == n { print $1 }' "$dir/etc/hosts")"
        on_login ip link del "$cable" 2>/dev/null || true
        # The peer is made on the login node, so that it has its name to itself, and moved to the new node.
        on_login ip link add "$cable" type veth peer name eth0c
        nsenter -t "$(init_of ctl)" -n ip link set eth0c netns "$(init_of "$node")" name eth0
        on_login ip link set "$cable" master br0 up
        ;;
    crash) stop ;;
    power-off) on_login ip link set "$cable" down && stop ;;
    cut) on_login ip link set "$cable" down ;;
    heal) on_login ip link set "$cable" up ;;
    kill-slurmd) nsenter -t "$(init_of "$node")" -p -m kill -KILL "$(cat "$dir/run/slurmd.$node.pid")" ;;
    start-slurmd)
        SLURM_CONF=$dir/etc/slurm.conf nsenter -t "$(init_of "$node")" -a slurmd -f "$dir/etc/slurm.conf" -N "$node"
        ;;
    pid) init_of "$node" ;;
    *) echo "node.sh: unknown verb $verb" >&2 && exit 2 ;;
esac
