"""Hooks of the board."""


def process_request(request: object) -> dict[str, str]:
    """What the session knows of its request."""
    return {"colour": request.arguments.get("colour", [b"none"])[0].decode()}
