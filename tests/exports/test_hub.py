"""Pushing an export: against a server on loopback that answers as the Hugging Face Hub does."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command import call, complaint

from lpff_ray.errors import UserError
from lpff_ray.exports import hub
from lpff_ray.exports.hub import push
from lpff_ray.exports.state import DONE_FILE, EXPORT_FILE
from lpff_ray.storage.folder import Folder

pytest.importorskip("huggingface_hub", reason="pip install 'lpff-ray[hub]'")

TOKEN = "hf_of_nobody"
FILES = {
    "train/0.png": b"\x89PNG picture 0",
    "train/1.png": b"\x89PNG picture 1",
    "train/metadata.jsonl": b'{"file_name": "0.png"}\n',
    "PROVENANCE.jsonl": b"{}\n",
    "README.md": b"---\nlicense: other\n---\n# A data set\n",
}


class Hub(ThreadingHTTPServer):
    """The Hub's side: repositories with their files, what was sent, in its order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.settings: dict[str, Any] = {}
        self.stored: dict[str, bytes] = {}
        self.commits: list[list[str]] = []
        self.uploads = 0
        self.refuse = ""


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "Invalid credentials"})
        if self.server.refuse and re.search(self.server.refuse, self.path):
            return self.answer(403, {"error": "You may not write here"})
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'me'}/{asked['name']}"
            known = name in self.server.repositories
            self.server.repositories.setdefault(name, {})
            self.server.settings.setdefault(name, asked)
            return self.answer(409 if known else 200, {"url": f"{self.server.url}/datasets/{name}"})
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/datasets/(\w+/\w+)/preupload/main", self.path):
            wanted = json.loads(body)["files"]
            held = self.server.repositories[found[1]]
            return self.answer(200, {"files": [self.mode(file["path"], held) for file in wanted]})
        if self.path.endswith(".git/info/lfs/objects/batch"):
            objects = [self.place(one) for one in json.loads(body)["objects"]]
            return self.answer(200, {"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/datasets/(\w+/\w+)/commit/main", self.path):
            self.commit(self.server.repositories[found[1]], body)
            oid = "0" * 40
            return self.answer(
                200,
                {
                    "success": True,
                    "commitOid": oid,
                    "commitUrl": f"{self.server.url}/datasets/{found[1]}/commit/{oid}",
                },
            )
        return self.answer(404, {"error": f"no {self.path}"})

    def do_GET(self) -> None:
        if found := re.fullmatch(r"/api/datasets/(\w+/\w+)/revision/main", self.path):
            return self.answer(200, {"id": found[1], "sha": "0" * 40, "siblings": [], "tags": []})
        return self.answer(404, {"error": f"no {self.path}"})

    def do_PUT(self) -> None:
        content = self.body()
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.stored[oid] = content
        self.server.uploads += 1
        self.answer(200, {})

    def mode(self, path: str, held: dict[str, bytes]) -> dict[str, Any]:
        large = path.endswith(".png")
        oid = None
        if path in held:
            content = held[path]
            blob = b"blob %d\0%s" % (len(content), content)
            oid = hashlib.sha256(content).hexdigest() if large else hashlib.sha1(blob).hexdigest()
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def place(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["oid"] in self.server.stored:
            return asked
        return {
            **asked,
            "actions": {"upload": {"href": f"{self.server.url}/store/{asked['oid']}", "header": {}}},
        }

    def commit(self, held: dict[str, bytes], body: bytes) -> None:
        names = []
        for line in body.splitlines():
            value = json.loads(line)["value"]
            if "path" not in value:
                continue
            names.append(value["path"])
            held[value["path"]] = (
                self.server.stored[value["oid"]] if "oid" in value else base64.b64decode(value["content"])
            )
        self.server.commits.append(names)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dest(tmp_path: Path) -> str:
    folder = Folder(str(tmp_path / "dest"))
    for name, content in FILES.items():
        folder.commit(name, content)
    folder.commit(EXPORT_FILE, b"{}")
    folder.commit(DONE_FILE, b"{}")
    return folder.root


def test_all_of_an_export_is_there_and_nothing_else(dest: str, server: Hub) -> None:
    done = push(dest, "me/faces")
    assert server.repositories == {"me/faces": FILES}
    assert server.settings["me/faces"]["private"] is True
    assert server.settings["me/faces"]["type"] == "dataset"
    assert (done.files, done.size_bytes) == (len(FILES), sum(map(len, FILES.values())))
    assert done.url == f"{server.url}/datasets/me/faces"
    push(dest, "me/open", private=False)
    assert server.settings["me/open"]["private"] is False


def test_pushed_again_only_what_is_new_is_sent(dest: str, server: Hub) -> None:
    push(dest, "me/faces")
    uploads, commits = server.uploads, len(server.commits)
    push(dest, "me/faces")
    assert (server.uploads, len(server.commits)) == (uploads, commits), "nothing"
    Path(dest, "train/2.png").write_bytes(b"\x89PNG picture 2")
    push(dest, "me/faces")
    assert server.uploads == uploads + 1
    assert server.repositories["me/faces"]["train/2.png"] == b"\x89PNG picture 2"


def test_many_files_go_in_several_commits_and_the_card_comes_last(
    dest: str, server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "FILES_PER_COMMIT", 2)
    push(dest, "me/faces", message="the first")
    assert [len(names) for names in server.commits] == [2, 2, 1]
    assert server.commits[-1] == ["README.md"]
    assert server.repositories == {"me/faces": FILES}


def test_what_the_hub_refuses_is_one_line(dest: str, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.refuse = "commit"
    with pytest.raises(
        UserError, match=r"me/faces: the Hub refuses: .*403.*token that may write there"
    ) as error:
        push(dest, "me/faces")
    assert "\n" not in str(error.value)
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(UserError, match=r"the Hub refuses: .*401"):
        push(dest, "me/faces")
    with pytest.raises(UserError, match="no name of a data set; write USER/NAME"):
        push(dest, "me/faces/../x")


def test_a_server_that_is_away_is_one_line(dest: str, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        UserError, match=r"me/faces: the Hub can not be reached: .*run the same command again"
    ):
        push(dest, "me/faces")


def test_what_is_no_finished_export_is_refused(dest: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no export of lpff-ray"):
        push(str(tmp_path), "me/faces")
    with pytest.raises(UserError, match="copy it to a disk first"):
        push("memory://dest", "me/faces")
    Path(dest, DONE_FILE).unlink()
    with pytest.raises(UserError, match="the export is not finished"):
        push(dest, "me/faces")


def test_without_the_package_the_extra_is_named(dest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'lpff-ray\[hub\]'"):
        push(dest, "me/faces")


def test_the_command(dest: str, server: Hub, tmp_path: Path) -> None:
    done = call("push", dest, "me/faces", "--public")
    assert done.returncode == 0, done.stderr
    assert f"5 files, 0.0 MB: {server.url}/datasets/me/faces" in done.stdout
    assert server.settings["me/faces"]["private"] is False
    assert "no export of lpff-ray" in complaint(call("push", tmp_path, "me/faces"))
