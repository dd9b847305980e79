#!/bin/bash
# The IPv4 interfaces of this node that are up, a line each: NODE NAME NETWORK/BITS SPEED, in Mb/s, 0 where the system does not say.
# Bridges are left out: those of containers have one address on all nodes, and lead to none of them.
set -euo pipefail

net=${SYSFS:-/sys}/class/net

# network_of ADDRESS/BITS
network_of() {
    local a b c d number bits=${1#*/}
    IFS=. read -r a b c d <<<"${1%/*}"
    number=$((((a << 24) | (b << 16) | (c << 8) | d) & (bits > 0 ? 0xffffffff << (32 - bits) & 0xffffffff : 0)))
    echo "$((number >> 24)).$((number >> 16 & 255)).$((number >> 8 & 255)).$((number & 255))/$bits"
}
# speed_of NAME: InfiniBand's "100 Gb/sec (4X EDR)", else the interface's own number.
speed_of() {
    local speed file
    for file in "$net/$1"/device/infiniband/*/ports/*/rate; do
        speed=$(sed -n 's/^\([0-9][0-9]*\)\(\.5\)\{0,1\} Gb.*/\1000/p' "$file" 2>/dev/null) && [ -n "$speed" ] && echo "$speed" && return
    done
    speed=$(cat "$net/$1/speed" 2>/dev/null) || speed=0
    [[ $speed =~ ^[0-9]+$ ]] || speed=0
    echo "$speed"
}
node=$(hostname -s)
while read -r _ name _ address _; do
    [ ! -e "$net/$name/bridge" ] || continue
    echo "$node $name $(network_of "$address") $(speed_of "$name")"
done < <(ip -o -4 addr show up scope global)
