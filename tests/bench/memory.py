"""What a process of the benches held at its peak."""

from pathlib import Path


def peak_kib(pid: int | str = "self") -> int:
    """The peak of one process, its interpreter and libraries included (`VmHWM`: `ru_maxrss`
    begins at the parent's)."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
