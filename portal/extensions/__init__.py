"""Extensions that come with the vault, one folder each. Nothing of ours imports them: they are
found by entry point, as those of other packages are (`schemas/extensions.py`)."""

__all__: list[str] = []
