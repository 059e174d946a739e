"""A manifest of the toy stages, and a record of which clips they have worked on."""

import json
import re
from pathlib import Path

from pipeline.manifest import load_manifest
from pipeline.plan import Plan
from pipeline.reasons import reasons
from pipeline.runs import Options, Result, plan_run, run

MANIFEST = """
name: toy
store: {folder}/store
runs: {folder}/runs
partition: 4
stages:
  index: {{uses: "toy_stages:Numbers", with: {{count: 40}}}}
  double: {{uses: "toy_stages:Double", needs: index, with: {{trace: {folder}}}}}
  add: {{uses: "toy_stages:Add", needs: double, with: {{trace: {folder}}}}}
  total: {{uses: "toy_stages:Total", needs: add, with: {{trace: {folder}}}}}
  share: {{uses: "toy_stages:Share", needs: [add, total], with: {{split: test, trace: {folder}}}}}
  summary: {{uses: "toy_stages:Summary", needs: [total, share]}}
"""


class Toy:
    """A manifest in a folder of its own, with ways to plan and run it and to see what its stages did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.path = folder / "toy.yaml"
        self.path.write_text(MANIFEST.format(folder=folder))

    @property
    def run_folder(self) -> Path:
        return self.folder / "runs" / "toy"

    def multiply(self, stage: str, matrix: str) -> None:
        """Give a stage of the manifest a matrix, such as ``{scale: [1, 2]}``."""
        text, count = re.subn(rf"(?<=\n)(  {stage}: .*?)with:", rf"\1matrix: {matrix}, with:", self.path.read_text())
        assert count == 1, stage
        self.path.write_text(text)

    def plan(self, *settings: str, **options) -> Plan:
        return plan_run(load_manifest(self.path, settings), Options(**options))

    def run(self, *settings: str, **options) -> Result:
        options.setdefault("executor", "local")
        return run(load_manifest(self.path, settings), Options(**options))

    def reasons(self, *settings: str, **options) -> dict[str, str]:
        return reasons(self.plan(*settings, **options), self.run_folder)

    def visits(self, stage: str) -> list[str]:
        """The clips that a stage has worked on since the last call, in order."""
        log = self.folder / f"{stage}.log"
        lines = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def all_visits(self) -> dict[str, int]:
        return {stage: len(self.visits(stage)) for stage in ("double", "add", "total", "share")}

    def total(self) -> dict[str, int]:
        """What the stage ``total`` has exported to the run's folder."""
        return json.loads((self.run_folder / "total.json").read_text())

    def stored(self) -> dict[str, bytes]:
        """The content of every file of the store, by its path."""
        store = self.folder / "store"
        return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}
