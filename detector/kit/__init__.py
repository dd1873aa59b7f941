"""Ground floor: clock, errors, metric names, logging. Imports nothing of the project."""
