"""Where clips come from: one source a file.

folder.py     folders named for their classes
listing.py    a list file, CSV or JSON lines
pattern.py    file names that say the class
videos.py     videos without labels, for recognition
synthetic.py  the demo set, drawn when first asked for
files.py      finding video files;  rows.py  putting the index together
"""
