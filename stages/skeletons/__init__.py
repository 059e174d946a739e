"""Skeletons that people bring: what all formats become, and one file per format.

skeleton_file.py  the skeletons in all frames of a video, and whether they fit it
safe_pickle.py    pickles of plain data and NumPy arrays, without executing anything
stored_arrays.py  the arrays of such pickles, which stay in the file
formats.py        which reader a file has, by its extension

npz.py            NumPy arrays
ntu.py            NTU RGB+D's text files
pennaction.py     PennAction's labels
pyskl.py          pickles of pyskl and MMAction2
"""
