"""Routers of the sandbox, one party each."""
