"""Renders of the Lee Perry-Smith head scan (CC-BY 3.0, Infinite-Realities) in exactly known poses.

The rasteriser is a painter's algorithm with one colour per triangle: the scan's triangles are about a pixel wide at
the sizes that the pose network sees. Frames as in `teachers`: x right, y down, z away from the camera.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

# From the scan's axes to 300W-LP's zero pose: degrees about x, positive lifts the chin.
ZERO_PITCH = 0.0
HEAD_SHARE = 0.53  # of the scan's height is head; the rest is neck and shoulders


class HeadScan:
    """The scan, ready to be rendered.

    vertices: float64 [n, 3], unit: half of the height from crown to chin, centred on the head; shoulders lie below 1
    """

    def __init__(self, folder: Path) -> None:
        mesh = np.load(folder / "LeePerrySmith.npz")
        vertices = mesh["vertices"] * [1.0, -1.0, -1.0]
        top = vertices[:, 1].min()
        half = HEAD_SHARE * np.ptp(vertices[:, 1]) / 2
        head = vertices[vertices[:, 1] < top + 2 * half]
        self.vertices = (vertices - (head.min(0) + head.max(0)) / 2) / half
        self.triangles = mesh["faces"]
        texture = cv2.imread(str(folder / "color.jpg"))[..., ::-1]
        height, width = texture.shape[:2]
        u, v = mesh["uv"][self.triangles].mean(1).T
        rows, columns = ((1 - v) * height).astype(int), (u * width).astype(int)
        soft = cv2.blur(texture, (5, 5))
        self.colours = soft[rows.clip(0, height - 1), columns.clip(0, width - 1)].astype(np.float64)

    def render(
        self, rotation: NDArray, background: NDArray[np.uint8], rng: np.random.Generator, vary: bool = True
    ) -> NDArray[np.uint8]:
        """RGB [s, s, 3] of the head, filling about two thirds of a square background [s, s, 3].

        rotation: head to camera [3, 3], where zero is 300W-LP's. vary: also draw a random shape, skin, light,
        perspective and position; without, the picture depends on rotation and background alone.
        """
        size = background.shape[0]
        zero = _about_x(np.radians(-ZERO_PITCH))
        vertices = self._deformed(rng) if vary else self.vertices
        points = vertices @ (rotation @ zero).T
        distance = rng.uniform(5, 25) if vary else 15.0
        scale = size * (rng.uniform(0.25, 0.34) if vary else 0.3)
        shift = size * (0.5 + (rng.uniform(-0.08, 0.08, 2) if vary else 0.0))
        flat = points[:, :2] / (1 + points[:, 2:] / distance) * scale + shift
        corners = flat[self.triangles]
        first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        facing = (
            first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0
        )  # y is down: front faces turn left
        colours = self._lit(points, rng) if vary else self.colours
        order = np.argsort(-points[self.triangles, 2].mean(1), kind="stable")
        seen = facing & (self.vertices[self.triangles, 1].mean(1) < (rng.uniform(1.0, 2.2) if vary else 9.0))
        order = order[seen[order]]
        canvas = background.copy()
        polygons = np.round(corners[order] * 16 - 8).astype(np.int32)
        for polygon, colour in zip(polygons, colours[order].tolist(), strict=True):
            cv2.fillConvexPoly(canvas, polygon, colour, cv2.LINE_8, 4)
        return canvas

    def _deformed(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Another head: stretched along each axis, with smooth bumps that are nearly the same on both sides."""
        vertices = self.vertices.copy()
        for _ in range(8):
            centre = self.vertices[rng.integers(len(self.vertices))]
            width = rng.uniform(0.2, 0.7)
            push = rng.normal(0, 0.05, 3) * width * 2
            for side in (1.0, -1.0):
                flip = np.array([side, 1, 1])
                weight = np.exp(-((self.vertices - centre * flip) ** 2).sum(1) / (2 * width**2))
                vertices += weight[:, None] * push * flip * rng.uniform(0.8, 1.2)
        return vertices * rng.uniform([0.9, 0.9, 0.88], [1.1, 1.1, 1.14])

    def _lit(self, points: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
        corners = points[self.triangles]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        light = rng.normal(0, 1, 3) - [0, 0.5, 1.5]
        light /= np.linalg.norm(light)
        ambient = rng.uniform(0.35, 1.0)
        shade = ambient + (1.1 - ambient) * np.clip(normals @ light, 0, 1)
        skin = rng.uniform(0.35, 1.25) * rng.uniform(0.88, 1.12, 3)
        colours = 255 * (self.colours / 255) ** rng.uniform(0.7, 1.4) * skin * shade[:, None]
        if rng.random() < 0.5:  # a cap of hair over the scan's shaven skull
            y, z = self.vertices[self.triangles].mean(1)[:, 1:].T
            hairline = rng.uniform(-0.75, -0.45) + rng.uniform(0.4, 1.2) * np.clip(z + 0.4, -0.3, 1.2)
            hair = rng.uniform(10, 160) * np.array([1, 0.85, 0.7]) * shade[:, None]
            colours = np.where((y < hairline)[:, None], hair * rng.uniform(0.7, 1.3, (len(y), 1)), colours)
        return np.clip(colours, 0, 255)


def _about_x(angle: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
