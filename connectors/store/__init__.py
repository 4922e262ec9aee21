"""What connectors remember: cursors, sealed deposits not yet acknowledged, push tokens and
receipts."""

from connectors.store.store import ConnectorStore, Seal

__all__ = ["ConnectorStore", "Seal"]
