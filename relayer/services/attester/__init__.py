"""The Attester: signs a draft only after it has checked everything on its own."""
