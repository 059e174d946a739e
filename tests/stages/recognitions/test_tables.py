"""Tables of recognitions."""

from stages.recognitions.tables import segments_table, sums_table, windows_table


def video(name: str, names: list[str], *labels: str | None) -> dict:
    """Segments of one second each, and a window for all."""
    segments = [
        {"start": i, "end": i + 1, "label": label, "score": 0.6, "person": None, "nearest": None if label else names[0]}
        for i, label in enumerate(labels)
    ]
    windows = [{"start": 0.0, "end": 9.0, "person": None, "probabilities": [0.5] * len(names)}] if names else []
    return {"file": name, "class_names": names, "segments": segments, "windows": windows}


def test_a_class_that_is_called_none_is_told_from_no_class() -> None:
    videos = [video("a.mp4", ["none", "wave"], "none", None, None)]
    assert segments_table(videos)["label"].to_pylist() == ["none (class)", "none", "none"]
    sums = sums_table(videos).select(["label", "segments", "seconds"]).to_pylist()
    assert sums == [
        {"label": "none", "segments": 2, "seconds": 2.0},
        {"label": "none (class)", "segments": 1, "seconds": 1.0},
    ]


def test_a_video_that_failed_hides_no_class() -> None:
    columns = ["file", "start", "end", "person", "sit", "person (class)"]
    for videos in ([video("a.mp4", []), video("b.mp4", ["sit", "person"])], [video("b.mp4", ["sit", "person"])]):
        assert windows_table(videos).column_names == columns
        assert windows_table(videos).num_rows == 1
