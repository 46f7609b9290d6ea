// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DevnetToken} from "../src/DevnetToken.sol";
import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {Check, Vm} from "./Check.sol";

/// @notice The devnet token with the total of shares in the open, which the real one keeps to itself.
contract OpenToken is DevnetToken {
    constructor(string memory symbol_, address owner_) DevnetToken(symbol_, symbol_, owner_) {}

    function totalShares() external view returns (uint256) {
        return _totalShares;
    }
}

/// @notice A gateway of the shipped bytecode with a burn-mint and a lock-release token, and keys to sign for it.
/// @dev The hashes are written out here a second time, so that a wrong one in the contract shows.
abstract contract World is Check {
    bytes32 internal constant HERE = keccak256("eip155:56");
    bytes32 internal constant TRON = keccak256("tron:0x2b6653dc");
    bytes32 internal constant SOLANA = keccak256("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp");
    bytes32 internal constant TAG = keccak256("xstocks-relayer/transfer/1");
    bytes32 internal constant TRON_GATEWAY = bytes32(uint256(0x41) << 160 | 0x7777);
    bytes32 internal constant VOID = bytes32(uint256(1));
    bytes32 internal constant DELIVER = keccak256(
        "Deliver(bytes32 id,bytes32 source,address token,address recipient,uint256 shares,uint64 epoch,uint64 deadline)"
    );
    bytes32 internal constant VOIDING = keccak256("Void(bytes32 id,uint64 epoch,uint64 deadline)");
    bytes32 internal constant REFUND = keccak256(
        "Refund(bytes32 id,address token,address refundTo,uint256 shares,uint64 epoch,uint64 deadline)"
    );

    uint256 internal constant CAP = 1_000_000e18;
    uint32 internal constant WINDOW = 1 days;
    uint256 internal constant FEE = 0.001 ether;
    uint256 internal constant SHARE = 1e18;

    address internal admin = address(0xAD);
    address internal guardian = address(0x60A2D);
    address internal user = address(0x05E2);
    address internal friend = address(0xF21E2D);
    uint256[] internal keys;
    Gateway internal gateway;
    OpenToken internal minted; // burn-mint
    OpenToken internal locked; // lock-release

    function setUp() public virtual {
        vm.warp(1_760_000_000);
        vm.roll(1000);
        _makeKeys();
        gateway = _deploy("eip155:56", 0, address(0));
        minted = _token("MINTx", gateway);
        locked = _token("LOCKx", gateway);
        _list(gateway, address(minted), IGateway.Mode.BurnMint);
        _list(gateway, address(locked), IGateway.Mode.LockRelease);
        _open(gateway, TRON, IGateway.Kind.Tron, IGateway.SourceKind.Counted);
        _open(gateway, SOLANA, IGateway.Kind.Solana, IGateway.SourceKind.Located);
        vm.prank(admin);
        gateway.setSourceGateway(TRON, TRON_GATEWAY, true);
        vm.deal(user, 1000 ether);
        _give(minted, user, 1000 * SHARE);
        _give(locked, user, 1000 * SHARE);
        _give(locked, address(this), 500 * SHARE);
        locked.approve(address(gateway), type(uint256).max);
        gateway.addInventory(address(locked), 500 * SHARE);
    }

    // ------------------------------------------------------------------ making

    function _makeKeys() internal {
        keys = [uint256(0xA11CE), 0xB0B, 0xCA201];
        for (uint256 i = 0; i < keys.length; ++i) {
            for (uint256 j = i + 1; j < keys.length; ++j) {
                if (vm.addr(keys[j]) < vm.addr(keys[i])) (keys[i], keys[j]) = (keys[j], keys[i]);
            }
        }
    }

    function _attesters() internal view returns (address[] memory list) {
        list = new address[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            list[i] = vm.addr(keys[i]);
        }
    }

    function _creation() internal view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile("../contracts_abi/Gateway.json"), ".bytecode");
    }

    function _deploy(string memory name, uint8 prefix, address predecessor) internal returns (Gateway made) {
        bytes memory arguments = abi.encode(name, prefix, admin, guardian, _attesters(), uint256(2), predecessor);
        address at = _create(bytes.concat(_creation(), arguments));
        yes(at != address(0), "the gateway was deployed");
        return Gateway(at);
    }

    function _create(bytes memory code) internal returns (address at) {
        assembly {
            at := create(0, add(code, 32), mload(code))
        }
    }

    function _token(string memory symbol, Gateway serving) internal returns (OpenToken made) {
        made = new OpenToken(symbol, address(this));
        made.setMinter(address(serving));
        made.setBurner(address(serving));
        made.setPauser(address(this));
        made.setMultiplierUpdater(address(this));
    }

    function _list(Gateway at, address token, IGateway.Mode mode) internal {
        vm.startPrank(admin);
        at.setToken(token, mode, CAP, WINDOW);
        at.setBounds(token, TRON, 1e10, CAP);
        at.setBounds(token, SOLANA, 1e10, CAP);
        vm.stopPrank();
    }

    function _open(Gateway at, bytes32 chain, IGateway.Kind kind, IGateway.SourceKind source) internal {
        vm.startPrank(admin);
        at.setDestination(chain, kind, FEE);
        at.setSource(chain, source);
        vm.stopPrank();
    }

    /// @dev Issues shares as the issuer does: through the minter, with the fewest balance units that hold them.
    function _give(OpenToken token, address to, uint256 shares) internal {
        address minter = token.minter();
        (uint256 multiplier,,) = token.getCurrentMultiplier();
        token.setMinter(address(this));
        token.mint(to, (shares * multiplier + 1e18 - 1) / 1e18);
        token.setMinter(minter);
        vm.prank(to);
        token.approve(address(gateway), type(uint256).max);
    }

    function _multiplier(OpenToken token, uint256 value) internal {
        (uint256 current,,) = token.getCurrentMultiplier();
        token.updateMultiplierValue(value, current, 0);
    }

    // ------------------------------------------------------------------ signing

    function _digest(Gateway at, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("xStocks Gateway"),
                keccak256("1"),
                block.chainid,
                address(at)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Two of the three, by ascending address.
    function _sign(Gateway at, bytes32 structHash) internal view returns (bytes[] memory signatures) {
        bytes32 digest = _digest(at, structHash);
        signatures = new bytes[](2);
        signatures[0] = _signature(keys[0], digest);
        signatures[1] = _signature(keys[2], digest);
    }

    function _id(Gateway at, bytes32 source, bytes32 origin, uint64 nonce) internal view returns (bytes32) {
        return source == SOLANA ? origin : keccak256(abi.encode(TAG, source, origin, at.chain(), nonce));
    }

    function _deliverHash(Gateway at, IGateway.Delivery memory item) internal view returns (bytes32) {
        bytes32 id = _id(at, item.source, item.origin, item.nonce);
        return keccak256(
            abi.encode(DELIVER, id, item.source, item.token, item.recipient, item.shares, at.epoch(), item.deadline)
        );
    }

    function _voidHash(Gateway at, IGateway.VoidItem memory item) internal view returns (bytes32) {
        bytes32 id = _id(at, item.source, item.origin, item.nonce);
        return keccak256(abi.encode(VOIDING, id, at.epoch(), item.deadline));
    }

    function _refundHash(Gateway at, IGateway.RefundItem memory item) internal view returns (bytes32) {
        bytes32 id = at.depositId(item.destination, item.nonce);
        return keccak256(
            abi.encode(REFUND, id, item.token, item.refundTo, item.shares, at.epoch(), item.deadline)
        );
    }

    function _content(Gateway at, IGateway.Delivery memory item) internal view returns (bytes32) {
        bytes32 id = _id(at, item.source, item.origin, item.nonce);
        return keccak256(abi.encode(id, item.source, item.token, item.recipient, item.shares));
    }

    // ------------------------------------------------------------------ acting

    function _delivery(address token, uint256 shares, uint64 nonce) internal view returns (IGateway.Delivery memory) {
        uint64 deadline = uint64(block.timestamp + 60);
        return IGateway.Delivery(TRON, TRON_GATEWAY, nonce, token, friend, shares, deadline);
    }

    function _voiding(IGateway.Delivery memory item) internal pure returns (IGateway.VoidItem memory) {
        return IGateway.VoidItem(item.source, item.origin, item.nonce, item.deadline);
    }

    function _deliver(Gateway at, IGateway.Delivery memory item, bytes[] memory signatures) internal {
        IGateway.Delivery[] memory items = new IGateway.Delivery[](1);
        bytes[][] memory all = new bytes[][](1);
        (items[0], all[0]) = (item, signatures);
        at.deliver(items, all);
    }

    function _deliver(IGateway.Delivery memory item) internal {
        _deliver(gateway, item, _sign(gateway, _deliverHash(gateway, item)));
    }

    function _void(Gateway at, IGateway.VoidItem memory item, bytes[] memory signatures) internal {
        IGateway.VoidItem[] memory items = new IGateway.VoidItem[](1);
        bytes[][] memory all = new bytes[][](1);
        (items[0], all[0]) = (item, signatures);
        at.voidDelivery(items, all);
    }

    function _void(IGateway.VoidItem memory item) internal {
        _void(gateway, item, _sign(gateway, _voidHash(gateway, item)));
    }

    function _refund(Gateway at, IGateway.RefundItem memory item, bytes[] memory signatures) internal {
        IGateway.RefundItem[] memory items = new IGateway.RefundItem[](1);
        bytes[][] memory all = new bytes[][](1);
        (items[0], all[0]) = (item, signatures);
        at.refund(items, all);
    }

    function _refund(IGateway.RefundItem memory item) internal {
        _refund(gateway, item, _sign(gateway, _refundHash(gateway, item)));
    }

    function _deposit(OpenToken token, uint256 shares) internal returns (IGateway.RefundItem memory item) {
        bytes32 recipient = bytes32(uint256(0x41) << 160 | 0xBEEF);
        uint64 nonce = gateway.nonces(TRON);
        vm.prank(user);
        gateway.deposit{value: FEE}(address(token), shares, TRON, recipient, user);
        uint64 deadline = uint64(block.timestamp + 60);
        return IGateway.RefundItem(TRON, nonce, address(token), user, user, recipient, shares, deadline);
    }

    // ------------------------------------------------------------------ looking

    function _state(Gateway at, OpenToken token) internal view returns (IGateway.TokenState memory) {
        address[] memory tokens = new address[](1);
        tokens[0] = address(token);
        (,,,, IGateway.TokenState[] memory states) = at.snapshot(tokens);
        return states[0];
    }

    /// @dev K of design: what the issuer has in circulation by this chain, in exact shares.
    function _k(Gateway at, OpenToken token) internal view returns (int256) {
        IGateway.TokenState memory now_ = _state(at, token);
        return int256(token.totalShares()) - int256(now_.held) + now_.inventory + int256(now_.deposited)
            - int256(now_.delivered) - int256(now_.refunded);
    }

    /// @dev Everything that a skipped item must leave as it was.
    function _fingerprint(bytes32 id) internal view returns (bytes32) {
        (,,, uint256 roomMinted) = gateway.tokenLimits(address(minted));
        (,,, uint256 roomLocked) = gateway.tokenLimits(address(locked));
        return keccak256(
            abi.encode(
                _state(gateway, minted),
                _state(gateway, locked),
                [roomMinted, roomLocked, minted.totalShares(), locked.totalShares()],
                [minted.sharesOf(friend), locked.sharesOf(friend), minted.sharesOf(user), locked.sharesOf(user)],
                gateway.processed(id),
                gateway.refunded(id)
            )
        );
    }

    /// @dev The code of the one `Skipped` in the recorded logs, which must be the gateway's only log. (The record
    /// also has what was logged before a revert.)
    function _skipCode(bytes32 id) internal returns (IGateway.SkipCode code) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 found = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(gateway)) continue;
            found += 1;
            same(logs[i].topics[0], IGateway.Skipped.selector, "the log is Skipped");
            same(logs[i].topics[1], id, "Skipped names the id");
            code = abi.decode(logs[i].data, (IGateway.SkipCode));
        }
        same(found, 1, "a skip is the only log");
    }
}
