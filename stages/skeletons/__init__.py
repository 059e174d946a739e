"""Skeletons that people bring: what all formats become, and one file per format.

skeleton_file.py  the skeletons in all frames of a video, and whether they fit it
formats.py        which reader a file has, by its extension
versions.py       readers that have come to give something else

npz.py            NumPy arrays
ntu.py            NTU RGB+D's text files
pennaction.py     PennAction's labels
"""
