"""Python started with this folder on its path sees no extension: as if their packages were gone."""

from importlib import metadata

_all = metadata.entry_points


def _others(**params):
    if params.get("group") == "mobility_vault.extensions":
        return metadata.EntryPoints()
    return _all(**params)


metadata.entry_points = _others
