"""From a local file to its frames.

`open_source` chooses the decoder and opens a file with it; `passes` adds the fallback. This package's own imports are
light: decoders and FFmpeg are loaded when the first file is opened.
"""

from __future__ import annotations

from lpff_ray.decode.fallback import DecodingPass, passes
from lpff_ray.decode.frame_source import Frame, FrameSource, FrameTable
from lpff_ray.decode.registry import DECODERS, open_source

__all__ = ["DECODERS", "DecodingPass", "Frame", "FrameSource", "FrameTable", "open_source", "passes"]
