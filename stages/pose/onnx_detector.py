"""Person detectors in ONNX files: YOLOX, and whatever MMDeploy exports, such as RTMDet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.errors import StageError
from stages.pose.boxes import non_maximum_suppression
from stages.pose.detectors import Detector
from stages.pose.onnx_network import OnnxNetwork, read_model, why_no_cuda
from stages.pose.zoo import ModelCard

_OPEN_SIZE = (640, 640)
"""Height and width of images for a file that takes any."""
_GRAY = 114
"""What is beside an image that has other proportions."""
_STRIDES = (8, 16, 32)
_PERSON = 0
"""The category of people: the first one of COCO's, and the only one of detectors that know no others."""
_LEAST = 0.05
"""Score below which a box is none."""
_MOST = 1000
"""Boxes of an image that are compared with each other: those with the highest scores."""


class OnnxDetector(Detector):
    """A detector with outputs of one of two styles:

    - YOLOX: B,N,5+C for N cells and C categories, with the middle, width and height of each box, how likely there is an
      object, and how likely it is of each category. Lengths are in pixels, or as the network gives them.
    - MMDeploy: boxes B,N,5 (x1, y1, x2, y2 in pixels, and a score) and their categories B,N. Also YOLOX can have this
      form. It is told from RTMDet by its first operation, which puts every second pixel aside.

    Unless the file says otherwise (``onnx_pixels``), YOLOX takes blue, green and red from 0 to 255, and RTMDet the same
    with ImageNet's mean and standard deviation. Images are scaled into the upper left corner.
    """

    version = 2
    card = ModelCard("that of the file", "that of the file")

    def __init__(self, weights: Path | None, device: str) -> None:
        from stages.pose.onnx_pixels import IMAGENET, RAW_BGR, first_operations, pixels_of

        assert weights is not None
        model = read_model(weights, "detector")
        many = device != "cpu" and why_no_cuda() is None
        self.network = OnnxNetwork(model, weights, device, _OPEN_SIZE, batches=many)
        self.batch = self.network.batch or (16 if many else 1)
        """How many images go through the network at once."""
        self.grid: tuple[np.ndarray, np.ndarray] | None = None
        """Of YOLOX's own lengths: the cells' columns and rows N,2, and their sizes in pixels N,1."""

        outputs = self.network(np.zeros((1, 3, *self.network.size), np.float32))
        columns_rows, sizes = _cells(self.network.size)
        match [output.shape[1:] for output in outputs]:
            case [(cells, numbers)] if cells == len(sizes) and numbers > 5:
                # Middles in pixels are spread over the whole image; the network's own are relative to their cells.
                if np.ptp(outputs[0][0, :, 0]) < self.network.size[1] / 2:
                    self.grid = columns_rows, sizes
                usual = RAW_BGR
            case [(boxes, 5), (labels,)] if boxes == labels:
                is_yolox = not first_operations(model.graph).isdisjoint({"Slice", "SpaceToDepth"})
                usual = RAW_BGR if is_yolox else IMAGENET.in_order(bgr=True)
            case shapes:
                given = " and ".join(str(list(shape)) for shape in shapes)
                raise StageError(
                    f"{weights} is not a detector of a kind that is known: for an image it gives {given}, not "
                    f"[{len(sizes)}, 5 + categories] as YOLOX, or [boxes, 5] and [boxes] as MMDeploy's. "
                    "(Models of ultralytics: detector: yolo)"
                )
        self.pixels = pixels_of(model, weights, usual)

    @classmethod
    def why_no_gpu(cls, weights: Path | None) -> str | None:
        return why_no_cuda()

    def detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        starts = range(0, len(images), self.batch)
        return [boxes for start in starts for boxes in self._detect(images[start : start + self.batch])]

    def _detect(self, images: list[np.ndarray]) -> list[np.ndarray]:
        from stages.pose.crops import scaled

        size = self.network.size
        scales = [min(size[0] / image.shape[0], size[1] / image.shape[1]) for image in images]
        inputs = [scaled(image, scale, size, _GRAY) for image, scale in zip(images, scales, strict=True)]
        outputs = self.network(self.pixels.of(np.stack(inputs)))
        found = []
        for image, scale, *own in zip(images, scales, *outputs, strict=True):
            edges_N4, scores_N = self._people(*own)
            likely = np.flatnonzero((scores_N >= _LEAST) & np.isfinite(edges_N4).all(1))
            best = likely[np.argsort(-scores_N[likely], kind="stable")[:_MOST]]
            height, width = image.shape[:2]
            people = np.column_stack([np.clip(edges_N4[best] / scale, 0, [width, height] * 2), scores_N[best]])
            found.append(people[non_maximum_suppression(people)])
        return found

    def _people(self, boxes: np.ndarray, labels: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Edges N,4 in pixels of the network's input, and how likely there is a person in each box."""
        boxes = boxes.astype(float)
        if labels is not None:
            people = boxes[labels == _PERSON]
            return people[:, :4], people[:, 4]
        middles_N2, sizes_N2 = boxes[:, :2], boxes[:, 2:4]
        if self.grid:
            cells_N2, lengths_N1 = self.grid
            with np.errstate(over="ignore"):
                middles_N2, sizes_N2 = (middles_N2 + cells_N2) * lengths_N1, np.exp(sizes_N2) * lengths_N1
        edges_N4 = np.concatenate([middles_N2 - sizes_N2 / 2, middles_N2 + sizes_N2 / 2], axis=1)
        return edges_N4, boxes[:, 4] * boxes[:, 5 + _PERSON]


def _cells(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows N,2 of YOLOX's cells for an input of this height and width, row by row, and their sizes N,1."""
    columns_rows, sizes = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        columns_rows.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        sizes.append(np.full((rows.size, 1), stride))
    return np.concatenate(columns_rows), np.concatenate(sizes)
