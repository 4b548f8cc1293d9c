"""Runs legs two at a time, says how they go, and sums up."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from toolchain import debian, environments, interpreters
from toolchain.environments import ENVIRONMENTS
from toolchain.interpreters import text
from toolchain.job import PROCESSES, Counts, Job, Stopped
from toolchain.legs import Leg
from toolchain.places import BUILD, CI, LOGS, ROOT, Failure, say

AT_ONCE = 2
TAIL_LINES = 60


@dataclass(frozen=True)
class Result:
    leg: Leg
    counts: Counts
    seconds: float
    remark: str = ""

    @property
    def good(self) -> bool:
        return self.counts.failed == 0


def _tail(job: Job) -> str:
    lines = job.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    | {line}" for line in lines[-TAIL_LINES:])


def _run_leg(leg: Leg) -> Result:
    say(f"start   {leg.name}: {leg.about}")
    job = Job(leg.name, ENVIRONMENTS[leg.environment])
    job.log.unlink(missing_ok=True)
    job.note(f"{leg.name}: {leg.about}")
    try:
        leg.run(job)
    except Stopped as stopped:
        job.note(str(stopped))
        job.count(False)
    if job.counts == Counts():
        job.note("the leg ended without a single check")
        job.count(False)
    result = Result(leg, job.counts, time.monotonic() - job.started)
    say(f"{'passed ' if result.good else 'FAILED '} {leg.name} in {result.seconds:.0f} s: {result.counts}")
    if not result.good:
        say(f"{_tail(job)}\n    the whole log: {job.log.relative_to(ROOT)}")
    return result


def _run_all(legs: list[Leg]) -> list[Result]:
    """Two at a time, in the table's order, but never two that share a folder or a fixture."""
    waiting, results = list(legs), []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: dict[Future[Result], Leg] = {}
        try:
            while waiting or running:
                busy = {name for leg in running.values() for name in leg.alone_with}
                for leg in list(waiting):
                    if len(running) < AT_ONCE and not busy.intersection(leg.alone_with):
                        waiting.remove(leg)
                        running[pool.submit(_run_leg, leg)] = leg
                        busy.update(leg.alone_with)
                done, _pending = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    del running[future]
                    results.append(future.result())
        except BaseException:
            waiting.clear()
            PROCESSES.end_all()
            raise
    return results


def _choose(legs: list[Leg], names: list[str]) -> list[Leg]:
    known = {leg.name for leg in legs}
    if unknown := [name for name in names if name not in known]:
        raise Failure(f"no such leg: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [leg for leg in legs if not names or leg.name in names]


def _lacking(leg: Leg) -> str:
    """Which interpreters the leg cannot do without, or under CI must not do without, are not here."""
    choices = ENVIRONMENTS[leg.environment].pythons
    lacking = [] if set(choices) & set(interpreters.found()) else [" or ".join(map(text, choices))]
    if CI:
        lacking += [text(version) for version in leg.also if version not in interpreters.found()]
    return ", ".join(lacking)


def _build_environments(legs: list[Leg]) -> None:
    """Each folder once (two environments may share one), two at a time."""
    wanted = {ENVIRONMENTS[leg.environment].folder: ENVIRONMENTS[leg.environment] for leg in legs}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for future in [pool.submit(environments.build, environment) for environment in wanted.values()]:
            future.result()


def _sum_up(results: list[Result], seconds: float) -> int:
    total = Counts()
    width = max(len(result.leg.name) for result in results)
    say(f"\n{'leg':{width}}  {'passed':>6}  {'failed':>6}  {'skipped':>7}  {'seconds':>7}")
    for result in results:
        counts = result.counts
        total.add(counts)
        row = f"{result.leg.name:{width}}  {counts.passed:6}  {counts.failed:6}  {counts.skipped:7}"
        say(f"{row}  {result.seconds:7.0f}  {result.remark or ('' if result.good else 'FAILED')}".rstrip())
    (BUILD / "summary").write_text(f"{total}\n", encoding="utf-8")
    say(f"logs: {LOGS.relative_to(ROOT)}/, time: {seconds:.0f} s\n{total}")
    return 1 if total.failed else 0


def run(legs: list[Leg], names: list[str], *, install: bool) -> int:
    """Run the legs (of these names, if there are any); the exit code for make.

    A leg whose interpreter is missing is skipped, and says so twice; under CI it has failed.

    Raises:
        Failure: Nothing could be run: an unknown name, an environment that cannot be built.
    """
    start = time.monotonic()
    chosen = _choose(legs, names)
    if install:
        debian.ensure(package for leg in chosen for package in leg.packages)
    (BUILD / "summary").unlink(missing_ok=True)
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    (BUILD / "junit").mkdir(exist_ok=True)
    runnable, results = [], []
    for leg in chosen:
        if lacking := _lacking(leg):
            remark = f"{'FAILED' if CI else 'SKIPPED'}: no Python {lacking}"
            say(f"{leg.name} {remark}")
            results.append(Result(leg, Counts(failed=1) if CI else Counts(skipped=1), 0, remark))
        else:
            runnable.append(leg)
    _build_environments(runnable)
    results += _run_all(runnable)
    order = {leg: place for place, leg in enumerate(legs)}
    return _sum_up(sorted(results, key=lambda result: order[result.leg]), time.monotonic() - start)
