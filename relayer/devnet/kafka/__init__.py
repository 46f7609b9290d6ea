"""A local Kafka, brought from Maven Central and run on the machine's Java."""
