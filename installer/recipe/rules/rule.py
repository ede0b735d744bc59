"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from installer.errors import Refusal
from installer.recipe.model import Recipe

Find = Callable[[Recipe], Iterable[str]]


@dataclass(frozen=True)
class Rule:
    """A rule across the keys of a recipe."""

    id: str
    reason: str
    """Why: what would go wrong."""
    remedy: str
    find: Find
    """Gives a sentence, beginning with the key, for each place that breaks the rule."""

    def check(self, recipe: Recipe) -> tuple[Refusal, ...]:
        """Return a refusal for each place that breaks the rule."""
        return tuple(Refusal(title, message=self.reason, hint=self.remedy) for title in self.find(recipe))


def rule(*, reason: str, remedy: str) -> Callable[[Find], Rule]:
    """Make a rule of a function; its id is the function's name with hyphens."""

    def made(find: Find) -> Rule:
        return Rule(id=find.__name__.replace("_", "-"), reason=reason, remedy=remedy, find=find)

    return made


def rules_in(module: Mapping[str, object]) -> tuple[Rule, ...]:
    """Return the rules that a module defines, in their order."""
    return tuple(value for value in module.values() if isinstance(value, Rule))
