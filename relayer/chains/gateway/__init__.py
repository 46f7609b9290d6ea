"""What EVM and Tron share: one Solidity gateway, so the same events, calls and EIP-712 types.

Nothing here does I/O. Addresses are the 20 bytes that contracts see, accounts the 32 bytes that
cross chains; a chain is its CAIP-2 name outside and `chain_key` of it inside contracts.
"""
