// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {World} from "./World.sol";

/// @notice Each role can do its own and nothing else; every setting refuses what makes no sense.
contract RolesTest is World {
    bytes32 private constant ADMIN = bytes32(0);
    bytes32 private constant OTHER = keccak256("eip155:1");
    bytes32 private guard;

    function setUp() public override {
        super.setUp();
        guard = gateway.GUARDIAN_ROLE();
    }

    function _adminCalls() private view returns (bytes[] memory calls) {
        calls = new bytes[](14);
        calls[0] = abi.encodeCall(gateway.setAttesters, (_attesters(), 3));
        calls[1] = abi.encodeCall(gateway.unpause, (1));
        calls[2] = abi.encodeCall(gateway.setToken, (address(minted), IGateway.Mode.LockRelease, 1, 1));
        calls[3] = abi.encodeCall(gateway.setBounds, (address(minted), OTHER, 1, 1));
        calls[4] = abi.encodeCall(gateway.setDestination, (OTHER, IGateway.Kind.Evm, 1));
        calls[5] = abi.encodeCall(gateway.setSource, (OTHER, IGateway.SourceKind.Counted));
        calls[6] = abi.encodeCall(gateway.setSourceGateway, (OTHER, bytes32(uint256(1)), true));
        calls[7] = abi.encodeCall(gateway.setDenied, (OTHER, bytes32(uint256(1)), true));
        calls[8] = abi.encodeCall(gateway.setItemGas, (1_000_000));
        calls[9] = abi.encodeCall(gateway.withdrawInventory, (address(locked), user, 1));
        calls[10] = abi.encodeCall(gateway.withdrawFees, (payable(user), 0));
        calls[11] = abi.encodeCall(gateway.retire, ());
        calls[12] = abi.encodeCall(gateway.grantRole, (guard, user));
        calls[13] = abi.encodeCall(gateway.revokeRole, (guard, guardian));
    }

    function _call(address sender, bytes memory data) private returns (bool done, bytes memory answer) {
        vm.prank(sender);
        (done, answer) = address(gateway).call(data);
    }

    function _refuses(address sender, bytes memory data, bytes32 role) private {
        (bool done, bytes memory answer) = _call(sender, data);
        yes(!done, "refused");
        bytes memory why =
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, sender, role);
        same(keccak256(answer), keccak256(why), "for want of the role");
    }

    function test_what_is_the_admins_is_nobody_elses() external {
        vm.prank(guardian);
        gateway.pause(1);
        bytes[] memory calls = _adminCalls();
        address[4] memory others = [guardian, user, vm.addr(keys[0]), address(this)];
        for (uint256 i = 0; i < calls.length; ++i) {
            for (uint256 j = 0; j < others.length; ++j) {
                _refuses(others[j], calls[i], ADMIN);
            }
            uint256 mark = vm.snapshotState();
            (bool done,) = _call(admin, calls[i]);
            yes(done, "the admin can");
            vm.revertToState(mark);
        }
    }

    function test_only_a_guardian_pauses() external {
        address[3] memory others = [admin, user, vm.addr(keys[0])];
        for (uint256 i = 0; i < others.length; ++i) {
            _refuses(others[i], abi.encodeCall(gateway.pause, (1)), guard);
        }
        vm.prank(admin);
        gateway.grantRole(guard, user);
        vm.prank(user);
        gateway.pause(7);
        same(gateway.paused(), 7, "a second guardian");
    }

    function test_each_pause_stops_its_own_and_begins_an_epoch() external {
        bytes[3] memory acts = [
            abi.encodeCall(gateway.deposit, (address(minted), SHARE, TRON, TRON_GATEWAY, user)),
            abi.encodeCall(gateway.deliver, (new IGateway.Delivery[](0), new bytes[][](0))),
            abi.encodeCall(gateway.refund, (new IGateway.RefundItem[](0), new bytes[][](0)))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            uint8 flag = uint8(1 << i);
            uint64 epoch = gateway.epoch();
            vm.expectEmit(true, true, true, true, address(gateway));
            emit IGateway.PausedChanged(flag, guardian);
            vm.expectEmit(true, true, true, true, address(gateway));
            emit IGateway.EpochChanged(epoch + 1);
            vm.prank(guardian);
            gateway.pause(flag);
            for (uint256 j = 0; j < 3; ++j) {
                vm.prank(user);
                (bool done, bytes memory answer) = address(gateway).call{value: j == 0 ? FEE : 0}(acts[j]);
                yes(done == (i != j), "only its own");
                bytes32 why = keccak256(abi.encodeWithSelector(IGateway.Paused.selector, flag));
                yes(done || keccak256(answer) == why, "says which flag");
            }
            vm.prank(admin);
            gateway.unpause(flag);
            same(gateway.epoch(), epoch + 2, "unpause begins one too");
            same(gateway.paused(), 0, "open");
        }
    }

    function test_pauses_that_change_nothing_are_refused() external {
        vm.startPrank(guardian);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadFlags.selector, 0));
        gateway.pause(0);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadFlags.selector, 8));
        gateway.pause(8);
        gateway.pause(3);
        vm.expectRevert(IGateway.NothingChanges.selector);
        gateway.pause(1);
        gateway.pause(6);
        vm.stopPrank();
        same(gateway.paused(), 7, "flags add up");
        vm.startPrank(admin);
        gateway.unpause(5);
        vm.expectRevert(IGateway.NothingChanges.selector);
        gateway.unpause(4);
        vm.stopPrank();
        same(gateway.paused(), 2, "flags are taken one by one");
    }

    function test_a_quorum_is_more_than_half_of_distinct_keys() external {
        for (uint256 n = 1; n <= 16; ++n) {
            address[] memory list = new address[](n);
            for (uint256 i = 0; i < n; ++i) {
                list[i] = address(uint160(i + 1));
            }
            for (uint256 m = 0; m <= n + 1; ++m) {
                _tryQuorum(list, m);
            }
        }
    }

    function _tryQuorum(address[] memory list, uint256 m) private {
        bool good = m <= list.length && m * 2 > list.length;
        uint64 epoch = gateway.epoch();
        uint256 former = gateway.threshold();
        if (!good) vm.expectRevert(abi.encodeWithSelector(IGateway.BadThreshold.selector, m, list.length));
        vm.prank(admin);
        gateway.setAttesters(list, m);
        same(gateway.epoch(), good ? epoch + 1 : epoch, "a change begins an epoch");
        same(gateway.threshold(), good ? m : former, "threshold");
    }

    function test_bad_attesters_are_refused() external {
        address[] memory list = new address[](2);
        (list[0], list[1]) = (user, user);
        _refusesAttesters(list, 2);
        list[1] = address(0);
        _refusesAttesters(list, 2);
        _refusesAttesters(new address[](0), 0);
        _refusesAttesters(new address[](17), 17);
    }

    function _refusesAttesters(address[] memory list, uint256 threshold) private {
        vm.expectRevert(IGateway.BadAttesters.selector);
        vm.prank(admin);
        gateway.setAttesters(list, threshold);
    }

    function test_settings_that_make_no_sense_are_refused() external {
        address token = address(minted);
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadMode.selector, token, IGateway.Mode.None));
        gateway.setToken(token, IGateway.Mode.None, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadCap.selector, 1, 0));
        gateway.setToken(token, IGateway.Mode.BurnMint, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadCap.selector, uint256(1) << 128, 1));
        gateway.setToken(token, IGateway.Mode.BurnMint, uint256(1) << 128, 1);
        vm.expectRevert(abi.encodeWithSelector(IGateway.NotAToken.selector, user));
        gateway.setToken(user, IGateway.Mode.BurnMint, 1, 1);
        vm.expectRevert();
        gateway.setToken(address(gateway), IGateway.Mode.BurnMint, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadMode.selector, user, IGateway.Mode.None));
        gateway.setBounds(user, TRON, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadBounds.selector, 2, 1));
        gateway.setBounds(token, TRON, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadBounds.selector, 0, 1));
        gateway.setBounds(token, TRON, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IGateway.OwnChain.selector, HERE));
        gateway.setDestination(HERE, IGateway.Kind.Evm, 0);
        vm.expectRevert(abi.encodeWithSelector(IGateway.OwnChain.selector, HERE));
        gateway.setSource(HERE, IGateway.SourceKind.Counted);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadItemGas.selector, 299_999));
        gateway.setItemGas(299_999);
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadItemGas.selector, 10_000_001));
        gateway.setItemGas(10_000_001);
        vm.stopPrank();
    }

    function test_the_kind_of_a_source_is_fixed_for_ever() external {
        bytes memory refusal = abi.encodeWithSelector(
            IGateway.SourceKindFixed.selector, TRON, IGateway.SourceKind.Counted
        );
        vm.startPrank(admin);
        vm.expectRevert(refusal);
        gateway.setSource(TRON, IGateway.SourceKind.Located);
        gateway.setSource(TRON, IGateway.SourceKind.None);
        vm.expectRevert(refusal);
        gateway.setSource(TRON, IGateway.SourceKind.Located);
        gateway.setSource(TRON, IGateway.SourceKind.Counted);
        vm.stopPrank();
        (IGateway.SourceKind kind, bool open) = gateway.sources(TRON);
        yes(kind == IGateway.SourceKind.Counted && open, "reopened");
    }

    function test_bad_deployments_are_refused() external {
        address zero = address(0);
        _notDeployed(abi.encode("", uint8(0), admin, guardian, _attesters(), 2, zero));
        _notDeployed(abi.encode("eip155:56", uint8(0x42), admin, guardian, _attesters(), 2, zero));
        _notDeployed(abi.encode("eip155:56", uint8(0), zero, guardian, _attesters(), 2, zero));
        _notDeployed(abi.encode("eip155:56", uint8(0), admin, zero, _attesters(), 2, zero));
        _notDeployed(abi.encode("eip155:56", uint8(0), admin, guardian, _attesters(), 1, zero));
        _notDeployed(abi.encode("eip155:56", uint8(0), admin, guardian, _attesters(), 2, user));
    }

    function _notDeployed(bytes memory arguments) private {
        same(_create(bytes.concat(_creation(), arguments)), address(0), "not deployed");
    }

    function test_fees_are_paid_out_to_the_last_unit() external {
        _deposit(minted, SHARE);
        vm.startPrank(admin);
        gateway.withdrawFees(payable(friend), FEE);
        same(friend.balance, FEE, "paid out");
        vm.expectRevert(abi.encodeWithSelector(IGateway.WithdrawalFailed.selector, friend, 1));
        gateway.withdrawFees(payable(friend), 1);
        vm.stopPrank();
    }

    function test_inventory_is_added_by_anyone_and_taken_by_the_admin() external {
        vm.startPrank(user);
        vm.expectEmit(true, true, true, true, address(gateway));
        emit IGateway.InventoryAdded(address(locked), user, SHARE);
        gateway.addInventory(address(locked), SHARE);
        bytes memory refusal =
            abi.encodeWithSelector(IGateway.BadMode.selector, address(minted), IGateway.Mode.BurnMint);
        vm.expectRevert(refusal);
        gateway.addInventory(address(minted), SHARE);
        vm.stopPrank();
        vm.startPrank(admin);
        vm.expectEmit(true, true, true, true, address(gateway));
        emit IGateway.InventoryWithdrawn(address(locked), friend, 2 * SHARE);
        gateway.withdrawInventory(address(locked), friend, 2 * SHARE);
        vm.expectRevert("ERC20: transfer amount exceeds balance");
        gateway.withdrawInventory(address(locked), friend, 500 * SHARE);
        vm.stopPrank();
        same(_state(gateway, locked).inventory, 499 * int256(SHARE), "net");
    }

    function test_a_timelock_can_be_the_admin() external {
        address[] memory operators = new address[](1);
        operators[0] = user;
        TimelockController timelock = new TimelockController(2 days, operators, operators, address(0));
        vm.startPrank(admin);
        gateway.grantRole(ADMIN, address(timelock));
        gateway.renounceRole(ADMIN, admin);
        vm.stopPrank();
        _refuses(admin, abi.encodeCall(gateway.setItemGas, (1_000_000)), ADMIN);
        bytes memory call_ = abi.encodeCall(gateway.setItemGas, (1_000_000));
        vm.startPrank(user);
        timelock.schedule(address(gateway), 0, call_, 0, 0, 2 days);
        vm.expectRevert();
        timelock.execute(address(gateway), 0, call_, 0, 0);
        vm.warp(block.timestamp + 2 days);
        timelock.execute(address(gateway), 0, call_, 0, 0);
        vm.stopPrank();
        same(gateway.itemGas(), 1_000_000, "after the delay");
    }

    function test_a_snapshot_names_its_own_height() external {
        vm.prank(guardian);
        gateway.pause(5);
        minted.setPause(true);
        address[] memory tokens = new address[](3);
        (tokens[0], tokens[1], tokens[2]) = (address(minted), user, address(locked));
        (uint64 height, uint64 time, uint64 epoch, uint8 flags, IGateway.TokenState[] memory states) =
            gateway.snapshot(tokens);
        same(height, block.number, "height");
        same(time, block.timestamp, "time");
        same(epoch, 2, "epoch");
        same(flags, 5, "flags");
        yes(states[0].tokenPaused && states[0].mode == IGateway.Mode.BurnMint, "the first token");
        same(states[0].supply, minted.totalSupply(), "supply");
        yes(states[1].mode == IGateway.Mode.None && states[1].multiplier == 0, "not listed: zeros");
        same(states[2].held, 500 * SHARE, "held");
        same(states[2].multiplier, 1e18, "multiplier");
    }
}
