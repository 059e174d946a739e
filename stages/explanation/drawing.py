"""Draws the attention in a clip: the points of 3D deformable attention on its frames, and joints against time."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from recognizer.skeletons import layout
from stages.explanation.attention import BlockAttention, ClipAttention, by_frame, multiples, on_group, on_people
from stages.frame_sampling import sample_frames
from stages.images import tile
from stages.overlay import PALETTES, draw_skeletons

FRAMES = 12
"""Maximum number of frames drawn, evenly spaced."""
PER_ROW = 6
TILE = 320
"""Pixels of a frame's side."""
WIDTH = 13.0
"""Width of a picture in inches, at DPI."""
DPI = 100
COLORS = "YlOrRd"
INK = "#1c2330"
SOFT = "#667085"


class Picture(NamedTuple):
    """An image with an explanation for its reader."""

    name: str
    caption: str
    image: np.ndarray  # uint8 H,W,3 RGB


def pictures(clip: ClipAttention) -> Iterator[Picture]:
    """All pictures of a clip, block by block."""
    for number, block in enumerate(clip.blocks, start=1):
        who = f"block {number} of {len(clip.blocks)}" if len(clip.blocks) > 1 else "the network"
        if block.points is not None:
            yield Picture(f"points-{number}", _points_caption(clip, block, who), draw_points(clip, block))
        if block.joints_weight is not None:
            yield Picture(f"joints-{number}", _joints_caption(clip, block, who), draw_joints(clip, block))


def _points_caption(clip: ClipAttention, block: BlockAttention, who: str) -> str:
    assert block.points is not None and block.points_weight is not None
    text = (
        f"Where {who} samples the frames. Each dot is a point chosen by the 3D token search. The larger and darker it "
        "is, the more the modal tokens attend to it, which give the prediction. A point between two frames is in both."
    )
    keypoints = clip.sample.keypoints
    if keypoints is not None and keypoints[..., 2].any():
        share = on_people(keypoints, block.points, block.points_weight)
        text += (
            f" {_percent(share.attention)} of this attention is on people, whose boxes cover {_percent(share.even)} of "
            "the frames."
        )
    return text


def _joints_caption(clip: ClipAttention, block: BlockAttention, who: str) -> str:
    ratio_MTR = multiples(clip, block)
    text = (
        f"Which joints {who} attends to, frame by frame: the attention of the modal tokens, in multiples of what a "
        "joint would get with even attention in all windows."
    )
    if clip.present.any():
        arms, legs = (on_group(name, clip, block) for name in ("arms", "legs"))
        m, t, r = np.unravel_index(np.nanargmax(ratio_MTR), ratio_MTR.shape)
        text += (
            f" Elbows and hands get {_percent(arms.attention)} of it (even: {_percent(arms.even)}), knees and feet "
            f"{_percent(legs.attention)} ({_percent(legs.even)}). The maximum is {ratio_MTR[m, t, r]:.1f} times the "
            f"even share: {_joint_names(clip)[r]} of the {_person(int(m))}, {_when(clip, int(t))}."
        )
    return text


def draw_points(clip: ClipAttention, block: BlockAttention) -> np.ndarray:
    """The frames with the points sampled in each: an image, uint8 H,W,3 RGB.

    Area and color of a dot show the attention in that frame, in multiples of the even share.
    """
    assert block.points is not None and block.points_weight is not None and clip.sample.frames is not None
    shown = sample_frames(clip.sample.frame_count, min(FRAMES, clip.sample.frame_count))
    rows = -(-len(shown) // PER_ROW)
    columns = -(-len(shown) // rows)
    side = WIDTH / columns
    figure = Figure((WIDTH, rows * (side + 0.22) + 0.62), dpi=DPI, facecolor="white")
    height = float(figure.get_figheight())
    weight_TK = by_frame(block.points, block.points_weight, clip.sample.frame_count) * len(block.points)
    scale = Normalize(0, max(2.0, float(np.quantile(weight_TK[weight_TK > 0], 0.998))))
    for place, t in enumerate(shown):
        row, column = divmod(place, columns)
        left, bottom = column / columns, 1 - ((row + 1) * (side + 0.22)) / height
        axes = figure.add_axes((left + 0.002, bottom, 1 / columns - 0.004, side / height - 0.004))
        _frame(axes, _grayed(_frame_image(clip, t)))
        read = np.flatnonzero(weight_TK[t] > 0.05)
        order = read[np.argsort(weight_TK[t, read])]
        axes.scatter(
            block.points[order, 0] * TILE - 0.5,
            block.points[order, 1] * TILE - 0.5,
            s=(130 * side / 2.2) * np.minimum(weight_TK[t, order] / scale.vmax, 1),
            c=weight_TK[t, order],
            cmap=COLORS,
            norm=scale,
            linewidths=0.4,
            edgecolors=INK,
        )
        axes.set_title(_when(clip, t), fontsize=8, color=SOFT, y=1, pad=2)
    _color_bar(figure, scale, "attention to a point in this frame, in multiples of an even share")
    return _rendered(figure)


def draw_joints(clip: ClipAttention, block: BlockAttention) -> np.ndarray:
    """The frames, and below them one chart per person of joints against frames: an image, uint8 H,W,3 RGB.

    Cells and bars are multiples of the even share. Gray: the joint is missing.
    """
    assert clip.sample.keypoints is not None
    present_MTR, ratio_MTR = clip.present, multiples(clip, block)
    persons = [m for m in range(len(present_MTR)) if present_MTR[m].any()] or [0]
    names = _joint_names(clip)
    # a single joint of one frame may get so much that all others would have the same color
    scale = Normalize(0, max(2.0, float(np.quantile(ratio_MTR[present_MTR], 0.98)) if present_MTR.any() else 0.0))
    shown = sample_frames(clip.sample.frame_count, min(FRAMES, clip.sample.frame_count))

    left, right, row_height = 1.25, 1.9, 0.165
    across = WIDTH - left - right
    side = across / len(shown)
    chart = len(names) * row_height
    height = 0.3 + side + len(persons) * (chart + 0.32) + 0.75
    figure = Figure((WIDTH, height), dpi=DPI, facecolor="white")
    for column, t in enumerate(shown):
        axes = figure.add_axes(
            ((left + column * side + 0.02) / WIDTH, 1 - (0.3 + side) / height, (side - 0.04) / WIDTH, side / height)
        )
        _frame(axes, draw_skeletons(_frame_image(clip, t), clip.sample.keypoints[:, t], clip.layout))
        axes.set_title(_when(clip, t), fontsize=8, color=SOFT, y=1, pad=2)
    bars_top = max(1.5, *(float(_mean(ratio_MTR[m]).max()) for m in persons)) * 1.08
    for i, m in enumerate(persons):
        bottom = (height - 0.3 - side - (i + 1) * (chart + 0.32)) / height
        axes = figure.add_axes((left / WIDTH, bottom, across / WIDTH, chart / height))
        axes.set_facecolor("#c3c8d0")
        axes.imshow(ratio_MTR[m, shown].T, cmap=COLORS, norm=scale, aspect="auto", interpolation="nearest")
        axes.set_yticks(range(len(names)), names, fontsize=8, color=INK)
        axes.set_xticks([])
        axes.tick_params(length=0)
        axes.set_title(_person(m), fontsize=9, color=INK, loc="left", y=1, pad=3)
        bars = figure.add_axes(((WIDTH - right + 0.1) / WIDTH, bottom, (right - 0.25) / WIDTH, chart / height))
        bars.barh(range(len(names)), _mean(ratio_MTR[m]), height=0.72, color=_color(m))
        bars.axvline(1, color=SOFT, linewidth=0.8, linestyle=(0, (3, 2)))
        bars.set_ylim(len(names) - 0.5, -0.5)
        bars.set_xlim(0, bars_top)
        bars.set_yticks([])
        bars.tick_params(labelsize=7, colors=SOFT, length=2)
        bars.set_title("mean over time" if i == 0 else "", fontsize=8, color=SOFT, y=1, pad=3)
        for spine in (*axes.spines.values(), *bars.spines.values()):
            spine.set_visible(False)
    _color_bar(figure, scale, "attention to a joint in a frame, in multiples of an even share")
    return _rendered(figure)


def _joint_names(clip: ClipAttention) -> list[str]:
    return [name.replace("_", " ") for name in layout(clip.layout).joints]


def _frame_image(clip: ClipAttention, t: int) -> np.ndarray:
    return tile(clip.sample.frames[t] if clip.sample.frames is not None else None, TILE)


def _grayed(image: np.ndarray) -> np.ndarray:
    """Grayer and lighter, so that dots stand out."""
    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * 0.6 + image * 0.4
    return np.clip(light * 0.75 + 64, 0, 255).astype(np.uint8)


def _frame(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, aspect="auto")
    axes.set_axis_off()
    axes.set_xlim(-0.5, TILE - 0.5)
    axes.set_ylim(TILE - 0.5, -0.5)


def _when(clip: ClipAttention, t: int) -> str:
    return f"{clip.times[t]:.1f} s" if clip.times else f"frame {t + 1}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"


def _person(number: int) -> str:
    return ("first person", "second person")[number] if number < 2 else f"person {number + 1}"


def _color(person: int) -> tuple[float, ...]:
    return tuple(channel / 255 for channel in PALETTES[person % len(PALETTES)].left)


def _mean(ratio_TR: np.ndarray) -> np.ndarray:
    """Mean over the frames in which a joint is present; 0 if there are none."""
    valid = np.isfinite(ratio_TR)
    return np.where(valid, ratio_TR, 0).sum(0) / valid.sum(0).clip(min=1)


def _color_bar(figure: Figure, scale: Normalize, text: str) -> None:
    height = figure.get_figheight()
    axes = figure.add_axes((0.36, 0.3 / height, 0.28, 0.09 / height))
    bar = figure.colorbar(ScalarMappable(scale, COLORS), cax=axes, orientation="horizontal")
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=7, colors=SOFT, length=2, pad=1)
    axes.set_title(text, fontsize=8, color=SOFT, y=1, pad=2)


def _rendered(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
