"""Names of results: the hash of everything that made them.

The only files that are read here are those that parameters name (weights), because their content counts.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from pipeline.errors import ManifestError
from pipeline.files import FileState, state_of
from pipeline.source_code import declared_version, plugins_of
from pipeline.stage import KnownFile, Stage

KEY_BYTES = 16


def digest(*parts: str | memoryview) -> str:
    """A key: 32 hex digits, the hash of the given strings in the given order, some of them perhaps ``framed``."""
    return digest_of(parts)


def digest_of(parts: Iterable[str | memoryview]) -> str:
    """As ``digest``, for parts that need not all be there at the same time."""
    state = hashlib.blake2b(digest_size=KEY_BYTES)
    for part in parts:
        if isinstance(part, str):
            encoded = part.encode("utf-8", "surrogateescape")
            state.update(len(encoded).to_bytes(8, "little"))
            state.update(encoded)
        else:
            state.update(part)
    return state.hexdigest()


def framed(texts: pa.Array) -> tuple[memoryview, np.ndarray]:
    """Strings as ``digest`` hashes them, each with its length before it, and where each begins and the last one ends.

    For a million clips: so many calls from Python would take longer than everything else.
    """
    lengths = np.asarray(pc.binary_length(texts), "<i8")
    prefixes = pa.Array.from_buffers(pa.binary(8), len(texts), [None, pa.py_buffer(lengths)]).cast(pa.binary())
    joined = pc.binary_join_element_wise(prefixes, texts.cast(pa.binary()), b"")
    _, offsets, content = joined.buffers()
    begins = np.frombuffer(offsets, np.int32, len(texts) + 1)
    return memoryview(content or b"")[: begins[-1]], begins


def stage_identity(uses: str, stage: Stage) -> dict[str, Any]:
    """What a stage contributes to its keys, in readable form, so that a plan can say what has changed."""
    parameters = keyed_parameters(stage)
    versions = {plugin: declared_version(plugin) for plugin in plugins_of(parameters)}
    declared = {plugin: version for plugin, version in versions.items() if version is not None} | stage.parts()
    identity = {
        "uses": vars(type(stage)).get("key_name") or uses,
        "version": stage.version,
        "parameters": parameters,
        "files": file_digests(stage),
    }
    return identity | ({"plugins": declared} if declared else {})


def file_digests(stage: Stage) -> list[list[str]]:
    """Name and digest of the content of each file that a stage reads, such as weights."""
    return [[file.name, _file_digest(file)] for file in stage.files()]


def keyed_parameters(stage: Stage) -> dict[str, Any]:
    """The parameters that affect the result, as JSON values: all but those declared with ``unkeyed``, and those
    declared with ``added`` that have their default; also within parameters that are groups of parameters."""
    return stage.model_dump(mode="json", exclude=_left_out(stage))


def _left_out(parameters: BaseModel) -> dict[str, Any]:
    left_out: dict[str, Any] = {}
    for name, field in type(parameters).model_fields.items():
        declared, value = field.json_schema_extra, getattr(parameters, name)
        declared = declared if isinstance(declared, dict) else {}
        if declared.get("keyed") is False or (declared.get("added") and value == field.default):
            left_out[name] = True
        elif isinstance(value, BaseModel) and (within := _left_out(value)):
            left_out[name] = within
    return left_out


def canonical(value: Any) -> str:
    """JSON with sorted keys: equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _file_digest(file: Path | KnownFile) -> str:
    if isinstance(file, KnownFile):
        return file.sha256
    try:
        file.stat()
        return _content_digest(state_of(file))
    except OSError as error:
        raise ManifestError(
            f"{file}: {error.strerror or error} (a parameter names it; give an existing file)"
        ) from None


@lru_cache(maxsize=1024)
def _content_digest(state: FileState) -> str:
    with Path(state.path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def partition_bounds(clip_ids: Iterable[str], mean: int) -> list[tuple[int, int]]:
    """Cut sorted clips into partitions of about ``mean`` clips at content-defined boundaries.

    A clip ends its partition if the hash of its id says so (one in ``mean`` does), so that adding or removing a clip
    changes only the partition that it falls into. Without such a clip, a partition is cut at four times the mean, which
    bounds its cost. Such a cut may move when clips are added, but only up to the next boundary.
    """
    bounds, start, stop = [], 0, 0
    for stop, clip_id in enumerate(clip_ids, start=1):
        hashed = hashlib.blake2b(clip_id.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        if int.from_bytes(hashed, "little") % mean == 0 or stop - start >= 4 * mean:
            bounds.append((start, stop))
            start = stop
    if start < stop:
        bounds.append((start, stop))
    return bounds


def row_texts(clips: pa.Table, columns: Iterable[str]) -> pa.Array:
    """One string per row with the values of the given columns. Lengths make it unambiguous, and null is not empty.

    A column that is marked as added is part of it only where it has a value, so that older results keep their keys.
    """
    texts: list[pa.ChunkedArray] = []
    for name in columns:
        added = (clips.schema.field(name).metadata or {}).get(b"added")
        if added and clips[name].null_count == clips.num_rows:
            continue
        text = pc.cast(clips[name], pa.string())
        length = pc.cast(pc.binary_length(text), pa.string())
        text = pc.binary_join_element_wise(length, text, ":")
        texts.append(pc.binary_join_element_wise(name, text, "=") if added else pc.fill_null(text, "null"))
    if not texts:
        return pa.repeat("", clips.num_rows)
    return pc.binary_join_element_wise(*texts, ",", null_handling="skip").combine_chunks()


def columns_of(clips: pa.Table, *roles: str) -> list[str]:
    """Columns of an index that have one of the given roles (content, place, annotation) in their field metadata.

    A column without a role is content: whoever writes a Source without knowing of roles must not be given old results.
    """
    return [field.name for field in clips.schema if (field.metadata or {}).get(b"role", b"content").decode() in roles]
