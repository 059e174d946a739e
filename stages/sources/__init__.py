"""Where clips come from: one file per source.

folder.py      folders named after their classes
listing.py     a list file, CSV or JSON lines
pattern.py     file names that contain the class
videos.py      videos without labels, for recognition
pennaction.py  the PennAction data set
ntu.py         NTU RGB+D 60 and 120; ntu_actions.py names their actions
synthetic.py   the demo set, drawn on first use

files.py finds video files, rows.py builds the index.
"""
