#!/usr/bin/env bash
# A real Slurm of two one-core nodes on this machine, for the tests.
#
#   tests/slurm/cluster.sh up               start it and wait until both nodes answer (it runs already: do nothing)
#   tests/slurm/cluster.sh down             end its jobs and daemons and remove its folder (it does not run: do nothing)
#   tests/slurm/cluster.sh with COMMAND …   up, COMMAND in the cluster's environment, down however COMMAND ended
#   source /tmp/atelier-slurm/environment   that environment: sbatch, srun, squeue … on the PATH, for this cluster
#
# Needs root, and Debian's packages where the machine has no Slurm. They are unpacked into the cluster's own folder and
# not installed: with `srun` on the PATH, Lightning warns in every run outside of a job. Key, sockets, ports, logs are
# the cluster's own, too, so a Slurm that the machine belongs to is left alone.
#
# Partition `low` (the default) is preempted by `high`, which requeues its jobs. There is no accounting: `sacct` fails.
set -euo pipefail

FOLDER=/tmp/atelier-slurm # short: the path of a socket holds 107 characters at most
LIBRARIES=$FOLDER/software/usr/lib/$(uname -m)-linux-gnu
ready=""

main() {
    case "${1:-}" in
        up | with) [[ $(id -u) == 0 ]] || fail "only root can start the cluster" ;;&
        up)
            trap 'clean_up' EXIT
            up
            ;;
        with) # no && here: it would let what fails in `up` pass
            trap 'clean_up with' EXIT
            up
            in_cluster "${@:2}"
            ;;
        down) down ;;
        *) fail "say $0 up, down or with COMMAND" ;;
    esac
}

up() {
    if ! running; then
        down
        mkdir -m 755 "$FOLDER"
        get_software
        write_environment
        write_configuration
        start
        wait_until 60 running || fail "the two nodes do not answer"
    fi
    ready=yes
    in_cluster sinfo --version >&2
    in_cluster sinfo >&2
}

get_software() {
    mkdir -p "$FOLDER"/packages/partial "$FOLDER"/software
    if command -v slurmctld && command -v slurmd && command -v munged; then
        return
    fi >/dev/null
    local get=(apt-get install -y -qq --no-install-recommends --download-only -o "Dir::Cache::archives=$FOLDER/packages"
        slurm-wlm munge)
    { "${get[@]}" || { apt-get update -qq && "${get[@]}"; }; } >"$FOLDER/apt.log" 2>&1 || fail "apt-get gave no Slurm"
    for package in "$FOLDER"/packages/*.deb; do
        dpkg-deb -x "$package" "$FOLDER/software"
    done
    for daemon in slurmctld slurmd slurmstepd; do # installing would make these links
        ln -s "$daemon-wlm" "$FOLDER/software/usr/sbin/$daemon"
    done
}

# MASTER_ADDR, because no name server knows n1 and n2; on a cluster Lightning finds the first node by its name.
write_environment() {
    cat >"$FOLDER/environment" <<END
export SLURM_CONF=$FOLDER/slurm.conf MASTER_ADDR=127.0.0.1
export PATH=$FOLDER/software/usr/bin:$FOLDER/software/usr/sbin:\$PATH
export LD_LIBRARY_PATH=$LIBRARIES:$LIBRARIES/slurm-wlm\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
END
}

# cred_expire: a requeued job waits this long (120 s by default). KillWait: the time between SIGTERM and SIGKILL.
write_configuration() {
    local host memory
    host=$(hostname -s)
    memory=$(awk '/MemTotal/ { print int($2 / 1024 * 0.9) }' /proc/meminfo)
    mkdir "$FOLDER"/state "$FOLDER"/n1 "$FOLDER"/n2
    cat >"$FOLDER/slurm.conf" <<END
ClusterName=atelier
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$FOLDER/munge.socket,cred_expire=10
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
KillWait=60
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=2,bf_interval=2
StateSaveLocation=$FOLDER/state
SlurmctldPidFile=$FOLDER/slurmctld.pid
SlurmctldLogFile=$FOLDER/slurmctld.log
SlurmdSpoolDir=$FOLDER/%n
SlurmdPidFile=$FOLDER/%n.pid
SlurmdLogFile=$FOLDER/%n.log
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001 CPUs=1 RealMemory=$memory
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002 CPUs=1 RealMemory=$memory
PartitionName=low Nodes=n1,n2 Default=YES PriorityTier=1 GraceTime=30
PartitionName=high Nodes=n1,n2 PriorityTier=2
END
    if [[ -d $LIBRARIES/slurm-wlm ]]; then
        echo "PluginDir=$LIBRARIES/slurm-wlm" >>"$FOLDER/slurm.conf"
    fi
}

start() {
    (umask 077 && head -c 1024 /dev/urandom >"$FOLDER/munge.key")
    in_cluster munged --key-file="$FOLDER/munge.key" --socket="$FOLDER/munge.socket" \
        --pid-file="$FOLDER/munged.pid" --log-file="$FOLDER/munged.log" --seed-file="$FOLDER/munged.seed"
    in_cluster slurmctld -c
    for node in n1 n2; do
        in_cluster start_node $node
    done
}

start_node() {
    slurmd -N "$1" -d "$(command -v slurmstepd)"
}

down() {
    [[ -d $FOLDER ]] || return 0
    if in_cluster timeout 10 scancel --user=root 2>/dev/null; then
        wait_until 40 no_jobs || echo "These jobs of the cluster do not end: $(in_cluster squeue)" >&2
    fi
    for daemon in n1 n2 slurmctld munged; do
        stop "$FOLDER/$daemon.pid"
    done
    rm -rf "$FOLDER"
}

# The process of a pid file, if it still is a daemon of this cluster's.
stop() {
    local pid
    pid=$(cat "$1" 2>/dev/null) && grep -qE '^(slurm|munge)' "/proc/$pid/comm" 2>/dev/null || return 0
    kill "$pid"
    wait_until 10 gone "$pid" || kill -KILL "$pid"
}

clean_up() {
    local status=$?
    pkill -P $$ || true # COMMAND, if a signal has ended this script alone
    if [[ -z $ready ]]; then
        tail -v -n 5 "$FOLDER"/*.log >&2 2>/dev/null || true
    fi
    if [[ -z $ready || ${1:-} == with ]]; then
        down
    fi
    exit "$status"
}

running() {
    local states
    states=$(in_cluster timeout 10 sinfo --noheader --Node --partition=low --format=%T 2>/dev/null | xargs) &&
        [[ $states =~ ^(idle|mixed|allocated|completing)\ (idle|mixed|allocated|completing)$ ]]
}

no_jobs() {
    [[ -z $(in_cluster timeout 10 squeue --noheader) ]]
}

gone() { # or ended, and only its parent has not noticed
    ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$1/status" 2>/dev/null
}

in_cluster() (
    [[ -O $FOLDER/environment ]] || exit 1
    source "$FOLDER/environment"
    "$@"
)

wait_until() {
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

fail() {
    echo "$*" >&2
    exit 1
}

main "$@"
