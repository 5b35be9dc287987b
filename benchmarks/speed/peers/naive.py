"""What one writes in an afternoon: OpenCV, mediapipe's FaceMesh, dlib's descriptor and a Laplacian, two processes.

    python naive.py EVERY PROCESSES CLIP...

It stands alone: it needs requirements.txt beside it, and nothing of this project. The last line is JSON.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import sys
import tempfile

import cv2
import numpy as np

MODEL_POINTS = np.array(
    [
        [0, 0, 0],
        [0, -63.6, -12.5],
        [-43.3, 32.7, -26],
        [43.3, 32.7, -26],
        [-28.9, -28.9, -24.1],
        [28.9, -28.9, -24.1],
    ],
    np.float64,
)  # nose tip, chin, eye corners, mouth corners, millimetres, as tutorials have them
MESH_POINTS = [1, 152, 33, 263, 61, 291]
tools: dict = {}


def start() -> None:
    """Load the models of one process."""
    import dlib
    import face_recognition_models as files
    import mediapipe

    cv2.setNumThreads(1)
    tools["mesh"] = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=10)
    tools["points"] = dlib.shape_predictor(files.pose_predictor_five_point_model_location())
    tools["embed"] = dlib.face_recognition_model_v1(files.face_recognition_model_location())
    tools["rectangle"] = dlib.rectangle


def measure(frame: np.ndarray) -> list[list[float]]:
    """A row per face of a frame, uint8 BGR."""
    rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    height, width = rgb.shape[:2]
    rows = []
    for face in tools["mesh"].process(rgb).multi_face_landmarks or []:
        points = np.array([[point.x * width, point.y * height] for point in face.landmark])
        x0, y0, x1, y1 = (int(value) for value in (*points.min(0), *points.max(0)))
        camera = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]], np.float64)
        _, turn, _ = cv2.solvePnP(MODEL_POINTS, points[MESH_POINTS], camera, None)
        shape = tools["points"](rgb, tools["rectangle"](x0, y0, x1, y1))
        embedding = tools["embed"].compute_face_descriptor(rgb, shape)
        grey = cv2.cvtColor(frame[max(y0, 0) : y1, max(x0, 0) : x1], cv2.COLOR_BGR2GRAY)
        rows.append([x0, y0, x1, y1, *turn.ravel(), cv2.Laplacian(grey, cv2.CV_64F).var(), *embedding])
    return rows


def mine(work: tuple[str, int]) -> tuple[int, int]:
    """Frames looked at and faces of one clip; its rows go to a file."""
    clip, every = work
    reader, number, looked, faces = cv2.VideoCapture(clip), 0, 0, 0
    with tempfile.TemporaryFile("w", newline="") as file:
        writer = csv.writer(file)
        while reader.grab():
            if number % every == 0:
                rows = measure(reader.retrieve()[1])
                writer.writerows([clip, number, *row] for row in rows)
                looked, faces = looked + 1, faces + len(rows)
            number += 1
    return looked, faces


if __name__ == "__main__":
    every, processes, clips = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    with multiprocessing.get_context("spawn").Pool(processes, start) as pool:
        found = pool.map(mine, [(clip, every) for clip in clips], chunksize=1)
    print(json.dumps({"looked": sum(one[0] for one in found), "faces": sum(one[1] for one in found)}))
