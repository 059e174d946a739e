"""Shards: a clip's cropped frames and skeletons in one row, written once and read at random in training."""
