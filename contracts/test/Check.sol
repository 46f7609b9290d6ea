// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @notice The cheat codes of forge that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function startPrank(address sender) external;
    function stopPrank() external;
    function deal(address account, uint256 balance) external;
    function warp(uint256 timestamp) external;
    function roll(uint256 height) external;
    function chainId(uint256 id) external;
    function expectRevert() external;
    function expectRevert(bytes calldata data) external;
    function expectRevert(bytes4 selector) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function assume(bool condition) external pure;
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonBytesArray(string calldata json, string calldata key) external pure returns (bytes[] memory);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonAddressArray(string calldata json, string calldata key) external pure returns (address[] memory);
    function etch(address account, bytes calldata code) external;
    function copyStorage(address from, address to) external;
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function label(address account, string calldata name) external;
}

/// @notice Assertions that say what they compared.
abstract contract Check {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    error Unequal(string what, uint256 left, uint256 right);
    error UnequalSigned(string what, int256 left, int256 right);
    error UnequalWords(string what, bytes32 left, bytes32 right);
    error Untrue(string what);

    function same(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert Unequal(what, left, right);
    }

    function same(int256 left, int256 right, string memory what) internal pure {
        if (left != right) revert UnequalSigned(what, left, right);
    }

    function same(bytes32 left, bytes32 right, string memory what) internal pure {
        if (left != right) revert UnequalWords(what, left, right);
    }

    function same(address left, address right, string memory what) internal pure {
        same(uint256(uint160(left)), uint256(uint160(right)), what);
    }

    function yes(bool condition, string memory what) internal pure {
        if (!condition) revert Untrue(what);
    }

    function within(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + seed % (high - low + 1);
    }
}
