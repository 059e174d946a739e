"""Where clips come from: one file per source.

folder.py      folders named after their classes
listing.py     a list file, CSV or JSON lines
pattern.py     file names that contain the class
videos.py      videos without labels, for recognition
pennaction.py  the PennAction data set
pyskl.py       pickles of pyskl and MMAction2
synthetic.py   the demo set, drawn on first use

files.py finds video files, rows.py builds the index, skeleton_entries.py finds videos in skeleton files of many clips.
"""
