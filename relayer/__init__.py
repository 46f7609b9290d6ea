"""xStocks relayer."""
