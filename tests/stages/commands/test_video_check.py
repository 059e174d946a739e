"""What is said of videos that were read from beginning to end."""

from pathlib import Path

import pytest
from command_line import command
from video_files import truncated, write_sound, write_video

from stages.commands.video_check import check_videos


def test_good_and_bad_files(tmp_path: Path) -> None:
    write_video(tmp_path / "good.mp4", count=50)
    write_video(tmp_path / "uneven.mkv", count=5, milliseconds=[0, 40, 80, 2000, 2040])
    truncated(write_video(tmp_path / "whole.mkv", count=60), tmp_path / "cut.mkv")
    write_sound(tmp_path / "sound.mp4")
    found = {check.name: check for check in check_videos(tmp_path)}
    good = found["good.mp4"]
    assert (good.frames, good.seconds, good.size, good.codec) == (50, pytest.approx(2.0), "128x96", "h264")
    assert good.notes == good.problems == ()
    assert found["uneven.mkv"].notes == ("a frame is shown for 1.92 s, most for 0.040 s",)
    assert "cut off or broken after frame" in found["cut.mkv"].problems[0]
    assert found["sound.mp4"].problems == ("the file holds no video stream",)
    assert found["sound.mp4"].frames == 0


def test_a_long_file_is_sought_in(tmp_path: Path) -> None:
    [check] = check_videos(write_video(tmp_path / "long.mp4", count=600))
    assert check.notes == check.problems == ()
    [check] = check_videos(write_video(tmp_path / "long.avi", count=600, codec="mpeg4"))
    assert check.notes == check.problems == ()
    [check] = check_videos(write_video(tmp_path / "long.avi", count=600, codec="mpeg2video"))
    assert check.notes == ("no seek can be proven: clips deep in it are read from its beginning",)


def test_the_command(tmp_path: Path) -> None:
    write_video(tmp_path / "good.mp4", count=50)
    (tmp_path / "text.mp4").write_text("no video")
    done = command("check-videos", str(tmp_path))
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "good.mp4: 50 frames, 2.0 s, 128x96 h264",
        "text.mp4",
        "    problem: this is a text file, not a video; perhaps the error page of a failed download",
        "",
        "2 videos: 1 with problems, 0 with something unusual that is read rightly",
    ]
    (tmp_path / "text.mp4").unlink()
    assert command("check-videos", str(tmp_path)).returncode == 0
