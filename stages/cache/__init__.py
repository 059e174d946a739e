"""Shards: each clip's cropped frames and skeletons in one row, written once and read in random order in training."""
