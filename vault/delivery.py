"""Blind jobs."""
def register(home): pass
