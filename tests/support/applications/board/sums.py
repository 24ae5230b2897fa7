"""What the board works out."""


def double(value: float) -> float:
    """Twice as much."""
    return 2 * value
