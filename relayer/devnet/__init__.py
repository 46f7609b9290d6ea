"""The local world: imitations of the three chains, held to what real nodes answer."""
