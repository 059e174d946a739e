"""Skeletons of every decoded frame: read from a file where the data set has them, else estimated top-down.

    frames ──detectors──▶ boxes ──tracking──▶ tracks ──crops──▶ crops ──estimators──▶ heatmaps ──heatmaps──▶ keypoints

``stage.py`` holds the stage; each other file is one of the arrows, or one of the models behind them.
"""
