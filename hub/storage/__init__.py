"""The store: the only importer of SQLAlchemy. Frozen dataclasses leave it, nothing mapped."""
