"""Server-rendered pages: the citizen's on the home, the funder's and the public ones on the hub."""

__all__: list[str] = []
