// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title What the gateway uses of an xStock on BNB Smart Chain and Tron
/// @notice An xStock keeps its books in shares (1e-18 share). A balance is `floor(shares * multiplier / 1e18)`.
interface IXStock {
    /// @notice Creates `amount` balance units, that is `floor(amount * 1e18 / multiplier)` shares, for `account`.
    /// @dev Minter only. Does not look at the sanctions list. Reverts while the token is paused.
    function mint(address account, uint256 amount) external;

    /// @notice Destroys `amount` balance units, that is `floor(amount * 1e18 / multiplier)` shares, of `account`.
    /// @dev Burner only, and only of the burner's own balance. Reverts while the token is paused.
    function burn(address account, uint256 amount) external;

    /// @notice Moves exactly `shares` from the caller to `to`. Checks the sanctions list on both.
    function transferShares(address to, uint256 shares) external returns (bool);

    /// @notice Moves exactly `shares` from `from` to `to`; the allowance is spent in balance units.
    function transferSharesFrom(address from, address to, uint256 shares) external returns (bool);

    /// @notice Shares of `account`; corporate actions do not change it.
    function sharesOf(address account) external view returns (uint256);

    /// @notice Total supply in balance units: `floor(total shares * multiplier / 1e18)`.
    function totalSupply() external view returns (uint256);

    /// @notice The multiplier in force in this block (1e18 = 1), the fee periods since, and its nonce.
    function getCurrentMultiplier()
        external
        view
        returns (uint256 multiplier, uint256 periodsPassed, uint256 nonce);

    /// @notice True while transfers, mints and burns are stopped by the issuer.
    function isPaused() external view returns (bool);
}
