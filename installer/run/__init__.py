"""Carrying a plan out: the journal, the dialogues with programs, the events that readers follow."""
