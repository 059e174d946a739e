"""Skeletons that people bring: what all formats become, and one file per format.

skeleton_file.py  the skeletons in all frames of a video, and whether they fit it
formats.py        which reader a file has, by its extension
versions.py       readers that have come to give something else

npz.py            NumPy arrays, a file per clip
skeleton_set.py   NumPy arrays, a file for a whole set
ntu.py            NTU RGB+D's text files
pennaction.py     PennAction's labels

layout_parameter.py, joint_names.py  joint layouts from parameters, and from the names of joints
conversion.py                        from one joint layout to another
projection.py                        from space to a picture
pyskl.py          pyskl's and MMAction2's pickles of a whole data set
pyskl_writer.py   the same, written
coco.py           COCO's annotations and results, and AlphaPose's results
coco_writer.py    COCO's annotations, written
alphapose.py      AlphaPose's results in the formats of other tools
openpose.py       OpenPose's folders
mediapipe.py      MediaPipe's landmarks as JSON
mediapipe_csv.py  the same as CSV

exported_clips.py what writers are given
safe_pickle.py    reads pickles of plain data and NumPy arrays, and executes nothing
stored_arrays.py  arrays that stay in such a pickle until they are needed
json_file.py      reads and checks JSON
json_clips.py     which of the formats a JSON file has
recording.py      people in single frames, as most tools write them
people.py         joins them from frame to frame
frame_names.py    which clip and frame the name of an image means
"""
