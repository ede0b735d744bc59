"""`make faults`: every fault that zroot must survive, the tests that hold it, and what became of them here.

The faults stand in faults.toml; which test holds which is said by the test's docstring: `fault 24`, and for two of them
`fault 24, fault 25`, so that one search finds every test of a number.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.results import Results, recorded
from tests.vm.full_run import passed

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
FAULTS = Path(__file__).with_name("faults.toml")
NAMED = re.compile(r"\bfault (\d+)\b")
LIKE_ONE = re.compile(r"\bfaults?\b[\s#:_-]*\d+(?:(?:, ?| ?and | ?to | ?or | ?- ?| ?/ ?)+\d+)*", re.IGNORECASE)
NOT_RUN = "not run here"


@dataclass(frozen=True)
class Fault:
    """A line of the table."""

    number: int
    need: str
    words: str
    held: str
    """held, in part or none."""
    why: str
    """What is missing, or why nothing is held."""


def faults() -> list[Fault]:
    """Return every fault by its number."""
    data = tomllib.loads(FAULTS.read_text())
    exceptions = {number: ("in part", why) for number, why in data["in-part"].items()}
    exceptions |= {number: ("none", why) for number, why in data["none"].items()}
    found = [
        Fault(int(number), need, words, *exceptions.pop(number, ("held", "")))
        for number, (need, words) in data["fault"].items()
    ]
    if exceptions:
        raise ValueError(f"no such fault: {', '.join(exceptions)}")
    return sorted(found, key=lambda fault: fault.number)


def docstrings(folder: Path = TESTS) -> Iterator[tuple[str, str]]:
    """Return what every docstring below a folder belongs to, as pytest names it, and the docstring."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(folder.parent)}::{getattr(node, 'name', '')}", text


def misspelt(text: str) -> list[str]:
    """Return what looks like the name of a fault and is not spelt as one search would find it."""
    return [found for found in LIKE_ONE.findall(text) if not NAMED.fullmatch(found)]


def named() -> Mapping[int, Sequence[str]]:
    """Return the tests that hold each fault."""
    found: dict[int, list[str]] = defaultdict(list)
    for name, text in docstrings():
        if "::test_" in name:
            for number in dict.fromkeys(NAMED.findall(text)):
                found[int(number)].append(name)
    return found


class Collector:
    """Asks pytest for the cases of every test."""

    def __init__(self) -> None:
        self.cases: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep their names."""
        for item in items:
            self.cases[item.nodeid.split("[")[0]].append(item.nodeid)


def collected() -> Mapping[str, Sequence[str]]:
    """Return every test's cases."""
    collector = Collector()
    pytest.main(["--collect-only", "-p", "no:terminal", "--rootdir", str(ROOT), str(TESTS)], [collector])
    return collector.cases


def outcome(test: str, cases: Sequence[str], results: Results, on_record: Mapping[str, str]) -> str:
    """Say what became of a test: the cases of each outcome, and a file of the full run where it did not run here."""
    told = Counter(results[case][0] if case in results else NOT_RUN for case in cases)
    if set(told) == {NOT_RUN} and (day := on_record.get(Path(test.split("::", maxsplit=1)[0]).name)):
        return f"{NOT_RUN}, passed in the full run ({day})"
    if len(told) == 1:
        return next(iter(told))
    return ", ".join(f"{number} {words}" for words, number in sorted(told.items()))


def lines() -> Iterator[str]:
    """Return the table."""
    tests, cases, results = named(), collected(), recorded()
    on_record = {name: line.split()[2] for name, line in passed(ROOT).items()}
    total: Counter[str] = Counter()
    for fault in faults():
        told = {test: outcome(test, cases[test], results, on_record) for test in tests.get(fault.number, ())}
        held = "FAILS" if any("failed" in words for words in told.values()) else fault.held
        total[held] += 1
        yield f"{fault.number:3}  {fault.need:5}  {held:7}  {fault.words}"
        if fault.why:
            yield f"{'':20}{'missing' if fault.held == 'in part' else 'because'}: {fault.why}"
        yield from (f"{'':20}{test}: {words}" for test, words in told.items())
    days = sorted(day for _, day in results.values())
    yield ", ".join(f"{number} {held}" for held, number in total.items()) + "."
    yield f"What ran here ran between {days[0]} and {days[-1]}." if days else "Nothing ran here yet: make test-fast."


def main() -> int:
    """Print it."""
    print("\n".join(lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
