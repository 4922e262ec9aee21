"""Carpooling by the interoperability standard of operators (« Standard Covoiturage »)."""
