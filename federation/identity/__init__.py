"""Node documents, fingerprints, invitations."""
