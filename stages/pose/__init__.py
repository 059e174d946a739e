"""Skeletons of the decoded frames: read from a file where the data set has them, or else estimated.

    frames ──detectors──▶ boxes ──tracking──▶ tracks ──crops──▶ crops ──estimators──▶ heatmaps ──heatmaps──▶ keypoints

Some estimators give keypoints instead of heatmaps, and some find boxes and keypoints in whole images, without detector
and crops.

stage.py           the stage, and the models its parameters name
given.py           the stage that reads skeleton files without videos (formats: the room stages.skeletons)

estimators.py      what an estimator is; hrnet.py, vitpose.py, movenet.py, movenet_multipose.py, keypoint_rcnn.py,
                   mini.py, onnx_model.py, yolo.py and mmpose_model.py have those of the package
detectors.py       what a detector is; nanodet.py, movenet_multipose.py, faster_rcnn.py, transformers_detector.py,
                   mini.py, onnx_detector.py and yolo.py have those of the package
*_network.py       networks of our own; graph_network.py: any that is published as a TensorFlow.js graph;
                   onnx_network.py, onnx_pixels.py: any in an ONNX file
zoo.py             published weights
checkpoints.py     weights in PyTorch's files; mmpose_config.py: models in MMPose's
requirements.py    what has to be here before anything is decoded

estimation.py      a clip's way from frames to keypoints; skeleton_rows.py: to a row of the table
boxes.py, appearance.py, key_frames.py, tracking.py, similarity.py, gap_filling.py, crops.py, crop_queue.py,
heatmaps.py, simcc.py
                   one step of it each
"""
