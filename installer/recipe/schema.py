"""The recipe's JSON Schema, for editors that complete and check while one types."""

from __future__ import annotations

import json
from typing import Any

from installer.recipe.model import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a recipe; rules across keys are not in it."""
    return {"$schema": DIALECT, **Recipe.model_json_schema(by_alias=True), "title": "zroot recipe"}


def as_text() -> str:
    """Return the JSON Schema as text."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
