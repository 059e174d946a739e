"""Which frames a file's packets promise: quick to list, and believed only until the decoder has spoken."""

from typing import Any

import av
import numpy as np

from stages.video.film import film_stream, logged_errors, open_container

UNCODED_PICTURE = 8
"""Bytes; an MPEG-4 packet up to this size may hold no picture."""


def expected_times(path: str) -> tuple[np.ndarray, float]:
    """Seconds of the frames that the packets promise (float64 N, increasing), and when the last one ends."""
    with open_container(path) as container, logged_errors():
        stream = film_stream(container)
        base = float(stream.time_base)
        stamps: list[int] = []
        has_pts = "avi" not in container.format.name
        try:
            for packet in container.demux(stream):
                stamp = packet.pts if has_pts and packet.pts is not None else packet.dts
                if packet.size and stamp is not None and is_shown(packet):
                    stamps.append(stamp)
        except av.FFmpegError:
            pass  # cut off: reading will say where
        origin = (container.start_time or 0) / av.time_base
        rate = stream.average_rate or stream.guessed_rate or 25
    times = np.sort(np.array(stamps, np.float64)) * base - origin
    return times, float(times[-1] + 1 / rate) if len(times) else 0.0


def is_shown(packet: Any) -> bool:
    """Whether a packet is likely to become a frame that is shown."""
    codec = packet.stream.codec_context.name
    # VP8 has frames that serve prediction alone; the fifth bit says whether one is shown (RFC 6386, section 9.1).
    hidden = codec == "vp8" and not bytes(packet)[0] & 0x10
    uncoded = codec == "mpeg4" and packet.size <= UNCODED_PICTURE
    return not (packet.is_discard or hidden or uncoded)
