"""How accounts, transactions and amounts are written in answers."""
