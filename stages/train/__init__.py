"""Training: a recognizer from shards.

stage.py        the stage
recipe.py       its parameters, which the loop and its workers read too
loop.py         the loop, read from top to bottom; the other files are what it is made of
pretrained.py   a saved model in place of a training
"""
