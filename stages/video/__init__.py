"""Frames of video files, each with its true number and time.

container.py    a video file as FFmpeg opens it, or what it is instead
film.py         the frames that FFmpeg's decoder gives, from the beginning or from a keyframe that is proven
packets.py      which frames the packets promise, and where decoding could begin
selection.py    which frames represent a clip
passes.py       all clips of a file in one pass
seen.py         a picture as a person sees it: upright, with square pixels
extent.py       when a file shows its picture
reader.py       what a reader of one's own is; with_decord.py is one
with_images.py  folders of images in place of video files
sampling.py     clips through a reader
"""
