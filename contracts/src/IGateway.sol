// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title Types, events and errors of the gateway
/// @notice Amounts are shares (1e-18 share), fees are native units (wei, sun), times are seconds of chain time.
/// A chain is `keccak256` of its CAIP-2 name. An account of any chain is 32 bytes: Solana's key; an EVM address
/// left-padded with zeros; `0x41 || address` left-padded with zeros on Tron.
interface IGateway {
    /// @notice How a token leaves and enters circulation here.
    enum Mode {
        None,
        BurnMint, // the gateway is the token's minter and burner
        LockRelease // the gateway holds an inventory
    }

    /// @notice How a chain writes its accounts.
    enum Kind {
        None,
        Evm,
        Tron,
        Solana
    }

    /// @notice How ids of deposits of a source chain come to be.
    enum SourceKind {
        None,
        Counted, // a gateway counts them; the id is recomputed here
        Located // the id is the hash of a place in the chain's history; it is supplied
    }

    /// @notice Why an item of a batch changed nothing. Numbers never change meaning.
    enum SkipCode {
        None, // 0 never emitted
        AlreadyDone, // 1 the same act with the same content stands: success
        Conflict, // 2 quorum-signed, but the id was delivered with other content: stop and look
        Voided, // 3 quorum-signed, but the id was voided: only a refund at the source can follow
        Delivered, // 4 quorum-signed void of a delivered id
        Expired, // 5 chain time is past the deadline
        BadSignatures, // 6 too few, unsorted, not attesters, or over other content, epoch, chain or gateway
        UnknownSource, // 7 the source chain or its gateway is not listed (or is this chain)
        BadOrigin, // 8 an id of a located source must not be zero and has nonce 0
        UnlistedToken, // 9 the gateway does not serve the token
        BadRecipient, // 10 zero, the gateway, or a listed token
        BadAmount, // 11 zero, or not a multiple of 1e10 share-wei
        CapExceeded, // 12 the token's delivery cap has no room yet: wait
        TokenPaused, // 13 the issuer paused the token: wait
        TokenRefused, // 14 the token reverted (a sanctioned recipient, a lost role, too little item gas)
        InventoryShort, // 15 the inventory holds fewer shares: wait for the operator
        UnknownDeposit, // 16 refund of something this gateway did not take, or with other content
        EffectMismatch // 17 the token moved other than the exact shares
    }

    /// @notice One delivery. `origin` is the source gateway (counted) or the id itself (located, nonce 0).
    struct Delivery {
        bytes32 source;
        bytes32 origin;
        uint64 nonce;
        address token;
        address recipient;
        uint256 shares;
        uint64 deadline;
    }

    /// @notice One void; `origin` and `nonce` as in a delivery.
    struct VoidItem {
        bytes32 source;
        bytes32 origin;
        uint64 nonce;
        uint64 deadline;
    }

    /// @notice One refund of a deposit taken here; all but `deadline` as in its `Deposited` event.
    struct RefundItem {
        bytes32 destination;
        uint64 nonce;
        address token;
        address sender;
        address refundTo;
        bytes32 recipient;
        uint256 shares;
        uint64 deadline;
    }

    /// @notice The books of one token at the block of the call. All amounts but `supply` are shares.
    /// @dev Bridge traffic never changes
    /// `total shares - held + inventory + deposited - delivered - refunded`.
    struct TokenState {
        address token;
        Mode mode;
        uint256 supply; // totalSupply(), in balance units (rounded down by the token)
        uint256 multiplier; // in force, 1e18 = 1
        uint256 held; // sharesOf(gateway), residues of rounding included
        int256 inventory; // added less withdrawn by the operator
        uint256 deposited; // cumulative
        uint256 delivered; // cumulative
        uint256 refunded; // cumulative
        bool tokenPaused; // paused by the issuer
    }

    /// @notice A deposit was burned or locked: the beginning of a transfer.
    event Deposited(
        bytes32 indexed id,
        uint64 nonce,
        address indexed token,
        bytes32 indexed destination,
        address sender,
        address refundTo,
        bytes32 recipient,
        uint256 shares
    );
    /// @notice A transfer was completed here. `digest` is the content digest that `processed(id)` answers.
    event Delivered(
        bytes32 indexed id,
        bytes32 digest,
        bytes32 indexed source,
        address indexed token,
        address recipient,
        uint256 shares
    );
    /// @notice A deposit taken here was given back. `digest` is its deposit digest.
    event Refunded(
        bytes32 indexed id,
        bytes32 digest,
        bytes32 indexed destination,
        address indexed token,
        address refundTo,
        uint256 shares
    );
    /// @notice A delivery of this id is ruled out for ever.
    event Voided(bytes32 indexed id);
    /// @notice An item of a batch changed nothing. Anyone can cause it: it proves nothing but that.
    event Skipped(bytes32 indexed id, SkipCode code);
    /// @notice The operator put shares into the inventory.
    event InventoryAdded(address indexed token, address indexed from, uint256 shares);
    /// @notice The operator took shares out of the inventory.
    event InventoryWithdrawn(address indexed token, address indexed to, uint256 shares);
    /// @notice Signatures of former epochs are void from now on.
    event EpochChanged(uint64 epoch);

    /// @notice The pause flags now in force (1 deposit, 2 deliver, 4 refund).
    event PausedChanged(uint8 flags, address indexed by);
    /// @notice The attesters and how many of them must sign.
    event AttestersChanged(address[] attesters, uint256 threshold);
    /// @notice A token is served, or its mode or cap changed.
    event TokenSet(address indexed token, Mode mode, uint256 cap, uint32 window);
    /// @notice Deposits of a token to a destination are bounded by `min` and `max` shares; max 0 closes.
    event BoundsSet(address indexed token, bytes32 indexed destination, uint256 min, uint256 max);
    /// @notice A destination is listed with its fee in native units; kind None closes it.
    event DestinationSet(bytes32 indexed chain, Kind kind, uint256 fee);
    /// @notice A source chain is listed; kind None closes it.
    event SourceSet(bytes32 indexed chain, SourceKind kind);
    /// @notice A gateway of a counted source is trusted, or no longer.
    event SourceGatewaySet(bytes32 indexed chain, bytes32 indexed gateway, bool trusted);
    /// @notice Deposits to this recipient of that destination are refused, or no longer.
    event DeniedSet(bytes32 indexed destination, bytes32 indexed recipient, bool denied);
    /// @notice Gas that each item of a batch gets.
    event ItemGasSet(uint32 gas);
    /// @notice Fees were paid out, in native units.
    event FeesWithdrawn(address indexed to, uint256 amount);
    /// @notice Deposits, deliveries and voids are closed here for ever.
    event Retired();

    /// @notice The CAIP-2 name of the own chain is empty.
    error BadChainName();
    /// @notice The prefix is neither 0 (EVM) nor 0x41 (Tron).
    error BadAddressPrefix(uint8 prefix);
    /// @notice The predecessor stands on another chain.
    error BadPredecessor(address predecessor);
    /// @notice Admin or guardian is zero.
    error ZeroAddress();
    /// @notice None, more than 16, zero, or one of them twice.
    error BadAttesters();
    /// @notice Not more than half of the attesters, or more than there are.
    error BadThreshold(uint256 threshold, uint256 attesters);
    /// @notice The flags are set, or not set, as they are asked to be.
    error NothingChanges();
    /// @notice No flag, or one that does not exist.
    error BadFlags(uint8 flags);
    /// @notice The guardian stopped this act.
    error Paused(uint8 flag);
    /// @notice This gateway only refunds.
    error GatewayRetired();
    /// @notice The gateway before this one is not retired yet.
    error PredecessorActive(address predecessor);
    /// @notice Only the gateway itself runs single items.
    error OnlySelf();
    /// @notice Not one list of signatures for each item.
    error LengthMismatch(uint256 items, uint256 signatures);
    /// @notice Less gas is left than one item gets; the whole batch reverts.
    error GasTooLow(uint256 needed);
    /// @notice Outside 300,000 to 10,000,000.
    error BadItemGas(uint32 gas);
    /// @notice There is no code, or no multiplier, at the address.
    error NotAToken(address token);
    /// @notice The act does not fit the mode of the token, or mode None was asked for.
    error BadMode(address token, Mode mode);
    /// @notice A window of 0 seconds, or a cap of 2**128 share-wei or more.
    error BadCap(uint256 cap, uint32 window);
    /// @notice The minimum is 0 or above the maximum (share-wei).
    error BadBounds(uint256 min, uint256 max);
    /// @notice The gateway neither sends to nor receives from its own chain.
    error OwnChain(bytes32 chain);
    /// @notice The kind of a source never changes.
    error SourceKindFixed(bytes32 chain, SourceKind kind);
    /// @notice The destination is not listed, or closed.
    error UnlistedDestination(bytes32 destination);
    /// @notice The token takes no deposits to this destination.
    error DepositsClosed(address token, bytes32 destination);
    /// @notice Below the minimum or above the maximum (share-wei).
    error AmountOutOfBounds(uint256 shares, uint256 min, uint256 max);
    /// @notice Not a multiple of 1e10 share-wei.
    error DustyAmount(uint256 shares);
    /// @notice Not exactly the fee of the destination (native units).
    error WrongFee(uint256 sent, uint256 fee);
    /// @notice Not an account of a chain of that kind.
    error BadRecipientShape(bytes32 recipient, Kind kind);
    /// @notice A gateway, a token, or an account that the admin denied.
    error RecipientDenied(bytes32 recipient);
    /// @notice Zero, the gateway, or a listed token.
    error RefundToDenied(address refundTo);
    /// @notice The account refused the fees, or there are fewer (native units).
    error WithdrawalFailed(address to, uint256 amount);
    /// @notice The token moved other than the exact shares.
    error EffectMismatch();
    /// @notice Ends one item of a batch; never leaves the gateway.
    error Skip(SkipCode code);

    /// @notice keccak256 of the CAIP-2 name of the chain the gateway stands on.
    function chain() external view returns (bytes32);

    /// @notice True once deposits, deliveries and voids are closed here for ever.
    function retired() external view returns (bool);

    /// @notice What became of an id here or at any predecessor: 0 open, 1 voided, else the content digest delivered.
    function processed(bytes32 id) external view returns (bytes32);
}
