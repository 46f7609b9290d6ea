"""The buses behind `relayer.ports.bus`: embedded (SQLite) and Kafka."""
