"""What could be planned but not be started from is refused in words; native encryption is not.

recipes/bootable/ has an example for each refusal, laid over the shipped mirror, with its words in the first line.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.errors import Refusals
from installer.plan.build import make_plan
from tests.unit.plans import MIRROR, disk, laid_over_the_mirror, machine, plan, recipe

EXAMPLES = sorted((Path(__file__).parent / "recipes" / "bootable").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_could_not_start_is_refused_and_nothing_else_is_wrong(path: Path) -> None:
    two = machine(disk("sda", serial="SERIAL-A"), disk("sdb", serial="SERIAL-B"))
    with pytest.raises(Refusals) as refused:
        make_plan(laid_over_the_mirror(path), two)
    (problem,) = refused.value.problems
    assert path.read_text().splitlines()[0].removeprefix("# ") in problem.title
    assert problem.hint.endswith((".", ").")), "a refusal says what to do instead"


def test_native_encryption_of_the_root_may_be_planned() -> None:
    """The zfs module of dracut asks for its passphrase once the root pool is imported."""
    body = MIRROR.replace('[crypt.pool]\nover = "partition.pool"\n', "").replace('"crypt.pool"', '"partition.pool"')
    made = plan(recipe(body + '[pool.rpool.encryption]\nsecret = "passphrase"\n'), machine())
    assert made.secrets == ("passphrase", "user-password")
