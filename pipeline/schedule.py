"""Runs the tasks of a plan, each as soon as its inputs exist, and handles workers that die."""

import heapq
import math
import socket
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from pipeline.answers import answer
from pipeline.content import content_key, same_rows
from pipeline.errors import DamagedResultError, MissingResultError, PipelineError, StageError, UnreadableError
from pipeline.events import EventLog
from pipeline.executor import Executor, WorkerDied
from pipeline.failures import find_failures, too_many
from pipeline.jobs import Job, Outcome, WholeJob, do_whole
from pipeline.logs import keep_printed
from pipeline.output import overheard
from pipeline.plan import Plan
from pipeline.stage import MapStage, WholeStage
from pipeline.store import ARRIVAL
from pipeline.texts import count
from pipeline.writers import writer_name

Task = tuple[str, int]

DEATHS = 2
"""After this many deaths of its worker, a partition is processed clip by clip."""
DEATHS_BEFORE_ANY_CLIP = 3
DEATHS_OF_A_WHOLE_STAGE = 3
LOST_NODES = 10
UNREADABLE_IN_A_ROW = 8
"""After this many partitions of a stage that cannot be read, one after the other, the stage has failed."""
LAST_WORDS = 10.0
"""Seconds in which machines answer, at the end, what workers that died there have printed."""
PRINTED = 200_000_000
"""Bytes on the disk, after which what else is printed in a run is not kept."""
SHARED_STORE = "set store to a folder or URL that is the same on all machines (--set store=...)"


class Schedule:
    """One pass over a plan's tasks.

    A map task waits only for the tasks that make its partition's inputs. Whole stages start when no map task is ready,
    and those that need no other stage before all map tasks: side by side if the executor has room, otherwise one at a
    time in this process, while nothing else runs.
    """

    def __init__(self, plan: Plan, executor: Executor, log: EventLog, folder: Path, max_failed: float) -> None:
        self.plan, self.executor, self.log, self.folder, self.max_failed = plan, executor, log, folder, max_failed
        self.computed: Counter[str] = Counter()
        """How many tasks of each node have been computed."""
        self.errors: list[str] = []
        self.damaged: list[str] = []
        """Results that could not be read. What needs them has not been computed, and is not an error."""
        self.same: set[str] = set()
        """Keys whose results turned out to be the same as older ones: what depends on them needs another plan."""
        self._row_digests: dict[str, dict[str, str]] = {}
        self.blocked: dict[str, str] = {}
        """Nodes that cannot be computed, each with the node whose failure is the cause."""
        self._position = {task: position for position, task in enumerate(plan.tasks)}
        self._dependents: dict[Task, list[Task]] = {}
        self._missing = {task: self._count_needs(task) for task in plan.tasks}
        self._ready = [position for task, position in self._position.items() if not self._missing[task]]
        heapq.heapify(self._ready)
        self._running: dict[str, Task] = {}
        self._token = writer_name()
        self._deaths: dict[Task, int] = {}
        self._lost: dict[Task, int] = {}
        self._at_once = math.inf
        """How many jobs may run at a time: fewer each time that the memory does not suffice for them."""
        self._begun_with: dict[Task, float] = {}
        """How many might run at a time when a task was last submitted."""
        self._again: list[tuple[Task, Job | WholeJob]] = []
        """Jobs that wait until fewer others run."""
        self._suspects: set[tuple[str, str]] = set()
        """(key, clip) that have run out of memory once, alone."""
        self._unreadable: dict[str, list[str]] = {}
        """By node, the errors of partitions whose files could not be read. They are not computed, others are."""
        self._printed = 0
        """Bytes of what was printed."""
        self._here = socket.gethostname()
        self._hosts: set[str] = set()
        """Machines whose results have been found in the store."""
        self._in_a_row: dict[str, int] = {}
        """By node, how many of its partitions could not be read since the last one that could."""

    def run(self) -> None:
        """Compute all tasks that can be computed. For all others, see ``errors`` and ``blocked``."""
        while self._ready or self._running or self._again:
            self._fill()
            if self._running:
                for job, result in self.executor.wait(1.0):
                    task = self._running.pop(job.key)
                    if isinstance(result, Exception):
                        self._job_failed(task, result)
                    if isinstance(result, Outcome):
                        if self._is_stored(task, result):
                            self.computed[task[0]] += 1
                            self._finished(task, result)
                    elif isinstance(result, WorkerDied):
                        self._worker_died(task, job, result)
                    elif isinstance(result, MissingResultError) and self.plan.store.has_arrived(result.path, ()):
                        text = f"{result.path} is here, but not on a machine that needs it: {SHARED_STORE}"
                        self._stage_failed(task[0], StageError(text))
                    elif isinstance(result, DamagedResultError):
                        self.damaged.append(result.path)
                    elif isinstance(result, UnreadableError) and isinstance(job, Job):
                        self._partition_failed(task, result)
                    else:
                        self._stage_failed(task[0], result)
                self._keep_printed()
            elif self._ready:
                self._run_whole(self.plan.tasks[heapq.heappop(self._ready)])
        self._keep_printed(LAST_WORDS)
        for name, errors in self._unreadable.items():
            if name not in self.blocked:
                self.errors.append(f"{name}: {count(len(errors), 'partition')} could not be computed: {errors[0]}")

    def _keep_printed(self, wait: float = 0.0) -> None:
        for key, printed in self.executor.take_printed(wait):
            if self._printed < PRINTED:
                self._printed += max(len(printed.text), 4096)  # the least that a file takes
                keep_printed(self.folder, key, printed)

    def _count_needs(self, task: Task) -> int:
        name, i = task
        keys: list[str] = []
        for need in map(self.plan.nodes.__getitem__, self.plan.nodes[name].node.needs):
            keys += [need.keys[i]] if need.node.kind == "map" and not self._is_whole(name) else need.keys
        needs = {self.plan.task_of[key] for key in keys if key in self.plan.task_of}
        for need_task in needs:
            self._dependents.setdefault(need_task, []).append(task)
        return len(needs)

    def _is_whole(self, name: str) -> bool:
        return self.plan.nodes[name].node.kind == "whole"

    def _fill(self) -> None:
        """Give ready tasks to the executor while it has slots, in the plan's order."""
        slots = min(self.executor.slots(), self._at_once)
        while self._again and len(self._running) < slots:
            task, waiting = self._again.pop(0)
            if task[0] not in self.blocked:
                self._submit(task, waiting)
        while self._ready and len(self._running) < slots:
            name, i = task = self.plan.tasks[self._ready[0]]
            if self._is_whole(name) and not self._has_room(name):
                return
            heapq.heappop(self._ready)
            if name in self.blocked:
                continue
            if not self._is_whole(name):
                self._submit(task, self._job(name, i))
            elif (job := self._whole_job(task)) is not None:
                self._submit(task, job)

    def _has_room(self, name: str) -> bool:
        worker = cast(WholeStage, self.plan.nodes[name].node.stage).resources()
        return worker is not None and self.executor.has_room(worker)

    def _job(self, name: str, i: int) -> Job:
        plan, store = self.plan.nodes[name], self.plan.store
        needs = {table: self.plan.nodes[need] for table, (need,) in plan.node.inputs.items()}
        return Job(
            node=name,
            stage=cast(MapStage, plan.node.stage),
            store=store.url,
            folder=plan.folder,
            key=plan.keys[i],
            clips=plan.clips_of(i),
            token=self._token,
            files=plan.identity["files"],
            inputs={table: need.path(store, i) for table, need in needs.items() if need.node.kind == "map"},
            whole_inputs={table: need.path(store) for table, need in needs.items() if need.node.kind == "whole"},
        )

    def _whole_job(self, task: Task) -> WholeJob | None:
        """None if there is nothing left to do, or if the stage has failed."""
        name = task[0]
        plan, store = self.plan.nodes[name], self.plan.store
        if plan.keys[0] in store.keys(plan.folder):
            self._finished(task, Outcome(0, (), 0, 0.0))  # another run has computed it since the plan was made
            return None
        try:
            self._check_failed_share(name)
            if self._is_known_by_content(task):
                self._finished(task, Outcome(0, (), 0, 0.0))
                return None
            folder = self.folder.absolute() / "work" / f"{name}-{plan.keys[0][:12]}"
            folder.mkdir(parents=True, exist_ok=True)
            stage, variants = cast(WholeStage, plan.node.stage), self.plan.variants(name)
        except DamagedResultError as error:
            self.damaged.append(error.path)
            return None
        except Exception as error:
            self._stage_failed(name, error)
            return None
        return WholeJob(name, stage, store.url, plan.folder, plan.keys[0], variants, folder, plan.identity["files"])

    def _is_known_by_content(self, task: Task) -> bool:
        """Whether a whole stage has been given the same before, although its inputs were made in another way."""
        plan, store = self.plan.nodes[task[0]], self.plan.store
        content = content_key(self.plan, task[0], self._row_digests)
        if content is None:
            return False
        older = None if plan.forced else store.key_with_content(content)
        if older and older != plan.keys[0] and older in store.keys(plan.folder):
            self._note_same(task, older, "what it looks at is as before, and so is its result")
            return True
        store.record_content(content, plan.keys[0])  # counts once there is a result of this key
        return False

    def _retried_in_vain(self, task: Task) -> bool:
        """Whether a retried partition has the same rows as before, most often since its clips failed again."""
        name, i = task
        plan, store = self.plan.nodes[name], self.plan.store
        older = plan.before_retry.get(i)
        if older is None or older == plan.keys[i]:
            return False
        try:
            same = same_rows(store, store.path(plan.folder, older), plan.path(store, i))
        except DamagedResultError:
            return False
        if same:
            self._note_same(task, older, f"partition {i + 1} was tried again to the same result")
        return same

    def _note_same(self, task: Task, older: str, text: str) -> None:
        key = self.plan.nodes[task[0]].keys[task[1]]
        self.plan.store.record_same(key, older)
        self.same.add(key)
        self.log.emit("noted", stage=task[0], text=text)

    def _submit(self, task: Task, job: Job | WholeJob) -> None:
        name, i = task
        clips = 0 if isinstance(job, WholeJob) else job.clips.num_rows
        self.log.emit("started", stage=name, partition=i, key=job.key, clips=clips)
        try:
            if isinstance(job, WholeJob):
                self.executor.submit_whole(job, self._progress_of(name))
            else:
                self.executor.submit(job)
        except StageError as error:
            self._stage_failed(name, error)
        else:
            self._running[job.key] = task
            self._begun_with[task] = self._at_once

    def _is_stored(self, task: Task, outcome: Outcome) -> bool:
        """Whether the result of a job is really in the store. If not, the stage has failed."""
        name, i = task
        store, path = self.plan.store, self.plan.nodes[name].path(self.plan.store, i)
        if not store.is_local and outcome.host in self._hosts:
            return True  # to ask a service about every result would take longer than to make it
        if store.has_arrived(path, () if name in self.blocked else ARRIVAL):
            self._hosts.add(outcome.host)
            return True
        error = f"{outcome.host} has written {path}, but it is not here: {SHARED_STORE}"
        self._stage_failed(name, StageError(error))
        return False

    def _finished(self, task: Task, outcome: Outcome) -> None:
        name, i = task
        self._in_a_row[name] = 0
        for text in outcome.overcome:
            self.log.emit("noted", stage=name, text=text)
        elsewhere = {} if outcome.host == self._here else {"host": outcome.host}
        self.log.emit(
            "finished",
            stage=name,
            partition=i,
            key=self.plan.nodes[name].keys[i],
            seconds=round(outcome.seconds, 3),
            clips=outcome.clips,
            bytes=outcome.bytes,
            failed=len(outcome.failed),
            failures=outcome.failed,
            **elsewhere,
        )
        if self.plan.nodes[name].keys[i] in self.same or self._retried_in_vain(task):
            return
        for dependent in self._dependents.pop(task, ()):
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                heapq.heappush(self._ready, self._position[dependent])

    def _worker_died(self, task: Task, job: Job | WholeJob, death: WorkerDied) -> None:
        """Try again; after two deaths, clip by clip. A clip that kills its worker becomes an error row. A training
        resumes from its checkpoint."""
        how = "crashed"
        if death.node_lost:
            how = "was lost with its machine"
        elif death.out_of_memory:
            how = "was killed, or ran out of memory"
        self.log.emit("worker_died", stage=task[0], partition=task[1], key=job.key, how=how)
        if death.out_of_memory and self._fewer_at_once(task, job):
            return
        if death.node_lost:
            self._lost[task] = self._lost.get(task, 0) + 1
            if self._lost[task] >= LOST_NODES:
                self._stage_failed(task[0], StageError(f"lost {LOST_NODES} machines during the same work"))
                return
        elif isinstance(job, WholeJob):
            self._deaths[task] = self._deaths.get(task, 0) + 1
            if self._deaths[task] >= DEATHS_OF_A_WHOLE_STAGE:
                error = f"its process died {DEATHS_OF_A_WHOLE_STAGE} times (out of memory, or a crash in native code?)"
                self._stage_failed(task[0], StageError(error))
                return
        elif job.one_by_one and (culprit := self._caught(job)):
            suspect = (job.key, culprit[0])
            if not death.out_of_memory or suspect in self._suspects:
                job = job.without(*culprit)
            self._suspects.add(suspect)  # another program may have needed the memory for the moment
        else:
            self._deaths[task] = self._deaths.get(task, 0) + 1
            if self._deaths[task] >= DEATHS + DEATHS_BEFORE_ANY_CLIP:
                error = "its worker dies before it reaches the first clip (out of memory, or a broken installation?)"
                self._stage_failed(task[0], StageError(error))
                return
            job = replace(job, one_by_one=self._deaths[task] >= DEATHS)
        one_by_one = isinstance(job, Job) and job.one_by_one
        self.log.emit("retried", stage=task[0], partition=task[1], key=job.key, one_by_one=one_by_one)
        self._submit(task, job)

    def _fewer_at_once(self, task: Task, job: Job | WholeJob) -> bool:
        """Try a job again for which there was too little memory, with half as many at a time. False: it ran alone."""
        if self._begun_with[task] == self._at_once:  # otherwise, there are fewer since it began
            now = min(self._at_once, self.executor.slots() / 2)  # half of the slots only wait for a core
            if now <= 1:
                return False
            self._at_once = max(1, now // 2)
            self.executor.rest()  # models that idle workers keep
            text = f"a worker ran out of memory; from now on, {count(int(self._at_once), 'job')} at a time"
            self.log.emit("noted", stage=task[0], text=text)
        self._again.append((task, job))
        self.log.emit("retried", stage=task[0], partition=task[1], key=job.key, one_by_one=False)
        return True

    def _caught(self, job: Job) -> tuple[str, str] | None:
        """The clip on which the worker died, from its journal, with the text of its error."""
        note = self.plan.store.read_note(job.journal)
        if note is None:
            return None
        self.plan.store.remove_note(job.journal)
        began, _, clip_id = note.partition(" ")
        limit = job.stage.seconds_per_clip()
        if time.time() - float(began) >= limit:
            return clip_id, f"took longer than {limit:g} s"
        return clip_id, "crashed its worker process (native code failed, or out of memory)"

    def _run_whole(self, task: Task) -> None:
        """Run a whole stage in this process."""
        name = task[0]
        if name in self.blocked or (job := self._whole_job(task)) is None:
            return
        self.log.emit("started", stage=name, partition=0, key=job.key, clips=0)
        self.executor.rest()
        result, printed = answer(name, lambda: do_whole(job, self._progress_of(name)), overheard())
        if printed is not None:
            keep_printed(self.folder, job.key, printed)
        if isinstance(result, Exception):
            self._job_failed(task, result)
        if isinstance(result, DamagedResultError):
            self.damaged.append(result.path)
        elif isinstance(result, Exception):
            self._stage_failed(name, result)
        else:
            self.computed[name] += 1
            self._finished(task, result)

    def _progress_of(self, name: str) -> Callable[..., None]:
        def progress(done: float, total: float, /, **figures: object) -> None:
            self.log.emit("progress", stage=name, done=done, total=total, figures=figures)

        return progress

    def _check_failed_share(self, name: str) -> None:
        """Stop before a whole stage if too many clips have failed for a meaningful result."""
        for source in {variant.source for variant in self.plan.nodes[name].node.variants if variant.source}:
            nodes = {n for n in self.plan.graph.ancestors(name) if self.plan.nodes[n].node.source == source}
            failed = {failure.clip_id for failure in find_failures(self.plan, nodes)}
            total = len(self.plan.sources[source])
            if too_many(len(failed), total, self.max_failed):
                enough = math.ceil(100 * len(failed) / total) / 100
                raise StageError(
                    f"{len(failed)} of {total} clips failed, more than max_failed ({self.max_failed:.0%}) allows: see "
                    "pipeline failures; fix them and run again with --retry-failed, or with --set "
                    f"max_failed={enough:g}"
                )

    def _job_failed(self, task: Task, error: Exception) -> None:
        key = self.plan.nodes[task[0]].keys[task[1]]
        self.log.emit("job_failed", stage=task[0], partition=task[1], key=key, error=_text_of(error))

    def _partition_failed(self, task: Task, error: UnreadableError) -> None:
        """Leave out a partition whose files cannot be read, and all that is made from it. What fails again and again
        is not its files, but the whole disk or network."""
        name, i = task
        self._in_a_row[name] = self._in_a_row.get(name, 0) + 1
        if self._in_a_row[name] >= UNREADABLE_IN_A_ROW:
            self._stage_failed(name, error)
            return
        self._unreadable.setdefault(name, []).append(str(error))
        self.log.emit("noted", stage=name, text=f"partition {i + 1} is left out: {error}")

    def _stage_failed(self, name: str, error: Exception) -> None:
        if name in self.blocked:
            return
        text = _text_of(error)
        self.errors.append(f"{name}: {text}")
        self.log.emit("stage_failed", stage=name, error=text, traceback="".join(traceback.format_exception(error)))
        for failed in self._sharing(name):
            for blocked in (failed, *self.plan.graph.descendants(failed)):
                self.blocked.setdefault(blocked, name)

    def _sharing(self, name: str) -> Iterator[str]:
        """The node, and all others that wait for one of its tasks, because variants may share results."""
        keys = {self.plan.nodes[task_name].keys[i] for task_name, i in self.plan.tasks if task_name == name}
        for other, node_plan in self.plan.nodes.items():
            if other == name or not keys.isdisjoint(node_plan.keys):
                yield other


def _text_of(error: Exception) -> str:
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
