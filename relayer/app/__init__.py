"""The composition root: settings become adapters, adapters services, services one task group."""
