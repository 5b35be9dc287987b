"""Faults thrown at real runs: `make chaos` prints a table; its program has --seed, --rounds and --only.

Each fault gets a run of its own, by the real command line, which is then run again; the rows must be those of a run
that nothing disturbed. Exit code 1 if one was lost or doubled, a good segment blamed, or a file left behind.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from command import call
from servers import faulty_server
from world import CLIPS, SEGMENTS, Outcome, World, parts_of, table, until

Fault = Callable[[World, random.Random], Outcome]
SHORT: dict[str, Fault] = {}
LONG: dict[str, Fault] = {}


def fault(kind: dict[str, Fault]) -> Callable[[Fault], Fault]:
    """Register a fault under its function's name, in words."""

    def register(function: Fault) -> Fault:
        kind[function.__name__.replace("_", " ")] = function
        return function

    return register


# --- the driver ------------------------------------------------------------------------------------------------


@fault(SHORT)
def killed_at_a_step_of_a_commit(world: World, chance: random.Random) -> Outcome:
    """Each part is fsynced, renamed, and its folder fsynced; so are run.json and the plan."""
    out = world.out()
    what, call_of = chance.choice(["kill", "kill-after"]), chance.choice(["fsync", "replace"])
    step = f"{what}:{call_of}:{chance.randint(1, 24 if call_of == 'fsync' else 12)}"
    world.begin(out, chaos=step).communicate(timeout=200)
    return world.recovered("killed at a step of a commit", out)


@fault(SHORT)
def terminated(world: World, chance: random.Random) -> Outcome:
    """SIGTERM drains, and says that something is left."""
    out, when = world.out(), chance.randint(1, CLIPS)
    process = world.begin(out)
    until(process, lambda: len(parts_of(out)) >= when)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=200)
    outcome = world.recovered("terminated", out)
    if process.returncode not in (0, 130):
        outcome.note = f"exit {process.returncode} after SIGTERM"
    return outcome


@fault(SHORT)
def a_disk_that_fails(world: World, chance: random.Random) -> Outcome:
    """Full, read-only or broken from some write on: one line, exit code 2, and the rest later."""
    out, code = world.out(), chance.choice(["ENOSPC", "EROFS", "EDQUOT", "EIO"])
    call_of = chance.choice(["fsync", "replace"])
    process = world.begin(out, chaos=f"{code}:{call_of}:{chance.randint(1, 10)}")
    _, said = process.communicate(timeout=200)
    outcome = world.recovered("a disk that fails", out)
    if process.returncode != 2 or "Traceback" in said:
        outcome.note = f"{code}: exit {process.returncode}: {said[-300:]}"
    return outcome


@fault(LONG)
def killed_at_a_random_moment(world: World, chance: random.Random) -> Outcome:
    out = world.out()
    for _ in range(3):
        process = world.begin(out)
        until(process, lambda: False, patience_s=chance.uniform(0.5, 12))
        process.kill()
        process.communicate()
    return world.recovered("killed at a random moment", out)


@fault(LONG)
def two_at_once(world: World, chance: random.Random) -> Outcome:
    """Two drivers, and compactions meanwhile."""
    out = world.out()
    both = [world.begin(out), world.begin(out)]
    until(both[0], lambda: len(parts_of(out)) >= 2)
    for _ in range(chance.randint(1, 3)):
        call("compact", out)
    for process in both:
        process.communicate(timeout=300)
    return world.recovered("two at once", out)


# --- the sources -----------------------------------------------------------------------------------------------


@fault(SHORT)
def a_server_that_flickers_and_goes_away(world: World, chance: random.Random) -> Outcome:
    """A third of all answers are errors or cut off, and for two seconds there are none."""
    out = world.out()
    with faulty_server(world.videos) as server:
        listed = world.root / f"list{world.rounds}.txt"
        listed.write_text("\n".join(f"{server.address}/{number}.mp4" for number in range(CLIPS)))
        process = world.begin(out, sources=listed)
        until(process, (out / "plan.parquet").exists)
        server.fault, server.hits = chance.choice([500, 503, "cut"]), lambda path: chance.random() < 0.3
        until(process, lambda: len(parts_of(out)) >= 2)
        server.refuse()
        threading.Timer(2.0, server.listen).start()
        process.communicate(timeout=200)
        time.sleep(2.0)
        server.fault = None
        outcome = world.recovered("a server that flickers and goes away", out, sources=listed)
    if process.returncode != 0:
        outcome.note = f"exit {process.returncode} although the server came back"
    return outcome


@fault(SHORT)
def a_folder_that_is_unmounted(world: World, chance: random.Random) -> Outcome:
    """It stays away: exit code 75, and nothing in quarantine."""
    videos, out = world.own_videos(), world.out()
    process = world.begin(out, "--wait-for-sources", "1", sources=videos)
    until(process, lambda: len(parts_of(out)) >= chance.randint(1, 3))
    away = videos.rename(videos.with_name("away"))
    process.communicate(timeout=200)
    away.rename(videos)
    before = world.measured("", out)
    outcome = world.recovered("a folder that is unmounted", out, sources=videos)
    outcome.wrong_blame += before.wrong_blame
    if process.returncode != 75:
        outcome.note = f"exit {process.returncode}"
    return outcome


@fault(SHORT)
def a_file_that_vanishes(world: World, chance: random.Random) -> Outcome:
    """It alone is given up; back again and asked for, it is mined."""
    videos, out = world.own_videos(), world.out()
    process = world.begin(out, sources=videos)
    until(process, (out / "plan.parquet").exists)
    gone = f"{CLIPS - 1}.mp4"
    kept = (videos / gone).rename(world.root / gone)
    process.communicate(timeout=200)
    before = world.measured("", out, bad_sources=(gone,))
    kept.rename(videos / gone)
    outcome = world.recovered("a file that vanishes", out, "--retry-quarantined", sources=videos)
    outcome.wrong_blame += before.wrong_blame
    return outcome


# --- the output folder -----------------------------------------------------------------------------------------


@fault(SHORT)
def tampered_parts(world: World, chance: random.Random) -> Outcome:
    """Two swapped, one torn: they do not count, and are made anew."""
    out = world.out()
    world.mine(out)
    first, second, third = (out / "parts" / name for name in chance.sample(sorted(parts_of(out)), 3))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    third.write_bytes(third.read_bytes()[: chance.randint(0, third.stat().st_size - 1)])
    return world.recovered("tampered parts", out)


# --- Ray -------------------------------------------------------------------------------------------------------


def actors_of(process: psutil.Process) -> list[psutil.Process]:
    """The workers of a driver's Ray node."""
    found = []
    for child in process.children(recursive=True):
        try:
            if "PoolWorker" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


@fault(LONG)
def a_worker_killed(world: World, chance: random.Random) -> Outcome:
    out = world.out()
    process = world.begin(out, "--executor", "ray")
    until(process, lambda: len(parts_of(out)) >= chance.randint(1, 4))
    for actor in actors_of(psutil.Process(process.pid)) if process.poll() is None else []:
        actor.kill()
    process.communicate(timeout=300)
    return world.recovered("a worker killed", out)


def _poisoned(world: World, chance: random.Random, way: str) -> Outcome:
    """A video that kills every worker that opens it, among good ones."""
    videos, out = world.own_videos(), world.out()
    poison = f"poison{chance.randint(0, 9)}.mp4"
    (videos / "4.mp4").rename(videos / poison)
    process = world.begin(out, "--executor", "ray", sources=videos, chaos=f"poison:{way}")
    process.communicate(timeout=500)
    before = world.measured("", out, bad_sources=("poison",))
    (videos / poison).rename(videos / "4.mp4")
    outcome = world.recovered(f"poison: {way}", out, "--retry-quarantined", sources=videos)
    outcome.wrong_blame += before.wrong_blame
    if process.returncode != 1:
        outcome.note = f"exit {process.returncode}"
    return outcome


@fault(LONG)
def poison_exit(world: World, chance: random.Random) -> Outcome:
    return _poisoned(world, chance, "exit")


@fault(LONG)
def poison_segfault(world: World, chance: random.Random) -> Outcome:
    return _poisoned(world, chance, "segfault")


@fault(LONG)
def a_driver_on_ray_killed(world: World, chance: random.Random) -> Outcome:
    out = world.out()
    process = world.begin(out, "--executor", "ray")
    until(process, lambda: len(parts_of(out)) >= chance.randint(0, 4))
    process.kill()
    process.communicate()
    outcome = world.recovered("a driver on Ray killed", out, "--executor", "ray")
    outcome.extra = 0  # its workers may have committed what the second run began, too
    return outcome


@fault(LONG)
def a_head_killed(world: World, chance: random.Random) -> Outcome:
    """Ray's head process (GCS) of the driver's own node: the driver ends, and the run goes on later."""
    out = world.out()
    process = world.begin(out, "--executor", "ray")
    until(process, lambda: len(parts_of(out)) >= chance.randint(0, 3))
    began = time.monotonic()
    for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
        if child.name().startswith("gcs_server"):
            child.kill()
    process.communicate(timeout=300)
    took = time.monotonic() - began
    outcome = world.recovered("a head killed", out)
    outcome.extra = 0
    if took > 60:
        outcome.note = f"{took:.0f} s until the driver ended"
    return outcome


def run(world: World, faults: dict[str, Fault], chance: random.Random, rounds: int) -> list[Outcome]:
    """Throw each fault at a run, so many times."""
    outcomes = []
    for _ in range(rounds):
        for name, throw in faults.items():
            seed = chance.randrange(2**32)
            print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
            outcomes.append(throw(world, random.Random(seed)))
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="faults whose names hold this")
    options = parser.parse_args()
    faults = {name: throw for name, throw in {**SHORT, **LONG}.items() if options.only in name}
    with tempfile.TemporaryDirectory(prefix="chaos-") as root:
        world = World.made(Path(root) / "world")
        began = time.monotonic()
        outcomes = run(world, faults, random.Random(options.seed), options.rounds)
        spent = time.monotonic() - began
    print(table(outcomes))
    print(f"{len(outcomes)} faults in {spent:.0f} s; seed {options.seed}; {CLIPS * SEGMENTS} segments each")
    return int(any(outcome.harm for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
