"""The camera labels of EG3D and LPFF: 25 numbers per picture, from a head's rotation and back.

In EG3D the head stands still and the camera moves. Its world is that of the Basel Face Model as
Deep3DFaceRecon centres it (x towards the subject's left, y up, z out of the face), 0.27 per decimetre and shifted a
little; all cameras lie on a sphere about its origin, 6 cm within the head, and have one focal length. Cameras have x
right, y down, z forward, so that a head seen from the front has the rotation diag(1, -1, -1).

Source: NVlabs/eg3d, dataset_preprocessing/ffhq (`3dface2idr_mat.py`, `preprocess_face_cameras.py --mode orig`,
`mirror_dataset.py`), and, the same in one file, oneThousand1000/LPFF-dataset, `5_process_camera_parameter.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LABEL_LENGTH = 25
FOCAL = 4.2647  # 2985.29 / 700, in sides of the crop
RADIUS = 2.7
INTRINSICS = np.array([[FOCAL, 0.0, 0.5], [0.0, FOCAL, 0.5], [0.0, 0.0, 1.0]])

# Deep3DFaceRecon's camera looks at its face model's origin from 10 decimetres; 0.27 of that is EG3D's radius.
WORLD_PER_DECIMETRE = 0.27
# The face model's origin in EG3D's world (its "additional offset").
FACE_CENTRE = np.array([0.0, 0.006, 0.161])

# The face model's origin in our head frame, cm, and the size of its unit: least squares, without a rotation (both head
# frames are 300W-LP's), between our head model's five points and Deep3DFaceRecon's (`similarity_Lm3D_all.mat`: eyes at
# [+-0.31, 0.29, 0.13], nose tip at [0, -0.05, 0.55], mouth corners at [+-0.25, -0.38, 0.22]). It leaves 4 mm.
FACE_CENTRE_HEAD = np.array([0.0, 1.13, -4.0])
DECIMETRES_PER_CM = 0.101

# Of the crop in units of the face model: 700 of the 1024 pixels in which 300 are a unit (`crop_images_in_the_wild.py`).
CROP_DECIMETRES = 700 / 300

# On the sphere about the origin a camera in front is nearer to the face (2.54) than one at its side (2.70), though
# crops show both at one size: EG3D's world has no scale that is right at every yaw. The middle is 3% off at both ends.
SPHERE_SHRINK = 0.97

_FLIP = np.diag([1.0, -1.0, -1.0])  # between y down, z away and y up, z near
_MIRROR = np.diag([-1.0, 1.0, 1.0])


def camera_label(rotation: NDArray) -> NDArray[np.float64]:
    """EG3D's 25 numbers [..., 25]: cam2world [4, 4], then the normalised intrinsics [3, 3], both by rows.

    rotation: head to camera [..., 3, 3], as the head looks in its crop: the one of `yaw`, `pitch`, `roll`, less what
    the crop itself was turned by. (Not that of `rotvec`: that one is the frame's camera's, which looks past the head,
    while the crop's looks at it.) The face is in the crop's middle, at the size that EG3D's crop gives it.

    EG3D and LPFF push the camera onto the sphere towards its origin, past which it looks; here it slides along its own
    axis, so that the face's centre stays in the crop's middle. The two lie within 0.005 of each other;
    Deep3DFaceRecon's estimates in the published labels scatter by 0.02 and more.
    """
    rotation = np.asarray(rotation, np.float64)
    pose = np.zeros((*rotation.shape[:-2], 4, 4))
    pose[..., :3, :3] = _FLIP @ np.swapaxes(rotation, -1, -2)
    forward = pose[..., :3, 2]
    along = forward @ FACE_CENTRE  # the sphere, met by the ray that goes back from the face's centre
    distance = along + np.sqrt(along**2 + RADIUS**2 - FACE_CENTRE @ FACE_CENTRE)
    pose[..., :3, 3] = FACE_CENTRE - distance[..., None] * forward
    pose[..., 3, 3] = 1.0
    intrinsics = np.broadcast_to(INTRINSICS.ravel(), (*rotation.shape[:-2], 9))
    return np.concatenate([pose.reshape(*rotation.shape[:-2], 16), intrinsics], -1)


def rotation_of_label(label: NDArray) -> NDArray[np.float64]:
    """The head's rotation [..., 3, 3] of labels [..., 25] (or their first 16 numbers); see `camera_label`."""
    pose = np.asarray(label, np.float64)[..., :16].reshape(*np.shape(label)[:-1], 4, 4)
    return np.swapaxes(pose[..., :3, :3], -1, -2) @ _FLIP


def mirrored(label: NDArray) -> NDArray[np.float64]:
    """The labels [..., 25] of the mirrored pictures (EG3D's `flip_yaw`)."""
    label = np.asarray(label, np.float64)
    pose = label[..., :16].reshape(*label.shape[:-1], 4, 4)
    flipped = pose.copy()
    flipped[..., :3, :3] = _MIRROR @ pose[..., :3, :3] @ _MIRROR
    flipped[..., 0, 3] = -pose[..., 0, 3]
    return np.concatenate([flipped.reshape(*label.shape[:-1], 16), label[..., 16:]], -1)


def world_points(head_points: NDArray) -> NDArray[np.float64]:
    """Points of the head frame [..., 3], cm, in EG3D's world."""
    scale = WORLD_PER_DECIMETRE * SPHERE_SHRINK * DECIMETRES_PER_CM
    return (np.asarray(head_points, np.float64) - FACE_CENTRE_HEAD) @ _FLIP * scale + FACE_CENTRE


def project(label: NDArray, points: NDArray) -> NDArray[np.float64]:
    """Where a label's [25] camera sees points of EG3D's world [n, 3]: x, y [n, 2] in sides of the crop, 0..1."""
    pose, intrinsics = np.asarray(label[:16]).reshape(4, 4), np.asarray(label[16:]).reshape(3, 3)
    seen = (np.asarray(points, np.float64) - pose[:3, 3]) @ pose[:3, :3] @ intrinsics.T
    return seen[:, :2] / seen[:, 2:]
