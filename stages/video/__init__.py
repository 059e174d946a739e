"""Frames of video files, each with its true number and time.

timeline.py     which frames a file has and when they are shown, without decoding
reader.py       what a reader is; a user's own is one more
with_decord.py  decord: listened to for damage, and used where it is known to be right
with_images.py  folders of images in place of files
with_pyav.py    PyAV: right on everything, and able to say which frame is damaged
sampling.py     which frames represent a clip, and their JPEG images
"""
