// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {IGateway} from "./IGateway.sol";
import {IXStock} from "./IXStock.sol";
import {Listings} from "./Listings.sol";
import {Quorum} from "./Quorum.sol";
import {ShareMoves} from "./ShareMoves.sol";

/// @title Takes deposits of xStocks and completes transfers, at most once each
/// @notice One source for BNB Smart Chain and Tron. Not upgradeable: a successor names this one as `predecessor` and
/// refuses every id known here. Amounts are shares (1e-18 share).
/// @dev Batches are calldata only: every item has its own signatures and runs in a call of its own, which gets exactly
/// `itemGas`; a bad item changes nothing but to emit `Skipped`, whatever gas the sender gave.
contract Gateway is Listings, ReentrancyGuard {
    using ShareMoves for IXStock;

    /// @notice First word of what every transfer id is the hash of.
    bytes32 public constant TAG = keccak256("xstocks-relayer/transfer/1");
    /// @notice What `processed` answers for a voided id.
    bytes32 public constant VOID = bytes32(uint256(1));

    /// @notice The gateway that stood here before, or zero. It must be retired before this one delivers.
    IGateway public immutable predecessor;
    /// @notice True once deposits, deliveries and voids are closed here for ever; refunds stay open.
    bool public override retired;

    /// @notice Deposits taken for a destination so far: the nonce of the next one. The first is 0.
    mapping(bytes32 destination => uint64) public nonces;
    /// @notice keccak256(abi.encode(id, token, sender, refundTo, recipient, shares)) of a deposit taken here.
    mapping(bytes32 id => bytes32) public depositDigest;
    /// @notice True for a deposit that was given back.
    mapping(bytes32 id => bool) public refunded;
    mapping(bytes32 id => bytes32) private _processed;

    modifier onlySelf() {
        if (msg.sender != address(this)) revert OnlySelf();
        _;
    }

    /// @dev Reverts with `GatewayRetired` or `PredecessorActive` unless this gateway is the one of its line.
    modifier whenCurrent() {
        if (retired) revert GatewayRetired();
        if (address(predecessor) != address(0) && !predecessor.retired()) {
            revert PredecessorActive(address(predecessor));
        }
        _;
    }

    /// @param chainName CAIP-2 name of this chain, for example `eip155:56`.
    /// @param prefix 0x41 on Tron, 0 on an EVM chain.
    /// @param admin Sets limits, lists and attesters, and unpauses: a timelock in production.
    /// @param guardian May pause.
    /// @param attesters_ Keys of the quorum; `threshold_` of them, more than half, sign each item.
    /// @param predecessor_ The gateway that this one replaces on this chain, or zero.
    constructor(
        string memory chainName,
        uint8 prefix,
        address admin,
        address guardian,
        address[] memory attesters_,
        uint256 threshold_,
        address predecessor_
    ) Listings(chainName, prefix) Quorum(admin, guardian, attesters_, threshold_) {
        predecessor = IGateway(predecessor_);
        if (predecessor_ != address(0) && IGateway(predecessor_).chain() != keccak256(bytes(chainName))) {
            revert BadPredecessor(predecessor_);
        }
    }

    // ------------------------------------------------------------------ the source side

    /// @notice Burns or locks exactly `shares` of the caller and begins a transfer. The caller must have approved
    /// `floor(shares * multiplier / 1e18)` balance units, and pays exactly the destination's fee.
    /// @param shares Share-wei, a multiple of `UNIT`, inside `bounds[token][destination]`.
    /// @param destination keccak256 of the CAIP-2 name of the destination.
    /// @param recipient Account on the destination in 32-byte form.
    /// @param refundTo Account here that gets the shares back if the transfer is voided.
    /// @return id Names the transfer on all chains.
    /// @dev Reverts: `Paused`, `GatewayRetired`, `PredecessorActive`, `UnlistedDestination`, `DepositsClosed`,
    /// `AmountOutOfBounds`, `DustyAmount`, `WrongFee`, `BadRecipientShape`, `RecipientDenied`, `RefundToDenied`,
    /// `EffectMismatch`, and what the token refuses (pause, sanctions, allowance, balance).
    function deposit(address token, uint256 shares, bytes32 destination, bytes32 recipient, address refundTo)
        external
        payable
        nonReentrant
        whenOpen(PAUSE_DEPOSIT)
        whenCurrent
        returns (bytes32 id)
    {
        _checkDeposit(token, shares, destination, recipient, refundTo);
        uint64 nonce = nonces[destination]++;
        id = depositId(destination, nonce);
        depositDigest[id] = keccak256(abi.encode(id, token, msg.sender, refundTo, recipient, shares));
        _tokens[token].deposited += shares;
        IXStock(token).pull(msg.sender, shares);
        if (_tokens[token].mode == Mode.BurnMint) IXStock(token).burn(shares);
        emit Deposited(id, nonce, token, destination, msg.sender, refundTo, recipient, shares);
    }

    /// @notice Gives deposits back whose delivery was voided at their destination. Open to everyone with signatures.
    /// @dev Reverts: `Paused`, `LengthMismatch`, `GasTooLow`. A bad item emits `Skipped` with one of AlreadyDone,
    /// UnknownDeposit, Expired, BadSignatures, TokenPaused, TokenRefused, InventoryShort, EffectMismatch.
    function refund(RefundItem[] calldata items, bytes[][] calldata signatures)
        external
        nonReentrant
        whenOpen(PAUSE_REFUND)
    {
        _checkLengths(items.length, signatures.length);
        for (uint256 i = 0; i < items.length; ++i) {
            bytes32 id = depositId(items[i].destination, items[i].nonce);
            _attempt(id, abi.encodeCall(this.refundItem, (items[i], signatures[i])));
        }
    }

    /// @notice One item of `refund`. Reverts with `OnlySelf` for all others, and with `Skip` when it changes nothing.
    function refundItem(RefundItem calldata item, bytes[] calldata signatures) external onlySelf {
        bytes32 id = depositId(item.destination, item.nonce);
        bytes32 digest =
            keccak256(abi.encode(id, item.token, item.sender, item.refundTo, item.recipient, item.shares));
        if (depositDigest[id] != digest) revert Skip(SkipCode.UnknownDeposit);
        if (refunded[id]) revert Skip(SkipCode.AlreadyDone);
        _checkDeadline(item.deadline);
        _checkSignatures(
            keccak256(
                abi.encode(REFUND_TYPEHASH, id, item.token, item.refundTo, item.shares, epoch, item.deadline)
            ),
            signatures
        );
        refunded[id] = true;
        _tokens[item.token].refunded += item.shares;
        _give(item.token, item.refundTo, item.shares);
        emit Refunded(id, digest, item.destination, item.token, item.refundTo, item.shares);
    }

    // ------------------------------------------------------------------ the destination side

    /// @notice Completes transfers: mints or releases exactly the signed shares. Open to everyone with signatures.
    /// @param signatures For each item at least `threshold` signatures over its `Deliver`, by ascending signer.
    /// @dev Reverts: `Paused`, `GatewayRetired`, `PredecessorActive`, `LengthMismatch`, `GasTooLow`. A bad item emits
    /// `Skipped` with any code but Delivered and UnknownDeposit. AlreadyDone looks at content, not at epoch,
    /// deadline or signatures: a delivery signed again in a later epoch is the same delivery.
    function deliver(Delivery[] calldata items, bytes[][] calldata signatures)
        external
        nonReentrant
        whenOpen(PAUSE_DELIVER)
        whenCurrent
    {
        _checkLengths(items.length, signatures.length);
        for (uint256 i = 0; i < items.length; ++i) {
            bytes32 id = transferId(items[i].source, items[i].origin, items[i].nonce);
            _attempt(id, abi.encodeCall(this.deliverItem, (items[i], signatures[i])));
        }
    }

    /// @notice One item of `deliver`. Reverts with `OnlySelf` for all others, and with `Skip` when it changes nothing.
    function deliverItem(Delivery calldata item, bytes[] calldata signatures) external onlySelf {
        bytes32 id = _checkOrigin(item.source, item.origin, item.nonce);
        Source storage source = sources[item.source];
        bool trusted = source.kind == SourceKind.Located || sourceGateways[item.source][item.origin];
        bytes32 digest = keccak256(abi.encode(id, item.source, item.token, item.recipient, item.shares));
        bytes32 standing = processed(id);
        if (standing == digest) revert Skip(SkipCode.AlreadyDone);
        if (!source.open || !trusted) revert Skip(SkipCode.UnknownSource);
        _checkDeadline(item.deadline);
        _checkSignatures(_deliverHash(id, item), signatures);
        if (standing == VOID) revert Skip(SkipCode.Voided);
        if (standing != 0) revert Skip(SkipCode.Conflict);
        if (item.shares == 0 || item.shares % UNIT != 0) revert Skip(SkipCode.BadAmount);
        if (_isOwn(item.recipient)) revert Skip(SkipCode.BadRecipient);
        Token storage listing = _tokens[item.token];
        _processed[id] = digest;
        listing.delivered += item.shares;
        if (listing.mode != Mode.None) _useCap(listing, item.shares);
        _give(item.token, item.recipient, item.shares);
        emit Delivered(id, digest, item.source, item.token, item.recipient, item.shares);
    }

    /// @notice Rules deliveries out for ever, so that their sources can refund. Open to everyone with signatures, and
    /// also while paused, for closed sources and for gateways that are no longer trusted.
    /// @dev Reverts: `GatewayRetired`, `PredecessorActive`, `LengthMismatch`, `GasTooLow`. A bad item emits `Skipped`
    /// with one of AlreadyDone, UnknownSource, BadOrigin, Expired, BadSignatures, Delivered.
    function voidDelivery(VoidItem[] calldata items, bytes[][] calldata signatures)
        external
        nonReentrant
        whenCurrent
    {
        _checkLengths(items.length, signatures.length);
        for (uint256 i = 0; i < items.length; ++i) {
            bytes32 id = transferId(items[i].source, items[i].origin, items[i].nonce);
            _attempt(id, abi.encodeCall(this.voidItem, (items[i], signatures[i])));
        }
    }

    /// @notice One item of `voidDelivery`. Reverts with `OnlySelf` for all others, with `Skip` when it changes nothing.
    function voidItem(VoidItem calldata item, bytes[] calldata signatures) external onlySelf {
        bytes32 id = _checkOrigin(item.source, item.origin, item.nonce);
        bytes32 standing = processed(id);
        if (standing == VOID) revert Skip(SkipCode.AlreadyDone);
        _checkDeadline(item.deadline);
        _checkSignatures(keccak256(abi.encode(VOID_TYPEHASH, id, epoch, item.deadline)), signatures);
        if (standing != 0) revert Skip(SkipCode.Delivered);
        _processed[id] = VOID;
        emit Voided(id);
    }

    // ------------------------------------------------------------------ the operator

    /// @notice Puts shares of the caller into the inventory of a lock-release token. Open to everyone.
    /// @dev Reverts: `BadMode`, `GatewayRetired`, and what the token refuses. Needs an approval as `deposit` does.
    function addInventory(address token, uint256 shares) external nonReentrant {
        if (retired) revert GatewayRetired();
        if (_tokens[token].mode != Mode.LockRelease) revert BadMode(token, _tokens[token].mode);
        _tokens[token].inventory += int256(shares);
        IXStock(token).pull(msg.sender, shares);
        emit InventoryAdded(token, msg.sender, shares);
    }

    /// @notice Takes shares out of what the gateway holds. Admin only. The inventory may fall below zero: where more
    /// is deposited than delivered, that is how shares move to where they are wanted.
    /// @dev Reverts: what the token refuses. Works in both modes: it is also how shares sent by mistake come back.
    function withdrawInventory(address token, address to, uint256 shares)
        external
        nonReentrant
        onlyRole(DEFAULT_ADMIN_ROLE)
    {
        _tokens[token].inventory -= int256(shares);
        IXStock(token).pay(to, shares);
        emit InventoryWithdrawn(token, to, shares);
    }

    /// @notice Pays collected fees out, in native units. Admin only. Reverts: `WithdrawalFailed`.
    function withdrawFees(address payable to, uint256 amount) external nonReentrant onlyRole(DEFAULT_ADMIN_ROLE) {
        (bool done,) = to.call{value: amount}("");
        if (!done) revert WithdrawalFailed(to, amount);
        emit FeesWithdrawn(to, amount);
    }

    /// @notice Closes deposits, deliveries and voids here for ever, in favour of a successor. Admin only.
    /// @dev Refunds of deposits taken here stay open. Reverts: `GatewayRetired`.
    function retire() external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (retired) revert GatewayRetired();
        retired = true;
        emit Retired();
    }

    // ------------------------------------------------------------------ reads

    /// @notice What became of an id here or at any predecessor: 0 open, `VOID` voided, else the content digest
    /// keccak256(abi.encode(id, source, token, recipient, shares)) of what was delivered.
    function processed(bytes32 id) public view override returns (bytes32) {
        bytes32 own = _processed[id];
        if (own != 0 || address(predecessor) == address(0)) return own;
        return predecessor.processed(id);
    }

    /// @notice `processed` of many ids.
    function receipts(bytes32[] calldata ids) external view returns (bytes32[] memory marks) {
        marks = new bytes32[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            marks[i] = processed(ids[i]);
        }
    }

    /// @notice `depositDigest` and `refunded` of many ids of deposits taken here.
    function deposits(bytes32[] calldata ids) external view returns (bytes32[] memory digests, bool[] memory refunds) {
        digests = new bytes32[](ids.length);
        refunds = new bool[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            digests[i] = depositDigest[ids[i]];
            refunds[i] = refunded[ids[i]];
        }
    }

    /// @notice The books of `tokens`, all of one block that it names. A token that is not listed answers zeros.
    /// @return blockNumber Height of the read.
    /// @return timestamp Chain time of that block in seconds.
    /// @return epoch_ The epoch that signatures must name.
    /// @return paused_ Flags: 1 deposit, 2 deliver, 4 refund.
    /// @return states The books, in the order of `tokens`.
    function snapshot(address[] calldata tokens)
        external
        view
        returns (uint64 blockNumber, uint64 timestamp, uint64 epoch_, uint8 paused_, TokenState[] memory states)
    {
        states = new TokenState[](tokens.length);
        for (uint256 i = 0; i < tokens.length; ++i) {
            states[i] = _state(tokens[i]);
        }
        return (uint64(block.number), uint64(block.timestamp), epoch, paused, states);
    }

    /// @notice Id of the deposit that had or will have this nonce for the destination.
    function depositId(bytes32 destination, uint64 nonce) public view returns (bytes32) {
        return keccak256(abi.encode(TAG, chain, _wide(address(this)), destination, nonce));
    }

    /// @notice Id of a transfer to this chain. Located sources supply it; every other is recomputed.
    function transferId(bytes32 source, bytes32 origin, uint64 nonce) public view returns (bytes32) {
        if (sources[source].kind == SourceKind.Located) return origin;
        return keccak256(abi.encode(TAG, source, origin, chain, nonce));
    }

    // ------------------------------------------------------------------ inside

    function _checkDeposit(address token, uint256 shares, bytes32 destination, bytes32 recipient, address refundTo)
        private
        view
    {
        Destination storage to = destinations[destination];
        if (to.kind == Kind.None) revert UnlistedDestination(destination);
        Bounds storage limits = bounds[token][destination];
        if (limits.max == 0) revert DepositsClosed(token, destination);
        if (shares < limits.min || shares > limits.max) revert AmountOutOfBounds(shares, limits.min, limits.max);
        if (shares % UNIT != 0) revert DustyAmount(shares);
        if (msg.value != to.fee) revert WrongFee(msg.value, to.fee);
        _checkShape(recipient, to.kind);
        bool own = to.kind != Kind.Solana && _isOwn(address(uint160(uint256(recipient))));
        if (own || denied[destination][recipient]) revert RecipientDenied(recipient);
        if (_isOwn(refundTo)) revert RefundToDenied(refundTo);
    }

    function _checkOrigin(bytes32 source, bytes32 origin, uint64 nonce) private view returns (bytes32) {
        SourceKind kind = sources[source].kind;
        if (kind == SourceKind.None) revert Skip(SkipCode.UnknownSource);
        if (kind == SourceKind.Located && (nonce != 0 || origin == 0)) revert Skip(SkipCode.BadOrigin);
        return transferId(source, origin, nonce);
    }

    function _deliverHash(bytes32 id, Delivery calldata item) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                DELIVER_TYPEHASH, id, item.source, item.token, item.recipient, item.shares, epoch, item.deadline
            )
        );
    }

    function _checkLengths(uint256 items, uint256 signatures) private pure {
        if (items != signatures) revert LengthMismatch(items, signatures);
    }

    /// @dev Pays exactly `shares`, minted or released. Ends the item with the reason when it cannot be done.
    function _give(address token, address to, uint256 shares) private {
        Mode mode = _tokens[token].mode;
        if (mode == Mode.None) revert Skip(SkipCode.UnlistedToken);
        if (IXStock(token).isPaused()) revert Skip(SkipCode.TokenPaused);
        if (mode == Mode.BurnMint) IXStock(token).mint(shares);
        else if (IXStock(token).sharesOf(address(this)) < shares) revert Skip(SkipCode.InventoryShort);
        IXStock(token).pay(to, shares);
    }

    /// @dev Runs one item with exactly `itemGas`, so that its outcome does not depend on the gas of the batch.
    /// Copies no more of the answer than a `Skip` is long.
    function _attempt(bytes32 id, bytes memory call_) private {
        uint256 gas_ = itemGas;
        uint256 needed = gas_ + gas_ / 63 + 30_000;
        if (gasleft() < needed) revert GasTooLow(needed);
        bool done;
        uint256 size;
        bytes4 selector;
        uint256 code;
        assembly ("memory-safe") {
            done := call(gas_, address(), 0, add(call_, 32), mload(call_), 0, 36)
            size := returndatasize()
            selector := mload(0)
            code := mload(4)
        }
        if (done) return;
        SkipCode reason = SkipCode.TokenRefused;
        if (size == 36 && selector == Skip.selector && code <= uint256(type(SkipCode).max)) reason = SkipCode(code);
        else if (size == 4 && selector == EffectMismatch.selector) reason = SkipCode.EffectMismatch;
        emit Skipped(id, reason);
    }

    function _state(address token) private view returns (TokenState memory state) {
        Token storage listing = _tokens[token];
        state.token = token;
        state.mode = listing.mode;
        if (listing.mode == Mode.None) return state;
        state.supply = IXStock(token).totalSupply();
        (state.multiplier,,) = IXStock(token).getCurrentMultiplier();
        state.held = IXStock(token).sharesOf(address(this));
        state.inventory = listing.inventory;
        state.deposited = listing.deposited;
        state.delivered = listing.delivered;
        state.refunded = listing.refunded;
        state.tokenPaused = IXStock(token).isPaused();
    }
}
