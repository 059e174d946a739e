"""The tables that stages pass to each other:

    clips ──decode──▶ frames ──pose──▶ skeletons ──cache──▶ shards ──train──▶ models ──predict──▶ predictions
                                                       predictions ──evaluate──▶ metrics ──report──▶ reports
                                                       predictions ──recognitions──▶ recognitions
         frames, skeletons ──cache_people──▶ people ──predict_people──▶ people_predictions ──recognitions──▶
                                                    models, shards ──explain──▶ explanations

Tensors are ``large_binary`` in C order, with columns for their shape where it varies. Keypoints are relative to the
frame (0 is the left or top edge, 1 the right or bottom edge), so float16 resolves better than 1/2000 of the frame.
"""

import pyarrow as pa

from pipeline.stage import Table


def _field(name: str, kind: pa.DataType, role: str, nullable: bool = True, added: bool = False) -> pa.Field:
    """A column of the index. ``role``: "content" is part of map stages' keys; "place" says where the content is and is
    not part of keys, so that a data set can be moved; "annotation" is visible to whole stages only. ``added``: keys are
    older than this column, so it is part of them only where it has a value."""
    return pa.field(name, kind, nullable, {"role": role} | ({"added": "true"} if added else {}))


CLIPS = Table(
    "clips",
    pa.schema(
        [
            _field("clip_id", pa.string(), "content", nullable=False),  # unique and readable: the path below the root
            _field("source", pa.string(), "content", nullable=False),  # "SIZE:MTIME_NS" of the video, or "missing"
            _field("start", pa.float64(), "content"),  # seconds; null: from the first frame
            _field("end", pa.float64(), "content"),  # seconds, exclusive; null: to the last frame
            _field("skeleton_source", pa.string(), "content"),  # of the skeleton file, see skeleton_fingerprint
            _field("path", pa.string(), "place", nullable=False),  # the video file, absolute
            _field("skeleton_path", pa.string(), "place"),  # file with ground-truth skeletons of the video, or null
            _field("skeleton_entry", pa.string(), "content", added=True),  # the clip's name in it; null: of one clip
            _field("label", pa.string(), "annotation"),  # class name, null where unknown
            _field("split", pa.string(), "annotation"),  # one of SPLITS, or null
            _field("group", pa.string(), "annotation", added=True),  # recording: its clips share a split; null: its own
        ]
    ),
)

SPLITS = ("train", "val", "test")
"""The splits of sources; a clip may have none."""

FRAMES = Table(
    "frames",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            ("frames", pa.list_(pa.binary())),  # T JPEG images, RGB, upright
            ("indices", pa.list_(pa.int32())),  # T frame numbers in the file, display order, discarded frames excluded
            ("times", pa.list_(pa.float32())),  # T seconds from the first frame of the file
            ("height", pa.int32()),  # of the JPEG images
            ("width", pa.int32()),
            ("source_height", pa.int32()),  # of the video, upright: what pixel coordinates of skeleton files refer to
            ("source_width", pa.int32()),
            ("source_frames", pa.int32()),  # frames of the file; null where the clip is a part of it
            ("warning", pa.string()),  # what is unusual about the file, or null
            ("reader", pa.string()),  # "pyav", "images", or the name of a reader of the user's own
        ]
    ),
    row_group=1,
    compression=None,
)

SKELETONS = Table(
    "skeletons",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            (
                "keypoints",
                pa.large_binary(),
            ),  # float16 M,T,R,3: x, y relative to the frame, score in [0, 1]; score 0: missing
            ("persons", pa.int32()),  # M, at least 1, best tracks first; a clip without people fails
            ("layout", pa.string()),  # text of a layout, see recognizer.skeletons; it has R joints
            ("estimator", pa.string()),  # "ground truth" or the estimator's name
            ("detector", pa.string()),  # its name, or null where the estimator needs none
            ("weights", pa.list_(pa.string())),  # the models' files: name and the beginning of SHA-256
            ("made_up", pa.large_binary()),  # bool M,T,R: joints that were interpolated; null: none
        ]
    ),
)

SHARDS = Table(
    "shards",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            ("frames", pa.list_(pa.binary())),  # T JPEG images of size x size, or null (pose alone)
            ("keypoints", pa.large_binary()),  # float16 M,T,R,3 relative to the crop, or null (RGB alone)
            ("persons", pa.int32()),
            ("layout", pa.string()),
            ("times", pa.list_(pa.float32())),
        ]
    ),
    row_group=1,
    compression=None,
)

PEOPLE = Table(
    "people",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            ("layout", pa.string()),
            ("times", pa.list_(pa.float32())),
            (
                "people",  # each in a crop of its own, in the order of the skeletons
                pa.list_(
                    pa.struct(
                        [
                            ("frames", pa.list_(pa.binary())),  # T JPEG images of size x size
                            ("keypoints", pa.large_binary()),  # float16 M,T,R,3 relative to the crop
                            ("persons", pa.int32()),  # M: the person, then perhaps a neighbor
                            (
                                "boxes",
                                pa.list_(pa.float32()),
                            ),  # T,4 in the frame: x1, y1, x2, y2; NaN: not seen
                        ]
                    )
                ),
            ),
        ]
    ),
    row_group=1,
    compression=None,
)

MODELS = Table(
    "models",
    pa.schema(
        [
            ("config", pa.string()),  # config.json of the recognizer
            ("weights", pa.large_binary()),  # model.safetensors
            (
                "history",
                pa.string(),
            ),  # JSON list, one object per epoch: epoch, loss, accuracy, lr, val_loss, val_accuracy
        ]
    ),
)

PREDICTIONS = Table(
    "predictions",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            ("probabilities", pa.list_(pa.float32())),  # one per class, in the order of class_names
            ("class_names", pa.list_(pa.string())),
        ]
    ),
)

PEOPLE_PREDICTIONS = Table(
    "people_predictions",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            ("class_names", pa.list_(pa.string())),
            ("times", pa.list_(pa.float32())),  # of the boxes
            (
                "people",
                pa.list_(
                    pa.struct(
                        [
                            ("probabilities", pa.list_(pa.float32())),
                            ("boxes", pa.list_(pa.float32())),  # T,4, see PEOPLE
                        ]
                    )
                ),
            ),
        ]
    ),
)

METRICS = Table(
    "metrics",
    pa.schema(
        [
            (
                "metrics",
                pa.string(),
            ),  # JSON object: top1, top5, mean_class, clips, failed, per class figures, confusion
        ]
    ),
)

RECOGNITIONS = Table(
    "recognitions",
    pa.schema(
        [
            ("file", pa.string()),  # relative to the folder that was searched, with slashes; sorted, one row a video
            ("error", pa.string()),  # of the first window that failed, or null
            ("failed", pa.int32()),  # windows that failed
            ("width", pa.int32()),  # of the video in pixels, upright; null where all windows failed
            ("height", pa.int32()),
            ("class_names", pa.list_(pa.string())),
            (
                "windows",  # what the network was shown, by start and person
                pa.list_(
                    pa.struct(
                        [
                            ("start", pa.float64()),  # seconds
                            ("end", pa.float64()),
                            ("person", pa.int32()),  # from 1; null where the network saw everybody at once
                            ("probabilities", pa.list_(pa.float32())),  # one per class
                        ]
                    )
                ),
            ),
            (
                "segments",  # by start and person
                pa.list_(
                    pa.struct(
                        [
                            ("start", pa.float64()),  # seconds
                            ("end", pa.float64()),
                            ("person", pa.int32()),
                            ("label", pa.string()),  # null: no class is likely enough
                            ("score", pa.float32()),  # mean probability of the label, or of the likeliest class
                            ("nearest", pa.string()),  # the likeliest class where there is no label, else null
                            ("thumbnail", pa.binary()),  # JPEG of its middle with skeletons, or null
                        ]
                    )
                ),
            ),
        ]
    ),
    row_group=16,
)

EXPLANATIONS = Table(
    "explanations",
    pa.schema(
        [
            ("clip_id", pa.string()),
            ("error", pa.string()),
            ("label", pa.string()),
            ("predicted", pa.string()),
            ("probability", pa.float32()),
            ("names", pa.list_(pa.string())),  # of the pictures: what they show, and the number of the block
            ("captions", pa.list_(pa.string())),
            ("images", pa.list_(pa.binary())),  # PNG
        ]
    ),
    row_group=1,
    compression=None,
)

REPORTS = Table(
    "reports",
    pa.schema(
        [
            ("facts", pa.string()),  # JSON: what the page shows, except times and events
            ("images", pa.list_(pa.binary())),  # JPEG images that the facts refer to by position
        ]
    ),
)
