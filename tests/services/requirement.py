"""What happens when a server that a test needs cannot be had on this machine."""

import os
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where `QUERYWATCH_REQUIRE_SERVICES` asks for every service."""
    if os.environ.get("QUERYWATCH_REQUIRE_SERVICES"):
        pytest.fail(f"{reason} (QUERYWATCH_REQUIRE_SERVICES is set)", pytrace=False)
    pytest.skip(reason)
