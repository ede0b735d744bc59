"""Sizes with units."""

from __future__ import annotations

import re
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

UNITS = {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
PATTERN = re.compile(r"^(\d+)([BKMGT])(?:iB)?$")


class Size(int):
    """A number of bytes, written with a binary unit: `512M`, `1G`, `4TiB`; a bare number has no unit and is refused."""

    @classmethod
    def parse(cls, value: object) -> Size:
        """Read a size; raises ValueError with the remedy."""
        if isinstance(value, Size):
            return value
        match = PATTERN.match(value) if isinstance(value, str) else None
        if not match:
            raise ValueError('a size is a whole number with a unit, in quotes: "512M", "1G", "2T"')
        return cls(int(match[1]) * UNITS[match[2]])

    def __str__(self) -> str:
        """Write it with the largest unit that divides it."""
        unit = max((u for u in UNITS if self % UNITS[u] == 0), key=UNITS.__getitem__) if self else "B"
        return f"{int(self) // UNITS[unit]}{unit}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^\d+[BKMGT](iB)?$", "examples": ["512M", "1G"]}
