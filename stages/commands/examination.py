"""Examines the machine, the installation and, if given, one manifest, and says what is missing."""

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pipeline.checks import Found, check, prepare
from pipeline.errors import PipelineError
from pipeline.failures import too_many
from pipeline.graph import Graph, build_graph
from pipeline.manifest import Manifest, load_manifest
from pipeline.nodes import Node, examine_nodes
from pipeline.ray_session import ray_session
from pipeline.registry import DISTRIBUTION, extras
from pipeline.runs import own_modules, plan_run
from pipeline.stage import Source
from pipeline.texts import byte_size, count
from stages.commands.census import census, gaps, lacking
from stages.pose.zoo import cache_folder
from stages.tables import CLIPS, FRAMES


class Finding(NamedTuple):
    """One line of the examination."""

    what: str
    verdict: Literal["ok", "missing", "absent", "note"]
    """``missing``: must be fixed. ``absent``: not needed here. ``note``: good to know."""
    detail: str


def examine(path: Path | None = None, settings: Sequence[str] = ()) -> Iterator[Finding]:
    """Findings about the installation, then about the manifest at ``path`` with these settings (``NAME=VALUE``)."""
    yield Finding("Python", "ok", f"{platform.python_version()} in {sys.prefix}")
    yield from _packages()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("CPU cores", "ok", f"{usable} usable")
    yield Finding("memory", "ok", byte_size(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    yield _gpu()
    yield from _downloaded_weights()
    if path is not None:
        yield from _manifest(path, settings)


def examine_cluster(address: str, path: Path | None = None, settings: Sequence[str] = ()) -> list[Node]:
    """What the machines of a Ray cluster lack, for any work or for all stages of a manifest that can be planned.

    Raises StageError if the cluster does not answer.
    """
    plan = None
    if path is not None:
        with suppress(PipelineError):  # which is one of the other findings
            plan = plan_run(load_manifest(path, settings))
    with ray_session(address, own_modules(plan) if plan else ()):
        return examine_nodes(plan, only_todo=False)


def _packages() -> Iterator[Finding]:
    """The distribution's requirements: one line for all that are installed, and one for each that is not."""
    found, absent, optional = [], {}, extras()
    for requirement in importlib.metadata.requires(DISTRIBUTION) or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if name == DISTRIBUTION or ("extra ==" in requirement and name not in optional):
            continue
        version = _version(name)
        if version:
            found.append(f"{name} {version}")
        elif name in optional:
            absent[name] = f"optional: pip install '{DISTRIBUTION}[{optional[name]}]'"
        else:
            yield Finding(name, "missing", f"pip install '{requirement}'")
    yield Finding("packages", "ok", ", ".join(dict.fromkeys(found)))
    for name, remedy in absent.items():
        yield Finding(name, "absent", remedy)


def _gpu() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("GPU", "absent", f"unknown: PyTorch does not import: {error}")
    if not torch.cuda.is_available():
        return Finding("GPU", "absent", "none that PyTorch can use; everything runs on the CPU")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Finding("GPU", "ok", ", ".join(names))


def _downloaded_weights() -> Iterator[Finding]:
    """Weights that stages have downloaded to torch's hub folder."""
    folder = cache_folder()
    files = sorted(file for file in folder.glob("*") if file.is_file()) if folder.is_dir() else []
    for file in files:
        yield Finding("weights", "ok", f"{file.name} ({byte_size(file.stat().st_size)})")
    if not files:
        yield Finding("weights", "absent", f"none downloaded to {folder}; stages download what they need")


def _manifest(path: Path, settings: Sequence[str]) -> Iterator[Finding]:
    try:
        manifest = load_manifest(path, settings)
        graph = build_graph(manifest)
    except PipelineError as error:
        for line in str(error).splitlines():
            yield Finding("manifest", "missing", line)
        return
    yield Finding("manifest", "ok", f"{path}: {len(graph.nodes)} stages")
    yield _disk(manifest)
    for spec in manifest.stages:
        for name, text in _texts(spec.parameters):
            yield from _needed_packages(f"{spec.name}.{name}", text)
    for node in graph.nodes.values():
        try:
            absent = [file for file in node.stage.files() if isinstance(file, Path) and not file.exists()]
        except PipelineError as error:
            yield Finding(node.name, "missing", str(error))
            continue
        for file in absent:
            yield Finding(node.name, "missing", f"no such file: {file}")
    yield from _stages(manifest, graph)


def _stages(manifest: Manifest, graph: Graph) -> Iterator[Finding]:
    """What the stages report about the data, their parameters, and what they would download."""
    try:
        plan = plan_run(manifest)
    except PipelineError as error:
        for line in str(error).splitlines():
            yield Finding("manifest", "missing", line)
        unknown = CLIPS.schema.empty_table()  # without an index, look for everything that may be needed
        found = [Found(node.name, one) for node in graph.nodes.values() for one in node.stage.prepare(unknown, False)]
    else:
        for name, clips in plan.sources.items():
            yield Finding(name, "ok", f"{count(len(clips), 'clip')}")
            source = plan.nodes[name].node.stage
            if isinstance(source, Source) and source.makes is CLIPS:
                reads_videos = any(node.stage.makes is FRAMES for node in graph.nodes.values())
                yield from (Finding(name, "ok", text) for text in census(clips.table, source.published(), reads_videos))
                yield from (Finding(name, "note", text) for text in gaps(clips.table, reads_videos))
                lack, total = lacking(clips.table, reads_videos), len(clips)
                if too_many(lack, total, manifest.max_failed):
                    allowed = f"max_failed ({manifest.max_failed:.0%}) allows"
                    yield Finding(name, "missing", f"{lack:,} of {total:,} clips lack their file, more than {allowed}")
        found = [*check(plan, only_todo=False), *prepare(plan, fetch=False, only_todo=False)]
    for one in found:
        yield Finding(one.node, "missing" if one.problem.fatal else "note", one.text)


def _disk(manifest: Manifest) -> Finding:
    if "://" in manifest.store:
        return Finding("store", "ok", manifest.store)
    folder = Path(manifest.store).absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return Finding("store", "ok", f"{manifest.store}: {byte_size(shutil.disk_usage(existing).free)} free")


def _needed_packages(where: str, text: str) -> Iterator[Finding]:
    """Missing packages that a parameter's value needs. An extra is named after the value that needs it."""
    for package, extra in extras().items():
        if text == extra and not _version(package):
            yield Finding(where, "missing", f"'{text}' needs {package}: pip install '{DISTRIBUTION}[{extra}]'")


def _texts(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """All strings among parameters, with their dotted names."""
    if isinstance(values, str):
        yield name, values
    elif isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from _texts(value, f"{name}.{key}".lstrip("."))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
