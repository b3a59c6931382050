"""OpenCV, imageio, scikit-image, SimpleITK and libvips, which read pictures of many kinds."""

import sys
from functools import partial

import cv2
import imageio.v3
import pyvips
import SimpleITK
import skimage.io
from judge import Judge

judge = Judge(sys.argv[1])


def opencv(path: str):
    pixels = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("imread gives None")
    return pixels if pixels.ndim == 2 else pixels[..., ::-1]


WAYS = {
    "OpenCV": opencv,
    "imageio": imageio.v3.imread,
    "scikit-image": skimage.io.imread,
    "SimpleITK": lambda path: SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)),
    "libvips": lambda path: pyvips.Image.new_from_file(path).numpy(),
}

for suffix in (".rrip.tif", ".rrip"):
    for name, read in WAYS.items():
        judge.look(f"`{suffix}`, by {name}", partial(read, judge.path(suffix)))
judge.tell("opencv-python-headless", "imageio", "scikit-image", "SimpleITK", "pyvips")
