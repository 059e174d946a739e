"""The same by content: results that turn out to have the same rows as others, and stages that are given the same rows.

Keys say how a result is made, before it exists. Where it has been made in another way and is nevertheless the same, the
store notes that, and from then on the plan uses the older result. So nothing that was made from it is made again.
"""

import hashlib
from typing import Any

import pyarrow as pa

from pipeline.keys import KEY_BYTES, canonical, digest
from pipeline.plan import Plan
from pipeline.store import Store


def same_rows(store: Store, one: str, other: str) -> bool:
    """Whether two results of a map stage, given by their paths, have the same rows. False if one does not exist."""
    try:
        return row_digests(store.read(one)) == row_digests(store.read(other))
    except FileNotFoundError:
        return False


def row_digests(table: pa.Table) -> dict[str, str]:
    """A digest of each row by ``clip_id``, of a table that a map stage made."""
    rows = (table.slice(i, 1).to_pylist()[0] for i in range(table.num_rows))
    return {row["clip_id"]: _row_digest(row) for row in rows}


def content_key(plan: Plan, name: str, known: dict[str, dict[str, str]]) -> str | None:
    """The hash of all that a whole node is given, by content: the clips that it selects, and their rows.

    All of its inputs must exist. None if it selects all clips: then its key is no narrower than its content.
    known: digests of the rows in files that have been read, by path.
    """
    node_plan = plan.nodes[name]
    if not node_plan.selections:
        return None
    parts = [canonical(node_plan.identity)]
    for variant in node_plan.node.variants:
        selection = node_plan.selections.get(variant.source)
        clips = selection.digest if selection else plan.sources[variant.source].digest if variant.source else ""
        parts += ["branch", canonical(variant.labels), clips]
        for table, need in sorted(variant.inputs.items()):
            made = plan.nodes[need]
            if selection is None or made.node.kind != "map":
                parts += [table, *made.keys]
                continue
            rows: dict[str, str] = {}
            for path in made.paths(plan.store, selection.partitions):
                if path not in known:
                    known[path] = row_digests(plan.store.read(path))
                rows |= known[path]
            parts += [table, *(rows.get(clip_id, "") for clip_id in selection.ids)]
    return digest(*parts)


def _row_digest(row: dict[str, Any]) -> str:
    state = hashlib.blake2b(digest_size=KEY_BYTES)

    def add(value: Any) -> None:
        """Each value with its kind and length, so that different rows never give the same bytes."""
        if isinstance(value, list | dict):
            items = value if isinstance(value, list) else [item for pair in sorted(value.items()) for item in pair]
            state.update(f"{type(value).__name__} {len(value)} ".encode())
            for item in items:
                add(item)
            return
        content = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogateescape")
        state.update(f"{type(value).__name__} {len(content)} ".encode() + content)

    add(row)
    return state.hexdigest()
