"""What a training loop leaves: the numbers of every step."""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class History:
    """Every named loss term at every step, as plain floats, and what was measured now and then on the way."""

    terms: dict[str, list[float]] = field(default_factory=dict)
    watched: dict[int, dict[str, float]] = field(default_factory=dict)  # step -> scores; see `play`
    seconds: float = 0.0  # of training, without what was measured on the way

    @property
    def steps(self) -> int:
        return len(next(iter(self.terms.values()), []))

    @property
    def first(self) -> str:
        """Name of the first term."""
        return next(iter(self.terms))

    def append(self, terms: NamedTuple) -> None:
        for name, value in terms._asdict().items():
            self.terms.setdefault(name, []).append(value.item())

    def last(self, name: str = "loss", count: int = 20) -> float:
        """Mean of the last `count` values of one term: single batches are noisy."""
        values = self.terms[name][-count:]
        return sum(values) / len(values)

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of one score of `watch`."""
        return list(self.watched), [scores[name] for scores in self.watched.values()]
