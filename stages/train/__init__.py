"""Training: a recognizer from shards.

stage.py        the stage and its parameters
loop.py         the loop, read from top to bottom; the other files are what it is made of
pretrained.py   a saved model in place of a training
"""
