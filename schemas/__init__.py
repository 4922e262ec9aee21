"""Vocabulary, records, units, contexts and canonical RDF of the mobility vault."""
