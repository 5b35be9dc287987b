"""The sets of clips that speed is measured on, by name."""

from __future__ import annotations

from pathlib import Path

SETS = {
    "A": (
        "portraits of one face, 480 to 720p",
        [
            *(f"liveportrait_d{number}.mp4" for number in (10, 11, 12, 13, 14, 18, 20, 3)),
            *("liveportrait_s18.mp4", "liveportrait_s29.mp4"),
            *("sadtalker_WDA_AlexandriaOcasioCortez_000.mp4", "sadtalker_WDA_KatieHill_000.mp4"),
            *("video-retalking_1.mp4", "video-retalking_3.mp4"),
        ],
    ),
    "B": ("a crowd, 1080p", ["facenet-pytorch_video.mp4"]),
    "C": (
        "turned heads, 360 to 720p",
        ["face_recognition_short_hamilton_clip.mp4", "data-juicer_video3.mp4", "3ddfa_obama.mp4"],
    ),
    "D": ("slides without faces, 1080p", ["video2dataset_test_video.mp4"]),
}
QUICK = {"A": 4, "B": 1, "C": 2, "D": 1}  # clips of each set with --quick


def clips_of(data: Path, name: str, quick: bool) -> list[str]:
    """The paths of a set's clips."""
    clips = SETS[name][1][: QUICK[name] if quick else None]
    return [str(data / "videos" / clip) for clip in clips]
