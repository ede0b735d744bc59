"""zroot's engine: recipe + machine -> plan -> run -> events."""

__version__ = "0.1.0"
