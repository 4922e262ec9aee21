"""What opens and keeps keys: the vault, and the home that keeps vaults for its citizens."""
