"""HTML pages, from templates next to the code that fills them."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def templates(folder: Path) -> Environment:
    """The templates of a folder: every text is escaped, and an undefined name is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(image: bytes, kind: str) -> str:
    """An image as an address that holds its bytes, so that the page needs no other file. ``kind``: like ``png``."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
