"""The State's register of carpool journeys (RPC, API 3.3): for an operator's or a territory's node
that holds keys of it, never for a citizen's home."""
