# What type checkers know of __init__.py, which imports these only when they are asked for.
from stages.api.model import load_model as load_model
from stages.api.recognition import recognize as recognize
from stages.api.runs import Run as Run
from stages.api.runs import run as run
