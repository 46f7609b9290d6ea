"""Listener, Relayer, Attester, Monitor and Tracker: they know the domain and the ports only."""
