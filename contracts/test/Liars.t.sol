// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {World} from "./World.sol";

/// @notice A token at a multiplier of 1 that moves `skew` more or less than asked, or calls back in.
contract LyingToken {
    enum Lie {
        None,
        Pull,
        Burn,
        Mint,
        PayLess,
        PayTwice,
        PayFromNothing
    }

    mapping(address account => uint256) public sharesOf;
    Lie public lie;
    int256 public skew;
    bool public isPaused;
    address public target;
    bytes public callback;
    bytes public refusal;

    function set(Lie lie_, int256 skew_) external {
        (lie, skew) = (lie_, skew_);
    }

    function reenter(address target_, bytes calldata callback_) external {
        (target, callback, refusal) = (target_, callback_, "");
    }

    function getCurrentMultiplier() external pure returns (uint256, uint256, uint256) {
        return (1e18, 0, 0);
    }

    function totalSupply() external pure returns (uint256) {
        return 0;
    }

    function mint(address account, uint256 amount) external {
        _back();
        sharesOf[account] += _asked(Lie.Mint, amount);
    }

    function burn(address account, uint256 amount) external {
        sharesOf[account] -= _asked(Lie.Burn, amount);
    }

    function transferShares(address to, uint256 shares) external returns (bool) {
        uint256 moved = _asked(Lie.PayLess, shares);
        if (lie != Lie.PayFromNothing) sharesOf[msg.sender] -= moved;
        sharesOf[to] += lie == Lie.PayTwice ? 2 * moved : moved;
        return true;
    }

    function transferSharesFrom(address, address to, uint256 shares) external returns (bool) {
        _back();
        sharesOf[to] += _asked(Lie.Pull, shares);
        return true;
    }

    function _asked(Lie which, uint256 amount) private view returns (uint256) {
        return lie == which ? uint256(int256(amount) + skew) : amount;
    }

    function _back() private {
        if (target == address(0)) return;
        (bool done, bytes memory answer) = target.call(callback);
        if (!done) refusal = answer;
    }
}

/// @notice A token cannot lie to the gateway about a single share-wei, nor call back into it.
contract LiarsTest is World {
    LyingToken private liar;

    function setUp() public override {
        super.setUp();
        liar = new LyingToken();
        _list(gateway, address(liar), IGateway.Mode.BurnMint);
    }

    function _depositFails(bytes4 why) private {
        vm.expectRevert(why);
        vm.prank(user);
        gateway.deposit{value: FEE}(address(liar), SHARE, TRON, TRON_GATEWAY, user);
    }

    function _deliverySkips(IGateway.SkipCode code) private {
        IGateway.Delivery memory item = _delivery(address(liar), SHARE, 0);
        vm.recordLogs();
        _deliver(item);
        same(uint256(_skipCode(_id(gateway, TRON, TRON_GATEWAY, 0))), uint256(code), "skip code");
        same(liar.sharesOf(friend) + liar.sharesOf(address(gateway)), 0, "nothing moved");
    }

    function test_a_deposit_of_other_than_the_exact_shares_fails() external {
        liar.set(LyingToken.Lie.Pull, -1);
        _depositFails(IGateway.EffectMismatch.selector);
        liar.set(LyingToken.Lie.Pull, 1);
        _depositFails(IGateway.EffectMismatch.selector);
        liar.set(LyingToken.Lie.Burn, -1);
        _depositFails(IGateway.EffectMismatch.selector);
        liar.set(LyingToken.Lie.None, 0);
        vm.prank(user);
        gateway.deposit{value: FEE}(address(liar), SHARE, TRON, TRON_GATEWAY, user);
    }

    function test_a_burn_of_more_than_the_deposit_fails() external {
        vm.prank(admin);
        gateway.setToken(address(liar), IGateway.Mode.LockRelease, CAP, WINDOW);
        gateway.addInventory(address(liar), SHARE);
        vm.prank(admin);
        gateway.setToken(address(liar), IGateway.Mode.BurnMint, CAP, WINDOW);
        liar.set(LyingToken.Lie.Burn, 1);
        _depositFails(IGateway.EffectMismatch.selector);
    }

    function test_a_delivery_of_other_than_the_exact_shares_is_skipped() external {
        for (int256 skew = -1; skew <= 1; skew += 2) {
            liar.set(LyingToken.Lie.Mint, skew);
            _deliverySkips(IGateway.SkipCode.EffectMismatch);
        }
        liar.set(LyingToken.Lie.PayLess, -1);
        _deliverySkips(IGateway.SkipCode.EffectMismatch);
        liar.set(LyingToken.Lie.PayTwice, 0);
        _deliverySkips(IGateway.SkipCode.EffectMismatch);
        liar.set(LyingToken.Lie.PayFromNothing, 0);
        _deliverySkips(IGateway.SkipCode.EffectMismatch);
    }

    function test_a_token_cannot_call_back_into_the_gateway() external {
        bytes[5] memory calls = [
            abi.encodeCall(Gateway.deposit, (address(minted), SHARE, TRON, TRON_GATEWAY, user)),
            abi.encodeCall(Gateway.deliver, (new IGateway.Delivery[](0), new bytes[][](0))),
            abi.encodeCall(Gateway.refund, (new IGateway.RefundItem[](0), new bytes[][](0))),
            abi.encodeCall(Gateway.voidDelivery, (new IGateway.VoidItem[](0), new bytes[][](0))),
            abi.encodeCall(Gateway.addInventory, (address(locked), 0))
        ];
        bytes32 why = keccak256(abi.encodeWithSignature("ReentrancyGuardReentrantCall()"));
        for (uint256 i = 0; i < calls.length; ++i) {
            liar.reenter(address(gateway), calls[i]);
            vm.prank(user);
            gateway.deposit{value: FEE}(address(liar), SHARE, TRON, TRON_GATEWAY, user);
            same(keccak256(liar.refusal()), why, "refused during a deposit");
        }
        for (uint64 i = 0; i < calls.length; ++i) {
            liar.reenter(address(gateway), calls[i]);
            _deliver(_delivery(address(liar), SHARE, i));
            same(keccak256(liar.refusal()), why, "refused during a delivery");
        }
        same(liar.sharesOf(friend), 5 * SHARE, "and the deliveries are whole");
    }
}
