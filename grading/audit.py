"""Is every wrong answer seen and named, every right one accepted, and is there room between the two?"""

from collections.abc import Iterable
from itertools import combinations

from starter.support import compare, probes

from . import catalogue


def audit(seeds: Iterable[int], tasks: Iterable[str] = tuple(catalogue.TASKS)) -> list[str]:
    """Complaints, one per line; empty when the catalogue and the probes agree on every seed."""
    return [complaint for task in tasks for seed in seeds for complaint in audited(task, seed)]


def audited(task: str, seed: int) -> list[str]:
    reference = catalogue.reference(catalogue.module_of(task))
    tables = catalogue.tables(task, seed)
    want = probes.arrays(task, reference, seed, tables)

    def arrays(kind: str) -> dict[str, compare.Arrays]:
        return {
            entry["id"]: catalogue.observed(task, catalogue.variant(kind, task, i), seed, tables)
            for i, entry in enumerate(catalogue.answers(kind)[task])
        }

    wrong, right = arrays("wrong"), arrays("right")
    near = {name: compare.distance(got, want) for name, got in wrong.items()}
    far = {name: compare.distance(got, want) for name, got in right.items()}
    says = {entry["id"]: entry["says"] for entry in catalogue.answers("wrong")[task]}
    return [
        *[f"{task} seed {seed}: {name} passes ({d:.0e})" for name, d in near.items() if d < 30 * compare.TOLERANCE],
        *[f"{task} seed {seed}: {name} fails ({d:.0e})" for name, d in far.items() if not d <= compare.TOLERANCE / 10],
        *[
            f"{task} seed {seed}: {one} and {other} look alike"
            for one, other in combinations(wrong, 2)
            if says[one] != says[other] and compare.same(wrong[one], wrong[other])
        ],
    ]
