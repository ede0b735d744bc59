"""zroot's engine: recipe + machine -> plan -> run -> events."""
