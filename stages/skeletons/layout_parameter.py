"""A parameter of a stage that names a joint layout.

Its value becomes the layout's text, so that a user's own layout counts in keys by its content, and means the same in
worker processes and on other machines.
"""

from typing import Annotated

from pydantic import AfterValidator

from recognizer.skeletons import find_layout, layout_text


def _text(given: str) -> str:
    return layout_text(find_layout(given))


LayoutText = Annotated[str, AfterValidator(_text)]
"""A layout as users give it (see ``find_layout``), and its text afterwards."""
