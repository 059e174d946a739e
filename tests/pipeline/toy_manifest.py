"""A manifest of toy stages in a folder of its own, and what its stages were seen to do."""

import json
from pathlib import Path

from pipeline.manifest import load_manifest
from pipeline.reasons import reasons
from pipeline.run import Options, Result, plan_run, run

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
    """A manifest in a folder of its own, and what its stages were seen to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.path = folder / "toy.yaml"
        self.path.write_text(MANIFEST.format(folder=folder))

    def run(self, *settings: str, **options) -> Result:
        options.setdefault("executor", "local")
        return run(load_manifest(self.path, settings), Options(**options))

    def reasons(self, *settings: str, **options) -> dict[str, str]:
        plan = plan_run(load_manifest(self.path, settings), Options(**options))
        return reasons(plan, self.folder / "runs" / "toy")

    def visits(self, stage: str) -> list[str]:
        """Clips a stage has worked on since the last call."""
        log = self.folder / f"{stage}.log"
        lines = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def all_visits(self) -> dict[str, int]:
        return {stage: len(self.visits(stage)) for stage in ("double", "add", "total", "share")}

    def total(self) -> dict[str, int]:
        """What the run has laid out."""
        return json.loads((self.folder / "runs" / "toy" / "total.json").read_text())

    def stored(self) -> dict[str, bytes]:
        store = self.folder / "store"
        return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}
