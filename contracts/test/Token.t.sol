// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {DevnetToken} from "../src/DevnetToken.sol";
import {Check} from "./Check.sol";

/// @notice The devnet token does what the real xStock does, oddities included.
contract TokenTest is Check {
    DevnetToken private token;
    address private holder = address(0x401DE2);
    address private other = address(0x07E2);

    event MultiplierScheduleOverridden(uint256 a, uint256 b, uint256 c, uint256 d);
    event MultiplierScheduled(uint256 newMultiplier, uint256 activationTime);
    event MultiplierUpdated(uint256 value);
    event TransferShares(address indexed from, address indexed to, uint256 value);

    function setUp() external {
        vm.warp(1_760_000_000);
        token = new DevnetToken("Tesla xStock", "TSLAx", address(this));
        token.setMinter(address(this));
        token.setBurner(address(this));
        token.setPauser(address(this));
        token.setMultiplierUpdater(address(this));
        token.mint(holder, 100e18);
    }

    function test_shares_stay_and_balances_move_with_the_multiplier() external {
        token.updateMultiplierValue(10e18, 1e18, 0);
        same(token.sharesOf(holder), 100e18, "shares");
        same(token.balanceOf(holder), 1000e18, "balance");
        same(token.totalSupply(), 1000e18, "supply");
        vm.prank(holder);
        token.transfer(other, 5e18);
        same(token.sharesOf(other), 0.5e18, "a transfer speaks of balance units");
        vm.expectEmit(true, true, true, true, address(token));
        emit TransferShares(holder, other, 3e18);
        vm.prank(holder);
        token.transferShares(other, 3e18);
        same(token.balanceOf(other), 35e18, "transferShares of shares");
    }

    function test_a_scheduled_multiplier_comes_into_force_by_time_without_an_event() external {
        uint256 at = block.timestamp + 1 hours;
        vm.expectEmit(true, true, true, true, address(token));
        emit MultiplierScheduled(2e18, at);
        token.updateMultiplierValue(2e18, 1e18, at);
        vm.warp(at - 1);
        _current(1e18, 0);
        vm.warp(at);
        _current(2e18, 1);
        same(token.balanceOf(holder), 200e18, "balance");
        vm.expectEmit(true, true, true, true, address(token));
        emit MultiplierUpdated(2e18);
        token.mint(other, 2e18);
        same(token.sharesOf(other), 1e18, "mint at the multiplier in force");
    }

    function test_a_pending_multiplier_can_be_overridden() external {
        uint256 at = block.timestamp + 1 hours;
        token.updateMultiplierValue(2e18, 1e18, at);
        vm.expectEmit(true, true, true, true, address(token));
        emit MultiplierScheduleOverridden(2e18, at, 3e18, at + 60);
        token.updateMultiplierValue(3e18, 1e18, at + 60);
        vm.warp(at);
        _current(1e18, 0);
        vm.warp(at + 60);
        _current(3e18, 1);
        vm.expectRevert("BackedToken: Multiplier changed in the meantime");
        token.updateMultiplierValue(4e18, 1e18, 0);
        vm.expectRevert("BackedToken: Multiplier nonce is outdated.");
        token.updateMultiplierWithNonce(4e18, 3e18, 1, 0);
        token.updateMultiplierWithNonce(4e18, 3e18, 9, 0);
        _current(4e18, 9);
    }

    function test_a_multiplier_is_scheduled_inside_the_period_only() external {
        vm.expectRevert("BackedToken: Activation time needs to be before next period");
        token.updateMultiplierValue(2e18, 1e18, block.timestamp + 1 days);
        vm.expectRevert("BackedToken: Multiplier cannot be zero");
        token.updateMultiplierValue(0, 1e18, 0);
    }

    function test_a_fee_lowers_the_multiplier_every_period() external {
        token.updateFeePerPeriod(0.1e18);
        vm.warp(block.timestamp + 2 days);
        _current(0.81e18, 2);
        same(token.multiplier(), 1e18, "multiplier() does not know");
        vm.prank(holder);
        token.transferShares(other, 1e18);
        same(token.lastMultiplier(), 0.81e18, "a movement stores it");
    }

    function _current(uint256 multiplier, uint256 nonce) private view {
        (uint256 now_,, uint256 nonceNow) = token.getCurrentMultiplier();
        same(now_, multiplier, "multiplier");
        same(nonceNow, nonce, "nonce");
    }

    function test_pause_stops_everything() external {
        token.setPause(true);
        bytes memory why = "BackedToken: token transfer while paused";
        vm.expectRevert(why);
        token.mint(holder, 1);
        vm.expectRevert(why);
        token.burn(address(this), 0);
        vm.startPrank(holder);
        vm.expectRevert(why);
        token.transfer(other, 1);
        vm.expectRevert(why);
        token.transferShares(other, 1);
        vm.stopPrank();
    }

    function test_sanctions_stop_transfers_but_not_mint_and_burn() external {
        token.setSanctioned(other, true);
        vm.prank(holder);
        vm.expectRevert("BackedToken: receiver is sanctioned");
        token.transferShares(other, 1);
        token.mint(other, 5);
        vm.prank(other);
        vm.expectRevert("BackedToken: sender is sanctioned");
        token.transferShares(holder, 1);
        vm.prank(holder);
        token.approve(other, 10);
        vm.prank(other);
        vm.expectRevert("BackedToken: spender is sanctioned");
        token.transferSharesFrom(holder, address(this), 1);
        token.setSanctioned(address(this), true);
        token.mint(address(this), 7);
        token.burn(address(this), 7);
        same(token.sharesOf(address(this)), 0, "minted and burned");
    }

    function test_the_burner_burns_only_its_own() external {
        vm.expectRevert("BackedToken: Cannot burn account");
        token.burn(holder, 1);
        vm.prank(holder);
        vm.expectRevert("BackedToken: Only burner");
        token.burn(holder, 1);
        vm.expectRevert("ERC20: burn amount exceeds balance");
        token.burn(address(this), 1);
    }

    function test_only_its_role_can_do_each() external {
        vm.startPrank(other);
        vm.expectRevert("BackedToken: Only minter");
        token.mint(other, 1);
        vm.expectRevert("BackedToken: Only pauser");
        token.setPause(true);
        vm.expectRevert("BackedToken: Only multiplier updater");
        token.updateMultiplierValue(2e18, 1e18, 0);
        bytes memory why = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", other);
        bytes[5] memory calls = [
            abi.encodeCall(token.setMinter, (other)),
            abi.encodeCall(token.setBurner, (other)),
            abi.encodeCall(token.setSanctioned, (other, true)),
            abi.encodeCall(token.setSanctionsList, (other)),
            abi.encodeCall(token.updateFeePerPeriod, (1))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool done, bytes memory answer) = address(token).call(calls[i]);
            yes(!done && keccak256(answer) == keccak256(why), "owner only");
        }
        vm.stopPrank();
    }

    function test_an_allowance_is_spent_in_balance_units() external {
        token.updateMultiplierValue(3e18, 1e18, 0);
        vm.prank(holder);
        token.approve(address(this), 30e18);
        vm.expectRevert("ERC20: insufficient allowance");
        token.transferSharesFrom(holder, other, 10e18 + 1);
        token.transferSharesFrom(holder, other, 10e18);
        same(token.allowance(holder, address(this)), 0, "30 balance units for 10 shares");
        same(token.sharesOf(other), 10e18, "exact shares");
    }
}
