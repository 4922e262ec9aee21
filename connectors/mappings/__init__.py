"""Mappings that come with the vault, one JSON file each."""
