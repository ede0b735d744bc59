"""The base of every value that travels through the engine."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """An immutable value; unknown fields are errors and nothing is coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
