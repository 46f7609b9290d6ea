"""Tron: java-tron's HTTP interface, its solid view as finality, its protobuf transactions."""
