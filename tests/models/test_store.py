"""The model store: pulling, checking, refusing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import fsspec
import pytest
from servers import web_server

from lpff_ray.config import MineConfig
from lpff_ray.errors import UserError
from lpff_ray.models import store
from lpff_ray.models.cards import PluginCard, PluginFile, load_plugins

CONTENT = b"weights " * 1000
SHA = hashlib.sha256(CONTENT).hexdigest()


def card(*urls: str, sha256: str | None = SHA) -> PluginCard:
    file = PluginFile(name="net.onnx", urls=urls, sha256=sha256)
    return PluginCard(
        name="tiny", task="pose", licence="MIT", input="", output="", batch="any", citation="", files=(file,)
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own, and no mirror."""
    monkeypatch.delenv(store.MIRROR, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "lpff_ray" / "models"


def left_in(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_pulled_from_its_address_and_checked(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(CONTENT)
    with web_server(tmp_path, ranges=True) as address:
        tiny = card(f"{address}/missing.onnx", f"{address}/net.onnx")
        assert "pulled from" in store.pull(tiny)[0]
    assert store.plugin_files(tiny) == [cache / "tiny" / "net.onnx"]
    assert (cache / "tiny" / "net.onnx").read_bytes() == CONTENT
    assert "here already" in store.pull(tiny)[0]
    assert left_in(cache) == ["tiny/net.onnx"]
    assert store.describe(tiny)["files"] == [{"name": "net.onnx", "sha256": SHA}]


def test_a_mirror_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.MIRROR, f"memory://{tmp_path.name}/mirror")
    with fsspec.open(f"memory://{tmp_path.name}/mirror/tiny/net.onnx", "wb") as file:
        file.write(CONTENT)
    assert "memory://" in store.pull(card("http://127.0.0.1:9/net.onnx"))[0]


def test_a_local_folder_is_itself_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "net.onnx").write_bytes(CONTENT)
    monkeypatch.setenv(store.MIRROR, str(tmp_path / "mirror"))
    assert store.plugin_files(card()) == [tmp_path / "mirror" / "tiny" / "net.onnx"]


def test_a_wrong_hash_is_refused_and_nothing_is_left_or_lost(tmp_path: Path, cache: Path) -> None:
    wrong = tmp_path / "net.onnx"
    wrong.write_bytes(CONTENT + b"!")
    with pytest.raises(UserError, match=r"net\.onnx: not the tiny model .*refused") as caught:
        store.pull(card(str(wrong)))
    assert "\n" not in str(caught.value)
    assert left_in(cache) == []
    wrong.write_bytes(CONTENT)
    store.pull(card(str(wrong)))
    other = card(str(wrong), sha256="0" * 64)
    with pytest.raises(UserError, match="refused"):
        store.pull(other)
    assert (cache / "tiny" / "net.onnx").read_bytes() == CONTENT


def test_a_changed_file_in_the_store_is_refused_and_pulling_replaces_it(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(CONTENT)
    tiny = card(str(tmp_path / "net.onnx"))
    store.pull(tiny)
    (cache / "tiny" / "net.onnx").write_bytes(b"other")
    for use in (store.plugin_files, store.verify_plugin, store.describe):
        with pytest.raises(UserError, match=r"not the tiny model .* lpff-ray models pull tiny"):
            use(tiny)
    assert "pulled" in store.pull(tiny)[0]
    assert "as on its card" in store.verify_plugin(tiny)[0]


def test_a_card_without_a_hash_says_which_one_was_found(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(CONTENT)
    tiny = card(str(tmp_path / "net.onnx"), sha256=None)
    assert SHA in store.pull(tiny)[0]
    assert SHA in store.verify_plugin(tiny)[0]
    assert store.describe(tiny)["files"][0]["sha256"] == SHA


def test_a_missing_file_is_one_line_with_the_remedy() -> None:
    with pytest.raises(
        UserError, match=r"is missing: lpff-ray models pull tiny, or set LPFF_RAY_MODELS"
    ) as caught:
        store.plugin_files(card())
    assert "\n" not in str(caught.value)


def test_no_place_that_has_it_is_one_line_with_every_reason(tmp_path: Path) -> None:
    with web_server(tmp_path, ranges=True) as address:
        urls = (f"{address}/gone.onnx", f"{address}/locked.onnx", "http://127.0.0.1:9/net.onnx")
        with pytest.raises(UserError, match=r"tiny: net\.onnx can not be fetched") as caught:
            store.pull(card(*urls))
    text = str(caught.value)
    assert "gone.onnx: no such file" in text
    assert "permission denied" in text
    assert "LPFF_RAY_MODELS" in text
    assert "\n" not in text
    with pytest.raises(UserError, match="no public address"):
        store.pull(card())


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_store_that_can_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(CONTENT)
    (tmp_path / "closed").mkdir(mode=0o500)
    monkeypatch.setenv(store.MIRROR, str(tmp_path / "closed"))
    with pytest.raises(UserError, match="can not be written"):
        store.pull(card(str(tmp_path / "net.onnx")))


def test_a_file_in_the_folders_place_is_a_store_that_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.onnx").write_bytes(CONTENT)
    monkeypatch.setenv(store.MIRROR, str(tmp_path / "net.onnx"))
    with pytest.raises(UserError, match="can not be written"):
        store.pull(card(str(tmp_path / "net.onnx")))


def test_an_unknown_name_raises_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"fsannet: no such plug-in; there are yunet, fsanet"):
        store.plugin("fsannet")


def test_configurations_name_cards_of_the_right_task() -> None:
    plugins = load_plugins()
    assert store.chosen(MineConfig().model_names) == []
    assert plugins.pop("inception").task == "features", "no run uses it, but `evaluate fid`"
    for name, found in plugins.items():
        field = {"detection": "detector", "pose": "pose_votes", "embedding": "embedding", "iqa": "iqa"}[
            found.task
        ]
        value = (name,) if field == "pose_votes" else name
        assert store.chosen(MineConfig(**{field: value}).model_names) == [found]
        assert (found.width is not None) == (found.task == "embedding")


def test_the_shared_weights_are_those_of_the_cards(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.MIRROR, f"file://{shared_data / 'weights'}")
    for name in ("yunet", "fsanet", "3ddfa_v2"):
        found = store.plugin(name)
        assert len(store.plugin_files(found)) == len(found.files)
        for file in found.files:
            assert store.stored(found, file).stat().st_size == file.size_bytes
