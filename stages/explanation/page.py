"""The page of explained clips, and their pictures as files."""

import re
from pathlib import Path

from pipeline.files import replace_file
from pipeline.stage import Row
from stages.html import data_uri, templates

PAGE = "explanation.html"
LONGEST = 150
"""Characters of a clip's id in the names of its pictures, which a file system may limit to 255 in all."""


def write(rows: list[Row], folder: Path, run: str) -> None:
    """Write ``explanation.html``, which is self-contained, and each picture as ``NUMBER-CLIP-PICTURE.png``.

    rows: of the explanations table. run: its name, for the title.
    """
    clips = []
    for number, row in enumerate(rows, start=1):
        stem = f"{number:02}-{re.sub(r'[^0-9A-Za-z_.]+', '-', row['clip_id'])[-LONGEST:]}"
        shown = []
        for name, caption, image in zip(row["names"] or [], row["captions"] or [], row["images"] or [], strict=True):
            replace_file(folder / f"{stem}-{name}.png", image)
            shown.append((caption, data_uri(image, "png")))
        clips.append(row | {"pictures": shown, "correct": row["predicted"] == row["label"]})
    environment = templates(Path(__file__).parent)
    page = environment.get_template("page.html.jinja").render(run=run, clips=clips)
    replace_file(folder / PAGE, page.encode("utf-8", "backslashreplace"))
