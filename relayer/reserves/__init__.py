"""Where backed shares are read from, each answer with its freshness."""
