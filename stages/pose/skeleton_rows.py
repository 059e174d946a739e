"""Rows of SKELETONS, from clips and their decoded frames."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from pipeline import limits
from pipeline.rows import Row, attempt
from recognizer.skeletons import Layout, layout_text
from stages.gpu_memory import enough_gpu_memory
from stages.pose.estimation import Estimation, Skeletons
from stages.pose.smoothing import fill_gaps, smooth


class SkeletonRows:
    """Makes the rows of one partition.

    estimation: for clips without a skeleton file. models: the columns that say what it consists of. persons: at most so
    many are kept per clip. time_limit: seconds after which a clip is given up. target: the layout that skeletons are
    converted to. gaps: missing joints are interpolated over so many frames. deviation: that of smoothing, in frames.
    """

    def __init__(
        self,
        estimation: Estimation | None,
        models: Row,
        persons: int,
        time_limit: float,
        target: Layout | None,
        gaps: int,
        deviation: float,
    ) -> None:
        self._estimation = estimation
        self._models = models
        self._persons = persons
        self._time_limit = time_limit
        self._target = target
        self._gaps = gaps
        self._deviation = deviation

    def of(self, clips: Iterable[tuple[Row, Row]]) -> list[Row]:
        """One row for each clip and its row of FRAMES."""
        rows = self._in_turn(
            (clip["clip_id"], partial(self._given if clip["skeleton_path"] else self._estimated, clip, frames))
            for clip, frames in clips
        )
        rows = self._in_turn((row["clip_id"], partial(self._looked_at_again, row)) for row in rows)
        return [row if row["error"] else self._finished(row) for row in rows]

    def _in_turn(self, works: Iterable[tuple[str, Callable[[], Row]]]) -> list[Row]:
        """One row for each clip's work."""
        rows = []
        for clip_id, work in works:
            rows.append(attempt(clip_id, self._time_limit, enough_gpu_memory()(work)))
            if self._estimation:
                # Not part of the attempt: a batch also holds crops of other clips, so this clip may not be to blame.
                with limits.time_limit(self._time_limit), enough_gpu_memory():
                    self._estimation.run_full_batches()
        if self._estimation:
            with limits.time_limit(self._time_limit), enough_gpu_memory():
                self._estimation.run_all()
        return rows

    def _given(self, clip: Row, frames: Row) -> Row:
        from stages.skeletons.formats import read_planned

        file = read_planned(clip)
        file.check(frames["source_frames"], frames["source_width"], frames["source_height"])
        size = file.size or (frames["source_width"], frames["source_height"])
        keypoints = file.in_pixels(*size).frames(frames["indices"], self._persons)
        return {"people": keypoints, "size": size, "layout": file.layout, "estimator": "ground truth"}

    def _estimated(self, clip: Row, frames: Row) -> Row:
        assert self._estimation is not None
        people = self._estimation.add(frames["frames"], frames["indices"])
        size = frames["width"], frames["height"]
        return {"people": people, "size": size, "layout": self._estimation.layout} | self._models

    def _looked_at_again(self, row: Row) -> Row:
        if self._estimation and isinstance(row.get("people"), Skeletons):
            self._estimation.look_again(row["people"])
        return row

    def _finished(self, row: Row) -> Row:
        """The row as it is stored, or with an error if it has no joint at all."""
        pixels, layout, best = row.pop("people"), row["layout"], 0.0
        if isinstance(pixels, Skeletons):
            assert self._estimation is not None
            best = pixels.best_score()
            pixels = self._estimation.finish(pixels)
        try:
            pixels, layout, made_up = finished(pixels, layout, self._target, self._gaps, self._deviation)
        except ValueError as error:
            return {"clip_id": row["clip_id"], "error": str(error)}
        keypoints = relative(pixels, *row.pop("size")).astype(np.float16)
        made_up &= keypoints[..., 2] > 0
        if not keypoints[..., 2].any():
            reason = f"no person found in any of {pixels.shape[1]} frames"
            if self._estimation and 0 < best < self._estimation.min_score:
                reason += f"; min_score is {self._estimation.min_score:g}, and the best score was {best:.2f}"
            return {"clip_id": row["clip_id"], "error": reason}
        columns = {"keypoints": keypoints.tobytes(), "persons": len(keypoints), "layout": layout_text(layout)}
        return row | columns | ({"made_up": made_up.tobytes()} if made_up.any() else {})


def finished(
    pixels: np.ndarray, layout: Layout, target: Layout | None, gaps: int, deviation: float
) -> tuple[np.ndarray, Layout, np.ndarray]:
    """Keypoints M,T,R,3 converted, with gaps filled, and smoothed; their layout; and which ones, M,T,R, are made up.

    Raises ValueError if they cannot be converted.
    """
    if target and target != layout:
        from stages.skeletons.conversion import convert

        pixels, layout = convert(pixels, layout, target), target
    made_up = fill_gaps(pixels, gaps)
    if deviation:
        smooth(pixels, deviation)
    return pixels, layout, made_up


def relative(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Keypoints ...,3 in pixels, as coordinates relative to the frame; zeros for joints outside of it."""
    keypoints = pixels.copy()
    keypoints[..., :2] = (pixels[..., :2] + 0.5) / (width, height)
    inside = ((keypoints[..., :2] >= 0) & (keypoints[..., :2] <= 1)).all(-1) & (keypoints[..., 2] > 0)
    return np.where(inside[..., None], keypoints, 0)
