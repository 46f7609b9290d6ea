"""Protocols between the services and the world, their promises in words. No implementation."""
