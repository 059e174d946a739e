"""Skeletons that people bring: what all formats become, and one file per format.

skeleton_file.py  the skeletons in all frames of a video, and whether they fit it
formats.py        which reader a file has, by its extension

npz.py            NumPy arrays, a file per clip
skeleton_set.py   NumPy arrays, a file for a whole set
ntu.py            NTU RGB+D's text files
pennaction.py     PennAction's labels

layout_parameter.py, joint_names.py  joint layouts from parameters, and from the names of joints
conversion.py                        from one joint layout to another
projection.py                        from space to a picture
"""
