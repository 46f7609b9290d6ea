"""Keys behind the Signer port."""
