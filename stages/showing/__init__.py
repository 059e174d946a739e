"""Videos with the people in them drawn: boxes, track numbers and skeletons, to be looked at before any training.

footage.py    the pictures of a video or of a folder of images, one after the other
people.py     the people in a picture; of skeleton files and tables
estimated.py  the people whom a pose stage finds in consecutive pictures, in bounded memory
drawing.py    draws them; lettering.py writes beside them
movie.py      the video that is written; sound.py brings the sound of another file into it
sheet.py      a contact sheet of some of its pictures
show.py       from pictures and people to the files
"""
