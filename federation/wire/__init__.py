"""What every server shares at its rim: database, jobs, bounded HTTP, problems, signatures, logs.

Import the modules by name (`from federation.wire.database import transact`); this package itself
imports nothing, so that a process which only logs does not load SQLAlchemy.
"""

__all__: list[str] = []
