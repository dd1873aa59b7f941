"""Events a second of each stage, on one core: `python -m tests.bench`."""
