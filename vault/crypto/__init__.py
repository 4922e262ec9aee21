"""What opens and keeps keys: bytes in, bytes out, no I/O. README.md specifies every layout."""
