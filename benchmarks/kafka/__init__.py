"""What Kafka costs, and what it takes to take over: ``python -m benchmarks.kafka``."""
