"""The hub: catalogue, desk, trust registry, and the only way in for proof packages.

Service and rules in the middle (`context`, `desk`, `registry`), database in `store/`, HTTP in
`api/` and `app.py`. It never imports the vault. Import what you need from its module: a client of a
hub (`federation.client`) reads shapes from here and must not load a server for them.
"""
