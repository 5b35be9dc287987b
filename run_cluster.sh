#!/usr/bin/env bash
# lpff_ray on this machine, or on a Ray cluster: makes its own environment first. `./run_cluster.sh help`
set -euo pipefail

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
venv=$repo/.venv
# Ray can not start workers from a Python whose path has a space in it (seen in 2.60).
[[ $repo != *[[:space:]]* ]] || venv=${XDG_CACHE_HOME:-$HOME/.cache}/lpff_ray/venv-$(cksum <<<"$repo" | cut -d ' ' -f 1)
api=${RAY_API_SERVER_ADDRESS:-http://127.0.0.1:8265}
# What `start` started: a file HOST-PID for each node, since a home folder may be shared by machines.
nodes=${XDG_STATE_HOME:-$HOME/.local/state}/lpff_ray/nodes-$(cksum <<<"$repo" | cut -d ' ' -f 1)
host=$(uname -n)

usage() {
    cat <<'END'
usage: ./run_cluster.sh VERB [ARGS...]

  demo [DIR]             make a sample clip, mine it on a Ray node of its own, show the table (DIR: demo)
  start [RAY ARGS...]    start a Ray head here, or with --address HOST:6379 join this machine to one
  submit [--address URL] [--no-wait] [--env NAME]... ARGS...
                         run `lpff-ray ARGS...` as a Ray job, e.g. submit mine VIDEOS --out OUT
                         --env: an environment variable that its driver and workers need, NAME or NAME=VALUE
  status [--address URL] nodes, resources and jobs
  stop                   stop what `start` started on this machine, and no other Ray
  setup [EXTRAS]         only make the environment (.venv, or in ~/.cache if this path has a space), e.g. setup test
  exec PROGRAM [ARGS...] run a program of the environment, e.g. exec lpff-ray doctor

URL is a cluster's job address: $RAY_API_SERVER_ADDRESS, or http://127.0.0.1:8265. PYTHON names the Python to use.
A head listens on this machine alone, and asks for a token: the one in ~/.ray/auth_token, which is made if there is none.
For machines that join: `start --node-ip-address=ADDRESS`, the same token there; RAY_AUTH_MODE=disabled asks for none.
Beside another Ray: `start --port=6380 --dashboard-port=8266`, with RAY_API_SERVER_ADDRESS=http://127.0.0.1:8266.
Which way for which cluster, and how credentials travel: cluster/README.md
END
}

say() { printf 'run_cluster: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 2
}

# Prints the first Python 3.10 to 3.12 that really runs: a pyenv shim may exist and fail.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.10 python3 python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
            >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "no Python 3.10, 3.11 or 3.12 with the venv module was found; install one" \
        "(Debian, Ubuntu: apt install python3.11-venv) or name it: PYTHON=/path/to/python ./run_cluster.sh"
}

# Makes .venv unless it is there, was made in this very folder, and pyproject.toml is as it was.
setup() {
    local extras=${1:-} made python stamp stamps
    made="$(cksum <"$repo/pyproject.toml") $repo"
    stamps=("$venv/.made-$extras")
    [[ -n $extras ]] || stamps=("$venv"/.made-*) # an environment with any extras will do
    for stamp in "${stamps[@]}"; do
        if [[ -f $stamp && $(<"$stamp") == "$made" ]] && "$venv/bin/python" -c '' 2>/dev/null; then
            return
        fi
    done
    if ! { [[ -f $venv/.place && $(<"$venv/.place") == "$repo" ]] && "$venv/bin/python" -c '' 2>/dev/null; }; then
        python=$(find_python)
        say "making $venv with $("$python" -V)"
        "$python" -m venv --clear "$venv"
        printf '%s\n' "$repo" >"$venv/.place"
    fi
    say "installing lpff_ray${extras:+ with extras $extras} and what it needs; the first time takes some minutes"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e "$repo${extras:+[$extras]}" ||
        die "pip could not install; see its message above; then run the same command again"
    printf '%s\n' "$made" >"$venv/.made-$extras"
}

demo() {
    setup
    exec "$venv/bin/lpff-ray" demo "${1:-demo}" --executor ray
}

# Whether something listens at the job address.
answers() {
    local place=${api#*://}
    place=${place%%/*}
    [[ $place == *:* ]] || place=$place:80
    (exec 3<>"/dev/tcp/${place%:*}/${place##*:}") 2>/dev/null
}

# Sets how clusters ask who one is: by a token, unless told otherwise. Makes a token for this user if there is none.
authenticate() {
    export RAY_AUTH_MODE=${RAY_AUTH_MODE:-token}
    [[ $RAY_AUTH_MODE == token && -z ${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-} ]] || return 0
    [[ ! -f $HOME/.ray/auth_token ]] || return 0
    if ! (umask 077 && "$venv/bin/ray" get-auth-token --generate >/dev/null 2>&1); then
        say "this release of Ray knows no tokens: whoever reaches the ports of a cluster can run programs as you"
        export RAY_AUTH_MODE=disabled
    fi
}

# Runs program NAME of these on the records of the nodes that `start` started on this machine: `node_processes start`
# RECORD COMMAND..., `list` and `stop`. All processes of a node are in the session of the `ray start` that made them, and
# no process of another Ray is; a record has their numbers, and when they began.
node_processes() {
    "$venv/bin/python" - "$nodes/$host" "$@" <<'END'
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil

prefix, verb, *command = sys.argv[1:]


def members(session):
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            pass  # it has ended, or is not ours
    return found


def end(processes):
    for act in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            try:
                act(process)
            except psutil.Error:
                pass
        _, processes = psutil.wait_procs(processes, timeout=10)


def start():
    with socket.socket() as probe:
        try:
            probe.bind(("", 52365))  # where the agent listens that starts jobs; it fails if another Ray's does
        except OSError:
            command.insert(2, "--dashboard-agent-listen-port=0")
    ray = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = ray.wait(timeout=180)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        code = 1
    if code:
        end(members(ray.pid))
        sys.exit(code)
    lines = [f"{process.pid} {process.create_time():.2f}\n" for process in members(ray.pid)]
    record = Path(f"{prefix}-{ray.pid}")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("".join(lines))


def running():
    """(record, processes) of the nodes that still run; the records of others are removed."""
    for record in sorted(Path(prefix).parent.glob(f"{Path(prefix).name}-*")):
        session = int(record.name.rpartition("-")[2])
        known = {tuple(line.split()) for line in record.read_text().splitlines()}
        processes = members(session)
        if any((str(process.pid), f"{process.create_time():.2f}") in known for process in processes):
            yield record, processes
        else:
            record.unlink()


if verb == "start":
    start()
for record, processes in running() if verb != "start" else ():
    print(f"node {record.name.rpartition('-')[2]} with {len(processes)} processes")
    if verb == "stop":
        end(processes)
        record.unlink()
END
}

start() {
    local arguments=(--head) joins=0 argument previous=''
    # Where Ray takes loopback for the address of this machine, it listens there alone.
    local loopback=0
    for argument; do
        [[ $argument != --address* ]] || { arguments=() && joins=1 && loopback=1; }
        [[ $argument != --node-ip-address* ]] || loopback=1
        [[ $argument != --dashboard-port=* ]] || api=http://127.0.0.1:${argument#*=}
        [[ $previous != --dashboard-port ]] || api=http://127.0.0.1:$argument
        previous=$argument
    done
    if [[ $joins == 0 ]] && answers; then
        say "a Ray cluster runs already: $api"
        setup
        [[ -n $(node_processes list) ]] || say "it was not started here; for one beside it: start --port=6380 --dashboard-port=8266"
        return
    fi
    setup
    authenticate
    [[ $RAY_AUTH_MODE != disabled ]] || say "whoever reaches this machine's Ray ports can run programs as you"
    # Jobs inherit the PATH of the head: it must find lpff-ray.
    export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=$loopback PATH=$venv/bin:$PATH
    arguments=("$venv/bin/ray" start ${arguments[@]+"${arguments[@]}"} --disable-usage-stats "$@")
    [[ " $* " != *" --block "* ]] || exec "${arguments[@]}" # whoever waits for it will end it
    node_processes start "${arguments[@]}" || die "Ray did not start: see above"
    if [[ $joins == 0 ]]; then
        say "ready: ./run_cluster.sh submit mine VIDEOS --out OUT   (dashboard: $api)"
    else
        say "this machine has joined the cluster; ./run_cluster.sh stop takes it out again"
    fi
}

submit() {
    local name status=0 environment wait=() variables=() variable
    while [[ $# -gt 0 ]]; do
        case $1 in
            --address) api=${2:?--address needs a URL} && shift 2 ;;
            --address=*) api=${1#*=} && shift ;;
            --no-wait) wait=(--no-wait) && shift ;;
            --env) variables+=("${2:?--env needs a NAME}") && shift 2 ;;
            --env=*) variables+=("${1#*=}") && shift ;;
            *) break ;;
        esac
    done
    [[ $# -gt 0 ]] || die "submit what? e.g. ./run_cluster.sh submit mine VIDEOS --out OUT"
    answers || die "no Ray cluster answers at $api: ./run_cluster.sh start, or name one with --address"
    setup
    authenticate
    name=lpff-ray-$(date +%Y%m%d-%H%M%S)-$$
    for variable in ${variables[@]+"${variables[@]}"}; do
        [[ $variable == *=* || -n ${!variable+set} ]] || die "--env $variable: no such variable is set here"
    done
    # In a file, for arguments of programs are shown to everybody on this machine.
    environment=$(umask 077 && mktemp "${TMPDIR:-/tmp}/lpff_ray.XXXXXX")
    trap 'rm -f "$environment"' EXIT
    "$venv/bin/python" - "$PWD" ${variables[@]+"${variables[@]}"} >"$environment" <<'END'
import json
import os
import sys

pairs = (text.partition("=") for text in sys.argv[2:])
given = {name: value if equals else os.environ[name] for name, equals, value in pairs}
print(json.dumps({"env_vars": {"LPFF_RAY_CWD": sys.argv[1], **given}}))
END
    trap 'say "the job goes on; to end it: ./run_cluster.sh exec ray job stop --address $api $name"; exit 130' INT
    "$venv/bin/ray" job submit --address "$api" --submission-id "$name" --working-dir "$repo" \
        --runtime-env "$environment" ${wait[@]+"${wait[@]}"} -- lpff-ray "$@" || status=$?
    [[ ${#wait[@]} -eq 0 ]] || exit "$status"
    # Ray says 1 for every failure and 0 for a job that was stopped; lpff-ray's own exit code says more.
    status=$(
        "$venv/bin/python" - "$api" "$name" "$status" 2>/dev/null <<'END' || printf '%s' "$status"
import sys

from ray.job_submission import JobSubmissionClient

address, name, status = sys.argv[1:]
job = JobSubmissionClient(address).get_job_info(name)
print(130 if job.status == "STOPPED" else job.driver_exit_code or status, end="")
END
    )
    exit "$status"
}

status() {
    case ${1:-} in
        --address) api=${2:?--address needs a URL} ;;
        --address=*) api=${1#*=} ;;
    esac
    if ! answers; then
        say "no Ray cluster answers at $api: ./run_cluster.sh start"
        exit 1
    fi
    setup
    authenticate
    # Not `ray status`: beside another Ray it may speak of that one.
    "$venv/bin/python" - "$api" <<'END'
import sys

from ray.job_submission import JobSubmissionClient

client = JobSubmissionClient(sys.argv[1])
answer = client._do_request("GET", "/api/cluster_status?format=1")
print(answer.json()["data"]["clusterStatus"] if answer.ok else "no status yet", end="\n\n")
for job in client.list_jobs():
    print(f"{job.status:10} {job.submission_id or job.job_id}  {job.entrypoint}")
END
}

stop() {
    local stopped
    setup
    stopped=$(node_processes stop)
    say "${stopped:-nothing to stop: no Ray that was started here runs (\`ray stop\` stops every Ray of this machine)}"
}

run_program() {
    setup
    PATH=$venv/bin:$PATH exec "$@"
}

verb=${1:-help}
[[ $# -eq 0 ]] || shift
case $verb in
    demo | start | submit | status | stop | setup) "$verb" "$@" ;;
    exec) run_program "$@" ;;
    help | -h | --help) usage ;;
    *)
        usage >&2
        die "no such verb: $verb"
        ;;
esac
