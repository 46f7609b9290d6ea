"""What the relayer does: each service knows ports and domain only."""
