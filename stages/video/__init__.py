"""Frames of video files, each with its true number and time.

timeline.py     which frames a file has and when they are shown, without decoding
reader.py       what a reader is; users can add their own
with_decord.py  decord: used only where it is known to be correct, and only while its log reports no errors
with_images.py  folders of images in place of video files
with_pyav.py    PyAV: correct on all files, and able to tell which frame is damaged
sampling.py     which frames represent a clip, and their JPEG images
"""
