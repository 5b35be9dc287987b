#!/usr/bin/env bash
# A run on several nodes of a Slurm cluster. It survives the end of its time and preemption: requeued, it goes on.
#
#     sbatch --nodes=4 cluster/deploy/slurm.sh mine /shared/videos --every 5 --out /shared/run
#     sbatch --nodes=4 --export=ALL,IMAGE=/shared/lpff-ray.sif cluster/deploy/slurm.sh mine ...    # with Apptainer
#
# The environment (.venv, by ./run_cluster.sh setup; or IMAGE), sources and OUT must lie on a file system that all nodes
# share; sources and OUT may lie on an object store. Submit it from the repository, or say REPOSITORY=/path.
#SBATCH --job-name=lpff-ray
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=0
#SBATCH --time=08:00:00
#SBATCH --output=lpff-ray-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
# Three minutes before the time is up Slurm tells this script, and it alone; what is in flight has two to finish.
#SBATCH --signal=B:USR1@180
set -euo pipefail

[[ $# -gt 0 ]] || {
    echo "slurm.sh: run what? e.g. sbatch slurm.sh mine VIDEOS --every 5 --out OUT" >&2
    exit 2
}
run=()
if [[ -n ${IMAGE:-} ]]; then
    run=(apptainer exec --nv --bind "$PWD" "$IMAGE")
else
    export PATH=${REPOSITORY:-${SLURM_SUBMIT_DIR:-$PWD}}/.venv/bin:$PATH
fi

# This script runs on the first node: Ray's head and the driver do, too. The port is this job's own, for other jobs may
# share the node. Not `ray symmetric-run`: it refuses beside another Ray, and ends with `ray stop`, which stops that one.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${head%%$'\n'*} # no `| head`: it may end scontrol by SIGPIPE, and this script with it
port=$((20000 + SLURM_JOB_ID % 20000))
export RAY_ADDRESS=$head:$port RAY_USAGE_STATS_ENABLED=0
# Whoever reaches the ports of a Ray cluster can run programs as you: this job's nodes alone know its token.
RAY_AUTH_TOKEN=$(od -An -N 32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_MODE=${RAY_AUTH_MODE:-token} RAY_AUTH_TOKEN
# Sockets need a short path on a local disk; copies of remote videos need room.
export RAY_TMPDIR=/tmp/ray-$SLURM_JOB_ID LPFF_RAY_CACHE=${LPFF_RAY_CACHE:-${SLURM_TMPDIR:-/tmp}}
mkdir -p "$RAY_TMPDIR"

resources=(--num-cpus="${SLURM_CPUS_PER_TASK:-8}" --dashboard-agent-listen-port=0 --disable-usage-stats)
[[ -z ${SLURM_GPUS_ON_NODE:-} ]] || resources+=(--num-gpus="$SLURM_GPUS_ON_NODE")

# Node by node, with all of its resources; all end with the job.
# shellcheck disable=SC2016 # $@ is for the shell on the node
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap "${run[@]}" bash -c '"$@" && exec sleep infinity' head \
    ray start --head --port="$port" --include-dashboard=false "${resources[@]}" &
for ((tries = 0; tries < 120; tries++)); do
    (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null && break
    sleep 1
done
others=$((SLURM_JOB_NUM_NODES - 1))
if ((others > 0)); then
    # The driver uses them as they join, and goes on without those that it loses.
    srun --nodes="$others" --ntasks="$others" --exclude="$head" --overlap --no-kill "${run[@]}" \
        ray start --block --address="$RAY_ADDRESS" "${resources[@]}" &
fi

ending=''
trap 'ending=requeue; kill -TERM "$driver"' USR1 # the time is up: finish what is in flight, and go on in a new job
trap 'ending=stop; kill -TERM "$driver"' TERM INT # scancel; or preemption, after which Slurm requeues by itself
"${run[@]}" lpff-ray "$@" &
driver=$!
while true; do
    code=0
    wait "$driver" || code=$? # a signal ends `wait`, not what it waits for
    kill -0 "$driver" 2>/dev/null || break
done
echo "slurm.sh: lpff-ray ended with code $code" >&2
# 130: interrupted, and resumable. 75: a host, bucket or disk of the sources is away. All else is final.
if [[ $ending == requeue && $code == 130 ]] || [[ -z $ending && $code == 75 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
