#!/bin/bash
# Starts a real Slurm cluster of emulated nodes on this one machine:
#
#   up.sh DIR [NODES=4] [CPUS_PER_NODE=4] [GPUS_PER_NODE=0]
#
# Each node is a set of Linux namespaces (net, uts, mount, ipc, pid) with its own address, host name, /dev/shm and
# process ids; killing one process powers it off. All share the machine's file system, which plays the cluster's
# NFS. Nothing outside DIR is used: no systemd, no cgroups, no /etc/slurm. Needs root and the packages of
# `scripts/setup.sh slurm`. README.md here says why each setting is as it is.
#
#   ctl  10.213.0.1    bridge br0, munged, slurmctld; the login node
#   n1   10.213.0.11   slurmd, on a virtual cable v1 <-> eth0
#   n2   10.213.0.12   ...
#
# Client commands run on the login node: run.sh DIR sbatch job.sh. A cluster that is in DIR already is replaced.
set -euo pipefail

dir=${1:?usage: up.sh DIR [NODES] [CPUS_PER_NODE] [GPUS_PER_NODE]}
nodes=${2:-4} cpus=${3:-4} gpus=${4:-0}
here=$(cd "$(dirname "$0")" && pwd)
net=10.213.0 # exists inside the namespaces alone
most=60      # bytes of DIR: the sockets below it must have less than 108

die() { echo "up.sh: $*" >&2 && exit 1; }
[ "$(id -u)" = 0 ] || die "must be root"
for tool in slurmctld slurmd munged ip unshare nsenter; do
    command -v $tool >/dev/null || die "$tool is missing: scripts/setup.sh slurm"
done
mkdir -p "$dir" && dir=$(cd "$dir" && pwd)
[ ${#dir} -le $most ] || die "$dir is longer than $most bytes"
"$here/down.sh" "$dir" # refuses a folder that is not ours, too
: >"$dir/.emulated-cluster"
mkdir -p "$dir"/{etc,run,log,state,tmp}
chmod 755 "$dir" "$dir/run"
etc=$dir/etc

# ---- Configuration ----
(umask 077 && head -c 1024 /dev/urandom >"$etc/munge.key")
{
    echo "127.0.0.1 localhost"
    echo "$net.1 ctl"
    for i in $(seq "$nodes"); do echo "$net.$((10 + i)) n$i"; done
} >"$etc/hosts"
# Devices that stand for GPUs, each another /dev/null: Slurm refuses a plain file here.
mkdir -p "$etc/gpu"
for g in $(seq 0 $((gpus - 1))); do mknod "$etc/gpu/gpu$g" c 1 3; done

gres=
if [ "$gpus" -gt 0 ]; then
    gres=" Gres=gpu:$gpus"
    echo "Name=gpu File=$etc/gpu/gpu[0-$((gpus - 1))]" >"$etc/gres.conf"
fi
echo "PMIxCliTmpDirBase=$dir/tmp" >"$etc/mpi.conf"
cat >"$etc/slurm.conf" <<CONF
ClusterName=emulated
SlurmctldHost=ctl($net.1)
SlurmctldPort=6817
SlurmdPort=6818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/nodes/%n/spool
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MpiDefault=pmix
ReturnToService=2
JobRequeue=1
KillWait=5
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=5
TreeWidth=65533
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
PropagateResourceLimits=NONE
MailProg=/bin/true
MinJobAge=3600
${gres:+GresTypes=gpu}
$(for i in $(seq "$nodes"); do
    echo "NodeName=n$i NodeAddr=$net.$((10 + i)) CPUs=$cpus RealMemory=4000$gres State=UNKNOWN"
done)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
CONF

# ---- What runs as process 1 of the login node, and of each compute node ----
cat >"$etc/init-ctl" <<INIT
#!/bin/bash
hostname ctl
mount --bind $etc/hosts /etc/hosts
ip link set lo up
ip link add br0 type bridge forward_delay 0
ip addr add $net.1/24 dev br0
ip link set br0 up
munged --force --socket=$dir/run/munge.sock --key-file=$etc/munge.key --log-file=$dir/log/munged.log \
    --pid-file=$dir/run/munged.pid --seed-file=$dir/run/munged.seed
export SLURM_CONF=$etc/slurm.conf
slurmctld -f \$SLURM_CONF
: >$dir/run/ctl.ready
while :; do sleep 1000 & wait \$!; done # process 1 reaps what is left to it
INIT
cat >"$etc/init-node" <<INIT
#!/bin/bash
name=\$1 address=\$2
hostname \$name
ulimit -c 0
mount --bind $etc/hosts /etc/hosts
mount --bind $dir/nodes/\$name/tmp $dir/tmp
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
for _ in {1..200}; do ip link show eth0 >/dev/null 2>&1 && break; sleep .05; done
ip addr add \$address/24 dev eth0
ip link set eth0 up
export SLURM_CONF=$etc/slurm.conf
slurmd -f \$SLURM_CONF -N \$name
while :; do sleep 1000 & wait \$!; done
INIT

"$here/node.sh" "$dir" start-ctl
for i in $(seq "$nodes"); do "$here/node.sh" "$dir" start "n$i"; done

idle=0
for _ in {1..150}; do
    idle=$("$here/run.sh" "$dir" sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l) || idle=0
    [ "$idle" = "$nodes" ] && exit 0
    sleep 0.2
done
tail -n 20 "$dir"/log/slurm*.log >&2
die "only $idle of $nodes nodes came up"
