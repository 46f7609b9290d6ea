"""The Relayer: lanes that validate deposits and issue the mint or release on one destination."""
