"""The home's HTTP surface."""
