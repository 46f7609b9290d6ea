"""Event-driven relayer that moves xStocks between Solana, BNB Smart Chain and Tron."""

__version__ = "0.1.0"
