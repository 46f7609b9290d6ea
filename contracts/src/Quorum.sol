// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IGateway} from "./IGateway.sol";

/// @title Who may sign for the gateway, for which epoch, and what is paused
/// @notice An epoch ends with every pause, unpause and change of attesters; signatures of it die with it.
abstract contract Quorum is IGateway, AccessControl, EIP712 {
    /// @notice May pause, and nothing else. Given and taken by the admin (`DEFAULT_ADMIN_ROLE`).
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");

    /// @notice Flags of `pause`, `unpause` and `paused`.
    uint8 public constant PAUSE_DEPOSIT = 1;
    uint8 public constant PAUSE_DELIVER = 2;
    uint8 public constant PAUSE_REFUND = 4;
    uint8 internal constant PAUSE_ALL = 7;

    /// @notice More attesters than this are refused, so that one item's signatures fit its gas.
    uint256 public constant MAX_ATTESTERS = 16;

    /// @notice EIP-712 types of what the quorum signs.
    bytes32 public constant DELIVER_TYPEHASH = keccak256(
        "Deliver(bytes32 id,bytes32 source,address token,address recipient,uint256 shares,uint64 epoch,uint64 deadline)"
    );
    bytes32 public constant VOID_TYPEHASH = keccak256("Void(bytes32 id,uint64 epoch,uint64 deadline)");
    bytes32 public constant REFUND_TYPEHASH = keccak256(
        "Refund(bytes32 id,address token,address refundTo,uint256 shares,uint64 epoch,uint64 deadline)"
    );

    /// @notice The epoch that signatures must name.
    uint64 public epoch;
    /// @notice Flags of what is paused: 1 deposit, 2 deliver, 4 refund. Voids are never paused.
    uint8 public paused;
    /// @notice Signatures that one item needs: more than half of the attesters.
    uint256 public threshold;
    /// @notice True for a key that attests today.
    mapping(address => bool) public isAttester;
    address[] private _attesters;

    /// @dev Reverts with `Paused` while `flag` is set.
    modifier whenOpen(uint8 flag) {
        if (paused & flag != 0) revert Paused(flag);
        _;
    }

    constructor(address admin, address guardian, address[] memory attesters_, uint256 threshold_)
        EIP712("xStocks Gateway", "1")
    {
        if (admin == address(0) || guardian == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, guardian);
        _setAttesters(attesters_, threshold_);
    }

    /// @notice Replaces the attesters. Admin only. Begins a new epoch.
    /// @dev Reverts: `BadAttesters` (none, too many, zero or twice the same), `BadThreshold` (not more than half).
    function setAttesters(address[] calldata attesters_, uint256 threshold_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setAttesters(attesters_, threshold_);
    }

    /// @notice Stops what `flags` name (1 deposit, 2 deliver, 4 refund). Guardian only. Begins a new epoch.
    /// @dev Reverts: `BadFlags`, `NothingChanges` when all of them are paused already.
    function pause(uint8 flags) external onlyRole(GUARDIAN_ROLE) {
        _setPaused(flags, paused | flags);
    }

    /// @notice Opens what `flags` name again. Admin only. Begins a new epoch.
    /// @dev Reverts: `BadFlags`, `NothingChanges` when none of them is paused.
    function unpause(uint8 flags) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setPaused(flags, paused & ~flags);
    }

    /// @notice The attesters of today.
    function attesters() external view returns (address[] memory) {
        return _attesters;
    }

    /// @dev Ends the item with `Expired` after `deadline` (seconds of chain time; the deadline itself is in time).
    function _checkDeadline(uint64 deadline) internal view {
        if (block.timestamp > deadline) revert Skip(SkipCode.Expired);
    }

    /// @dev Ends the item with `BadSignatures` unless at least `threshold` attesters, sorted by ascending address
    /// and each once, signed the EIP-712 digest of `structHash`. Every signature given must be good.
    function _checkSignatures(bytes32 structHash, bytes[] calldata signatures) internal view {
        if (signatures.length < threshold) revert Skip(SkipCode.BadSignatures);
        bytes32 digest = _hashTypedDataV4(structHash);
        address last = address(0);
        for (uint256 i = 0; i < signatures.length; ++i) {
            (address signer, ECDSA.RecoverError error,) = ECDSA.tryRecover(digest, signatures[i]);
            if (error != ECDSA.RecoverError.NoError || signer <= last || !isAttester[signer]) {
                revert Skip(SkipCode.BadSignatures);
            }
            last = signer;
        }
    }

    function _setAttesters(address[] memory attesters_, uint256 threshold_) private {
        uint256 count = attesters_.length;
        if (count == 0 || count > MAX_ATTESTERS) revert BadAttesters();
        if (threshold_ > count || threshold_ * 2 <= count) revert BadThreshold(threshold_, count);
        for (uint256 i = 0; i < _attesters.length; ++i) {
            isAttester[_attesters[i]] = false;
        }
        for (uint256 i = 0; i < count; ++i) {
            address attester = attesters_[i];
            if (attester == address(0) || isAttester[attester]) revert BadAttesters();
            isAttester[attester] = true;
        }
        _attesters = attesters_;
        threshold = threshold_;
        emit AttestersChanged(attesters_, threshold_);
        _nextEpoch();
    }

    function _setPaused(uint8 flags, uint8 next) private {
        if (flags == 0 || flags > PAUSE_ALL) revert BadFlags(flags);
        if (next == paused) revert NothingChanges();
        paused = next;
        emit PausedChanged(next, msg.sender);
        _nextEpoch();
    }

    function _nextEpoch() private {
        epoch += 1;
        emit EpochChanged(epoch);
    }
}
