// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Quorum} from "./Quorum.sol";
import {IXStock} from "./IXStock.sol";

/// @title What the gateway serves: tokens, destinations, sources, and their limits
/// @notice Everything here is set by the admin (`DEFAULT_ADMIN_ROLE`), which in production is a timelock.
abstract contract Listings is Quorum {
    /// @notice One Solana raw unit in shares-wei: every amount is a multiple of it, so that no chain makes dust.
    uint256 public constant UNIT = 1e10;
    uint32 private constant LEAST_ITEM_GAS = 300_000;
    uint32 private constant MOST_ITEM_GAS = 10_000_000;

    /// @dev What is kept of a token.
    struct Token {
        Mode mode;
        uint32 window; // seconds in which the whole cap grows back
        uint64 usedAt; // chain time of the last delivery
        uint256 cap; // shares
        uint256 used; // shares of the cap in use at usedAt
        int256 inventory; // shares
        uint256 deposited; // shares, cumulative
        uint256 delivered; // shares, cumulative
        uint256 refunded; // shares, cumulative
    }

    /// @dev Share-wei of one deposit.
    struct Bounds {
        uint256 min; // shares
        uint256 max; // shares; 0 closes
    }

    /// @dev Where deposits can go.
    struct Destination {
        Kind kind;
        uint256 fee; // native units
    }

    /// @dev Where deliveries can come from.
    struct Source {
        SourceKind kind; // fixed once set
        bool open;
    }

    /// @notice The chain the gateway stands on: keccak256 of its CAIP-2 name.
    bytes32 public immutable override chain;
    /// @notice What stands before the 20 bytes of an address of this chain: 0x41 on Tron, 0 elsewhere.
    uint8 public immutable addressPrefix;
    /// @notice Gas that each item of a batch gets.
    uint32 public itemGas = 600_000;

    /// @notice Kind and fee (native units) of a destination; kind None is not listed.
    mapping(bytes32 chain => Destination) public destinations;
    /// @notice Kind of a source, and whether it is open for deliveries.
    mapping(bytes32 chain => Source) public sources;
    /// @notice True for a trusted gateway of a counted source.
    mapping(bytes32 chain => mapping(bytes32 gateway => bool)) public sourceGateways;
    /// @notice Least and most share-wei of one deposit; most 0 is closed.
    mapping(address token => mapping(bytes32 destination => Bounds)) public bounds;
    /// @notice True for a recipient that deposits to the destination may not name.
    mapping(bytes32 destination => mapping(bytes32 recipient => bool)) public denied;
    mapping(address token => Token) internal _tokens;

    constructor(string memory chainName, uint8 prefix) {
        if (bytes(chainName).length == 0) revert BadChainName();
        if (prefix != 0 && prefix != 0x41) revert BadAddressPrefix(prefix);
        chain = keccak256(bytes(chainName));
        addressPrefix = prefix;
    }

    /// @notice Serves a token, or changes its mode or its delivery cap. Admin only. A token is never unlisted: close
    /// its deposits with `setBounds` and its deliveries with a cap of 0.
    /// @param cap Shares that can be delivered at once; room grows back evenly, all of it in `window` seconds.
    /// @dev Reverts: `BadMode` (None), `BadCap` (window 0), `NotAToken` (no shares or no multiplier there).
    function setToken(address token, Mode mode, uint256 cap, uint32 window) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (mode == Mode.None) revert BadMode(token, mode);
        if (window == 0 || cap > type(uint128).max) revert BadCap(cap, window);
        if (token.code.length == 0) revert NotAToken(token);
        IXStock(token).sharesOf(address(this));
        (uint256 multiplier,,) = IXStock(token).getCurrentMultiplier();
        if (multiplier == 0) revert NotAToken(token);
        Token storage listing = _tokens[token];
        listing.used = _used(listing);
        listing.usedAt = uint64(block.timestamp);
        listing.mode = mode;
        listing.cap = cap;
        listing.window = window;
        emit TokenSet(token, mode, cap, window);
    }

    /// @notice Bounds deposits of `token` to `destination`, in shares; `max` 0 closes them. Admin only.
    /// @dev Reverts: `BadMode` (token not listed), `BadBounds` (min 0 or above max while max is not 0).
    function setBounds(address token, bytes32 destination, uint256 min, uint256 max)
        external
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        if (_tokens[token].mode == Mode.None) revert BadMode(token, Mode.None);
        if (max != 0 && (min == 0 || min > max)) revert BadBounds(min, max);
        bounds[token][destination] = Bounds(min, max);
        emit BoundsSet(token, destination, min, max);
    }

    /// @notice Lists a destination with the fee of a deposit in native units; kind None closes it. Admin only.
    /// @dev Reverts: `OwnChain`.
    function setDestination(bytes32 chain_, Kind kind, uint256 fee) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (chain_ == chain) revert OwnChain(chain_);
        destinations[chain_] = Destination(kind, fee);
        emit DestinationSet(chain_, kind, fee);
    }

    /// @notice Lists a source chain; kind None closes it for deliveries (voids stay open). Admin only.
    /// @dev Reverts: `OwnChain`, `SourceKindFixed` (another kind would give old deposits new ids).
    function setSource(bytes32 chain_, SourceKind kind) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (chain_ == chain) revert OwnChain(chain_);
        Source storage source = sources[chain_];
        if (kind != SourceKind.None) {
            if (source.kind != SourceKind.None && source.kind != kind) revert SourceKindFixed(chain_, source.kind);
            source.kind = kind;
        }
        source.open = kind != SourceKind.None;
        emit SourceSet(chain_, kind);
    }

    /// @notice Trusts a gateway of a counted source, or stops trusting it (voids stay open). Admin only.
    function setSourceGateway(bytes32 chain_, bytes32 gateway, bool trusted) external onlyRole(DEFAULT_ADMIN_ROLE) {
        sourceGateways[chain_][gateway] = trusted;
        emit SourceGatewaySet(chain_, gateway, trusted);
    }

    /// @notice Refuses deposits to a recipient of a destination (its gateway, its tokens, custody). Admin only.
    function setDenied(bytes32 destination, bytes32 recipient, bool denied_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        denied[destination][recipient] = denied_;
        emit DeniedSet(destination, recipient, denied_);
    }

    /// @notice Gas that each item of a batch gets, for a token that comes to need more. Admin only.
    /// @dev Reverts: `BadItemGas` outside 300,000 to 10,000,000.
    function setItemGas(uint32 gas_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (gas_ < LEAST_ITEM_GAS || gas_ > MOST_ITEM_GAS) revert BadItemGas(gas_);
        itemGas = gas_;
        emit ItemGasSet(gas_);
    }

    /// @notice Mode of a token and its delivery cap: shares, seconds, and the shares that fit now.
    function tokenLimits(address token)
        external
        view
        returns (Mode mode, uint256 cap, uint32 window, uint256 available)
    {
        Token storage listing = _tokens[token];
        uint256 used = _used(listing);
        available = used < listing.cap ? listing.cap - used : 0;
        return (listing.mode, listing.cap, listing.window, available);
    }

    /// @dev Takes `shares` out of the token's cap. Ends the item with `CapExceeded` when they do not fit.
    function _useCap(Token storage listing, uint256 shares) internal {
        uint256 used = _used(listing);
        if (used > listing.cap || shares > listing.cap - used) revert Skip(SkipCode.CapExceeded);
        listing.used = used + shares;
        listing.usedAt = uint64(block.timestamp);
    }

    /// @dev An own address in 32-byte form.
    function _wide(address account) internal view returns (bytes32) {
        return bytes32((uint256(addressPrefix) << 160) | uint160(account));
    }

    /// @dev Reverts with `BadRecipientShape` unless `recipient` is an account of a chain of that kind.
    function _checkShape(bytes32 recipient, Kind kind) internal pure {
        uint256 high = uint256(recipient) >> 160;
        bool fits;
        if (kind == Kind.Evm) fits = high == 0;
        else if (kind == Kind.Tron) fits = high == 0x41;
        // Keys below 2**168 do not occur; a padded address of another chain does.
        else if (kind == Kind.Solana) fits = high >> 8 != 0;
        bool empty = kind != Kind.Solana && uint160(uint256(recipient)) == 0;
        if (!fits || empty) revert BadRecipientShape(recipient, kind);
    }

    /// @dev True for accounts that could only keep shares by mistake: zero, the gateway, any listed token.
    function _isOwn(address account) internal view returns (bool) {
        return account == address(0) || account == address(this) || _tokens[account].mode != Mode.None;
    }

    function _used(Token storage listing) private view returns (uint256) {
        if (listing.used == 0) return 0;
        uint256 regrown = (block.timestamp - listing.usedAt) * listing.cap / listing.window;
        return regrown < listing.used ? listing.used - regrown : 0;
    }
}
