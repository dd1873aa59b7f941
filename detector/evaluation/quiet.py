"""Silence about things that no reader of a report can change.

The attack toolbox warns on import that torch is not there, which nothing here needs, and logs that
a surrogate is not trained yet, which is how extraction begins.
"""

import logging
import warnings

TOOLBOX = "art"


def hush() -> None:
    """Keep the attack toolbox quiet in this process; to be called before it is imported."""
    warnings.filterwarnings("ignore", "PyTorch not found", UserWarning)
    logging.getLogger(TOOLBOX).setLevel(logging.ERROR)
