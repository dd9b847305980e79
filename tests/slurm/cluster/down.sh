#!/bin/bash
# Stops the cluster of up.sh and empties its folder: down.sh DIR. Nothing there: nothing to do.
#
# Every process of a node lives in the node's process-id namespace, so killing the namespace's process 1 ends them
# all, jobs included.
set -u

dir=${1:?usage: down.sh DIR}
[ -d "$dir" ] || exit 0
dir=$(cd "$dir" && pwd) || exit 1
[ -n "$(ls -A "$dir")" ] || exit 0
if [ "$dir" = / ] || [ ! -e "$dir/.emulated-cluster" ]; then
    echo "down.sh: $dir was not made by up.sh and is left alone" >&2
    exit 1
fi

# Process ids come again: only one whose command line says so is killed.
ours() { [ -r "/proc/$1/cmdline" ] && grep -qzF "$dir/etc/init-" "/proc/$1/cmdline" 2>/dev/null; }
killed=()
for file in "$dir"/run/n*.pid "$dir"/run/ctl.pid "$dir"/run/*.parent; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    ours "$pid" && kill -KILL "$pid" && killed+=("$pid")
done
for pid in "${killed[@]}"; do
    for _ in {1..100}; do
        state=$(awk '/^State/ { print $2 }' "/proc/$pid/status" 2>/dev/null)
        [ -z "$state" ] || [ "$state" = Z ] && break
        sleep .05
    done
done
rm -rf "${dir:?}"/{run,state,nodes,tmp,etc,log,.emulated-cluster}
