"""Every recipe that ships: it can be planned, a person can find it, and its plan is on record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from installer.plan.build import make_plan
from installer.recipe import rules
from installer.recipe.load import load, parse
from installer.recipe.model import Recipe
from tests.unit.plans import GIB, RECIPES, bound, disk, machine

SHIPPED = sorted(RECIPES.glob("*.toml"))
GOLDEN = Path(__file__).parents[1] / "golden"
README = (RECIPES / "README.md").read_text()
WITHOUT_GOLDEN: dict[str, str] = {}
"""Names of recipes whose plan is not on record, and why."""


def without_disks(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"disks": {}})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_recipe_can_be_planned(path: Path) -> None:
    recipe = parse(bound(path))
    rules.require(recipe)
    disks = [disk(f"sd{role}", serial=f"SERIAL-{role.upper()}", size=64 * GIB) for role in recipe.disks]
    where = {"os_mirror": "http://deb.example.org/debian", "security_mirror": "http://deb.example.org/security"}
    assert make_plan(recipe, machine(*disks, **where)).operations


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_recipe_is_in_the_list_and_says_what_it_is(path: Path) -> None:
    assert f"[{path.name}]({path.name})" in README
    first = path.read_text().splitlines()[0]
    assert re.match(r"# \S.*[.:]$", first), first


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_recipe_has_a_plan_on_record_or_says_why_not(path: Path) -> None:
    shipped = without_disks(load(path))
    goldens = [case.parent.name for case in GOLDEN.glob("*/recipe.toml") if without_disks(load(case)) == shipped]
    assert goldens or WITHOUT_GOLDEN.get(path.stem), "add a folder to tests/golden with this recipe and some serials"


def test_the_list_names_no_recipe_that_is_not_there() -> None:
    names = {path.name for path in SHIPPED}
    assert set(re.findall(r"\]\(([a-z0-9-]+\.toml)\)", README)) == names
