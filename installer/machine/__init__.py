"""What is there: probed once into frozen models."""
