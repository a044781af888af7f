"""A made class, for `report --similar`: honest work, copies, disguised copies, and honest work that looks alike.

Honest learners take the reference's answer, a known right one or a known wrong one for each task, popular ones more
often; they have habits of naming, spacing and commenting, and answer in words of their own, quoting the lecture now and
then. All of it follows from a seed.
"""

import random
import re
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # behind the reference, where tests import this
from grading.classroom.similar import Work  # noqa: E402
from grading.content import known_answers  # noqa: E402
from grading.content.overlay import blanks  # noqa: E402
from grading.content.tasks import MODULES, QUESTIONS, tasks_of  # noqa: E402

NAMES = {  # what learners call what the reference calls so
    "sigma": ("std", "sigma", "s", "stddev", "sd"),
    "per_pixel": ("nll", "per_pixel", "bce", "loss", "rec", "recon"),
    "log_weights": ("log_w", "log_weights", "lw", "w"),
    "total": ("total", "out", "result", "res", "acc"),
    "mean": ("mean", "m", "avg"),
    "var": ("var", "variance", "v"),
    "x_hat": ("x_hat", "xhat", "recon_x", "y"),
    "z": ("z", "zs", "code"),
}
COMMENTS = (
    "# standard deviation", "# sum over dimensions", "# mean over the batch", "# see the lecture", "# KL term",
    "# reparameterization trick", "# negative log likelihood", "# as in the paper", "# shape (B,)", "# here it comes",
)  # fmt: skip
OWN = """so that gradient flows noise because lecture formula checked twice tensor batch why works careful sign minus
half first then finally scale shift trick hmm slide exercise board TA said otherwise nan broadcasting""".split()
SYNONYMS = {
    "the": ("the", "this", "that"),
    "because": ("because", "since"),
    "must": ("must", "has to"),
    "on": ("on", "in"),
}
QUOTE = "The evidence lower bound is the expected log likelihood minus the divergence from the prior, as we heard."
TALK = """I think that|the encoder|the decoder|the prior|the posterior|a larger variance|a smaller loss|the noise|cannot
must|will|should|would not|learn|ignore|reconstruct|collapse onto|approximate|depend on|compress|blur|each image
every latent|most pixels|the code|the batch|its gradient|the bound|the data|because|although|whenever|unless
so that|which means that|in the end
on average|for small beta|by far""".replace("\n", "|").split("|")  # honest sentences are made of these


@dataclass
class Made:
    works: list[Work]
    copies: set[frozenset[str]]
    disguised: set[frozenset[str]]
    alike: set[frozenset[str]]  # honest


def renamed(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\b[A-Za-z_]\w*\b", lambda word: names.get(word[0], word[0]), text)


def choice(rng: random.Random, task: str, wrong: float = 0.25) -> tuple[str, str]:
    """A text of the task's region, and what is said of it where it is wrong."""
    kind = "wrong" if rng.random() < wrong else "right"
    known = known_answers.answers(kind)[task]
    weights = [1 / (i + 1) for i in range(len(known))]
    if kind == "right" and rng.random() < 0.6 or not known:
        return "", ""
    entry = rng.choices(known, weights)[0]
    return entry["id"], entry["says"] if kind == "wrong" else ""


def written(rng: random.Random, sentences: int = 5) -> str:
    """An answer in words of her own; one in ten quotes the lecture."""
    made = [" ".join(rng.choice(TALK) for _ in range(rng.randint(5, 9))).capitalize() + "." for _ in range(sentences)]
    return " ".join([QUOTE, *made] if rng.random() < 0.1 else made)


def honest(rng: random.Random, student: str, lab: str, plain: bool = False) -> Work:
    text = known_answers.solution(MODULES[lab]).read_text(encoding="utf-8")
    names = {name: rng.choice(known) for name, known in NAMES.items()}
    mistakes = {}
    for task in tasks_of(lab):
        id, says = ("", "") if plain else choice(rng, task)
        entry = next(
            (e for kind in ("right", "wrong") for e in known_answers.answers(kind)[task] if e["id"] == id), None
        )
        try:
            changed = known_answers.changed(text, entry) if entry else text
        except ValueError:
            changed = text
        begin, end = f"# BEGIN SOLUTION {task}\n", "# END SOLUTION"
        before, rest = changed.split(begin, 1)
        region, after = rest.split(end, 1)
        rows = renamed(region, names).splitlines()
        if not plain and rng.random() < 0.35:
            own = "# " + " ".join(rng.sample(OWN, rng.randint(3, 6)))
            indent = re.match(r"\s*", rows[0])[0]
            rows.insert(0, indent + (own if rng.random() < 0.5 else rng.choice(COMMENTS)))
        if not plain and rng.random() < 0.2:
            rows = [re.sub(r" ([*/]) ", r"\1", row) for row in rows]
        text = before + begin + "\n".join(rows) + "\n" + end + after
        mistakes |= {task: says} if says else {}
    text = re.sub(r"^ *# (BEGIN|END) SOLUTION.*\n|^ *# END SOLUTION\n", "", text, flags=re.MULTILINE)
    questions = [name for name, row in QUESTIONS.items() if row["lab"] == lab]
    return Work(student, text, {question: written(rng) for question in questions}, mistakes)


def copied(work: Work, student: str) -> Work:
    return Work(student, f"# {student}\n{work.module}", dict(work.answers), dict(work.mistakes))


def released(lab: str) -> list[str]:
    return blanks()[ROOT / f"starter/{MODULES[lab]}.py"].splitlines()


def disguised(rng: random.Random, work: Work, student: str, lab: str) -> Work:
    """Other names, no comments, other spacing; sentences of answers in another order, words exchanged and left out."""
    names = {one: rng.choice(known) + rng.choice(("", "_", "2")) for known in NAMES.values() for one in known}
    given, rows = {*released(lab)}, []
    own = [row for row in work.module.splitlines() if row not in given]
    locals_ = {name for row in own for name in re.findall(r"^\s*(\w+) =", row)}
    names = {old: new for old, new in names.items() if old in locals_}
    for row in work.module.splitlines():
        if row in given:
            rows.append(row)
        elif not row.strip().startswith("#"):
            rows.append(renamed(re.sub(r" ([*+]) ", r"\1", row), names))
    text = "\n".join(rows)
    answers = {}
    for question, answer in work.answers.items():
        sentences = re.split(r"(?<=\.) ", answer)
        rng.shuffle(sentences)
        words = [rng.choice(SYNONYMS.get(word, (word,))) for word in " ".join(sentences).split()]
        answers[question] = " ".join(word for i, word in enumerate(words) if (i + 1) % 9)
    return Work(student, text, answers, dict(work.mistakes))


def made_class(size: int = 300, each: int = 15, lab: str = "02_vae", seed: int = 0) -> Made:
    """Of `size` learners: `each` copies, disguised copies, and pairs of honest ones that look alike."""
    rng = random.Random(seed)
    names = [f"s{i:03}" for i in range(size)]
    works = [honest(rng, name, lab) for name in names[: size - 4 * each]]
    rest = iter(names[size - 4 * each :])
    sources = rng.sample(range(len(works)), 2 * each)
    made = Made(works, set(), set(), set())
    for source in sources[:each]:
        works.append(copied(works[source], next(rest)))
        made.copies.add(frozenset((works[source].student, works[-1].student)))
    for source in sources[each:]:
        works.append(disguised(rng, works[source], next(rest), lab))
        made.disguised.add(frozenset((works[source].student, works[-1].student)))
    for _ in range(each):  # both have the reference's answers, and quote the same lecture
        pair = [honest(rng, next(rest), lab, plain=True) for _ in range(2)]
        works += [Work(p.student, p.module, {q: f"{QUOTE} {a}" for q, a in p.answers.items()}, {}) for p in pair]
        made.alike.add(frozenset(p.student for p in pair))
    rng.shuffle(works)
    return made


def main() -> None:
    from grading.classroom.similar import pairs
    from grading.classroom.similar_page import of_course

    for lab in ("02_vae", "07_gan"):
        for code_only in (False, True):
            count = Counter[str]()
            for seed in range(3):
                made = made_class(lab=lab, seed=seed)
                works = [replace(work, answers={}) for work in made.works] if code_only else made.works
                found = {frozenset((pair.first, pair.second)) for pair in pairs(works, of_course(lab))}
                planted = {"copies": made.copies, "disguised": made.disguised, "honest alike": made.alike}
                for name, those in planted.items():
                    count[name] += len(found & those)
                count["other pairs"] += len(found - made.copies - made.disguised - made.alike)
            print(f"{lab}, {'code alone' if code_only else 'code and answers'}: {dict(count)}; 45 planted of each")


if __name__ == "__main__":
    main()
