"""Rules across the keys of a recipe, as data: id, reason, remedy, and a function that finds what breaks it.

tests/unit/recipes/rules/ has an example that violates it for each.
"""

from __future__ import annotations

from installer.errors import Refusal, Refusals
from installer.recipe.model import Recipe
from installer.recipe.rules import boot, disks, nixos, persist, pools, running, stack, system
from installer.recipe.rules.rule import Rule

FIRST: tuple[Rule, ...] = stack.RULES
"""What the others take for granted: that references lead somewhere, and to an end."""
RULES: tuple[Rule, ...] = (
    FIRST + disks.RULES + pools.RULES + boot.RULES + system.RULES + persist.RULES + nixos.RULES + running.RULES
)


def check(recipe: Recipe) -> tuple[Refusal, ...]:
    """Return what breaks a rule; nothing else is looked at while layers do not fit together."""
    return _apply(FIRST, recipe) or _apply(RULES[len(FIRST) :], recipe)


def require(recipe: Recipe) -> None:
    """Raise Refusals if the recipe breaks a rule."""
    if problems := check(recipe):
        raise Refusals(problems)


def _apply(rules: tuple[Rule, ...], recipe: Recipe) -> tuple[Refusal, ...]:
    return tuple(problem for rule in rules for problem in rule.check(recipe))
