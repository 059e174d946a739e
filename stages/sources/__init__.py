"""Where clips come from: one file per source.

folder.py      folders named after their classes
listing.py     a list file, CSV or JSON
split_lists.py videos with the split lists that data sets come with
pattern.py     file names that contain the class
videos.py      videos without labels, for recognition
pennaction.py  the PennAction data set
ntu.py         NTU RGB+D 60 and 120; ntu_actions.py names their actions
finegym.py     the FineGYM data set, whose published files finegym_annotations.py reads
pyskl.py       pickles of pyskl and MMAction2
skeleton_set.py  a whole skeleton set in one file
synthetic.py   the demo set, drawn on first use

files.py finds video files, rows.py builds the index, recordings.py knows which clips belong together, spelling.py
which spellings are one class. list_text.py, spreadsheet.py and name_patterns.py read lists and names;
split_list_formats.py and class_names.py are parts of split_lists.py. drawn_splits.py draws splits. skeleton_lookup.py
finds the skeletons of videos, skeleton_entries.py those in files of many clips. copies.py finds videos that are there
twice.
"""
