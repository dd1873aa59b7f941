"""Where reading a Kafka partition begins, when the stored position may have left the log."""


def first_offset(stored: int | None, low: int, high: int) -> tuple[int, int | None]:
    """Return where to begin in a log that holds `low` to `high`.

    Beside it stands None, or that place again when the log does not hold the stored position:
    records expired, or the topic was made anew.
    """
    if stored is None:
        return low, None
    return (stored, None) if low <= stored <= high else (low, low)
