"""Training: a recognizer from shards.

stage.py        the stage
recipe.py       its parameters, which the loop and its workers read too
loop.py         the loop, to be read from top to bottom; the other files are what it is made of
calibration.py  what the scores of the result are worth, from validation clips
start.py        where the model is that a training starts from; transfer.py: which of its weights are taken
ray_workers.py  the loop in several processes
model_card.py   what people read about the model
pretrained.py   a saved model instead of a training
"""
