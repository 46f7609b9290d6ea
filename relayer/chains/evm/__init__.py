"""BNB Smart Chain and every other EVM chain: reader, drafter, writer, depositor, set-up."""
