"""The files of a saved recognizer, and what config.json says it is. Read here alone, and without PyTorch."""

import json

from pydantic import ValidationError

from recognizer.config import RecognizerConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

FORMAT = 1
"""The newest format of a saved recognizer that this version reads. A config.json that names none has format 1."""


def read_config(config_json: str | bytes) -> RecognizerConfig:
    """The config that the text of a config.json holds. Raises ValueError, which says what is wrong with it."""
    try:
        return RecognizerConfig.model_validate_json(_of_known_format(config_json))
    except ValidationError as error:
        unknown = [str(found["loc"][0]) for found in error.errors() if found["type"] == "extra_forbidden"]
        if unknown:
            raise ValueError(
                f"{CONFIG_FILE} has parameters that this version does not know ({', '.join(unknown)}): a newer "
                "version of action-pipeline wrote the model, or the file is damaged: pip install -U action-pipeline"
            ) from error
        raise ValueError(f"not a recognizer's {CONFIG_FILE}: {error}") from error


def _of_known_format(config_json: str | bytes) -> str | bytes:
    """The text of config.json without its format. Raises ValueError for one that this version cannot read."""
    try:
        config = json.loads(config_json)
    except (ValueError, RecursionError):
        return config_json  # validation says what is wrong
    if not isinstance(config, dict) or "format" not in config:
        return config_json
    number = config.pop("format")
    if type(number) is not int or number < 1:
        raise ValueError(f"{CONFIG_FILE}: format: a whole number from 1 on is needed, not {str(number)[:100]!r}")
    if number > FORMAT:
        raise ValueError(
            f"the model has format {number}, but this version of action-pipeline reads formats up to {FORMAT}: pip "
            "install -U action-pipeline"
        )
    return json.dumps(config)
