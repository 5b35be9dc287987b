"""What the storage package's shortcuts save: the figures of docs/evidence/storage.md.

python -m benchmarks.storage
"""

from __future__ import annotations

import tempfile
import time
import zipfile
from pathlib import Path

import typer

from lpff_ray.storage.archives import opened_archive
from lpff_ray.storage.folder import Folder

FILES, MEMBERS = 300, 70_000


def main() -> None:
    """Print the time of commits one by one and in a batch, and of reading a large zip's table of contents."""
    with tempfile.TemporaryDirectory() as scratch:
        content = bytes(100_000)
        start = time.perf_counter()
        one_by_one = Folder(f"{scratch}/single")
        for number in range(FILES):
            one_by_one.commit(f"{number}.bin", content)
        single = time.perf_counter() - start
        start = time.perf_counter()
        with Folder(f"{scratch}/batch").batch() as put:
            for number in range(FILES):
                put(f"{number}.bin", content)
        batch = time.perf_counter() - start
        single_ms, batch_ms = 1e3 * single / FILES, 1e3 * batch / FILES
        print(f"{FILES} files of 100 kB, ms each: one by one {single_ms:.2f}, in a batch {batch_ms:.2f}")

        path = Path(scratch, "large.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(MEMBERS):
                archive.writestr(f"{number // 1000:05d}/img{number:08d}.png", b"")
        start = time.perf_counter()
        opened_archive("zip", str(path), 0)
        first = time.perf_counter() - start
        start = time.perf_counter()
        opened_archive("zip", str(path), 0)
        print(
            f"zip of {MEMBERS} members: opened in {first:.2f} s, again in {time.perf_counter() - start:.6f} s"
        )


if __name__ == "__main__":
    typer.run(main)
