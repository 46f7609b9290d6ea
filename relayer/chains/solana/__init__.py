"""Solana: Token-2022 burns and vault transfers, frozen receipts, no program of ours."""
