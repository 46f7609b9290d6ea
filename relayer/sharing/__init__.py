"""One reader for several services of a process: what they ask together is read once."""
