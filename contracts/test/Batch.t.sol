// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IGateway} from "../src/IGateway.sol";
import {World} from "./World.sol";

/// @notice A token that burns all gas it is given, or answers with very much.
contract HostileToken {
    bool public endless;
    bool public isPaused;

    constructor(bool endless_) {
        endless = endless_;
    }

    function sharesOf(address) external pure returns (uint256) {
        return 0;
    }

    function getCurrentMultiplier() external pure returns (uint256, uint256, uint256) {
        return (1e18, 0, 0);
    }

    function mint(address, uint256) external {
        while (endless) {
            isPaused = false;
        }
        assembly {
            revert(0, 200000)
        }
    }
}

/// @notice Batches: a bad item never blocks or changes the others, whatever gas is given.
contract BatchTest is World {
    function _batch(uint256 size) private view returns (IGateway.Delivery[] memory items, bytes[][] memory all) {
        items = new IGateway.Delivery[](size);
        all = new bytes[][](size);
        for (uint256 i = 0; i < size; ++i) {
            items[i] = _delivery(i % 2 == 0 ? address(minted) : address(locked), (i + 1) * 1e10, uint64(i));
            all[i] = _sign(gateway, _deliverHash(gateway, items[i]));
        }
    }

    function test_bad_items_do_not_touch_the_good_ones(uint8 broken, uint256 seed) external {
        (IGateway.Delivery[] memory items, bytes[][] memory all) = _batch(8);
        for (uint256 i = 0; i < 8; ++i) {
            if (broken >> i & 1 == 1) _break(items, all, i, uint256(keccak256(abi.encode(seed, i))));
        }
        gateway.deliver(items, all);
        for (uint256 i = 0; i < 8; ++i) {
            bytes32 id = _id(gateway, items[i].source, items[i].origin, items[i].nonce);
            bool done = gateway.processed(id) != 0;
            yes(done == (broken >> i & 1 == 0), "exactly the good ones are delivered");
        }
    }

    function _break(IGateway.Delivery[] memory items, bytes[][] memory all, uint256 i, uint256 seed) private pure {
        uint256 how = seed % 5;
        if (how == 0) items[i].shares += 1e10;
        else if (how == 1) items[i].deadline = 1;
        else if (how == 2) all[i] = new bytes[](seed % 3);
        else if (how == 3) items[i].recipient = address(0);
        else items[i].origin = bytes32(seed);
    }

    function test_the_same_item_twice_in_a_batch_is_paid_once() external {
        (IGateway.Delivery[] memory items, bytes[][] memory all) = _batch(2);
        (items[1], all[1]) = (items[0], all[0]);
        gateway.deliver(items, all);
        same(minted.sharesOf(friend), 1e10, "once");
    }

    function test_an_empty_batch_does_nothing() external {
        gateway.deliver(new IGateway.Delivery[](0), new bytes[][](0));
    }

    function test_lengths_must_match() external {
        (IGateway.Delivery[] memory items,) = _batch(2);
        vm.expectRevert(abi.encodeWithSelector(IGateway.LengthMismatch.selector, 2, 1));
        gateway.deliver(items, new bytes[][](1));
        vm.expectRevert(abi.encodeWithSelector(IGateway.LengthMismatch.selector, 1, 2));
        gateway.voidDelivery(new IGateway.VoidItem[](1), new bytes[][](2));
        vm.expectRevert(abi.encodeWithSelector(IGateway.LengthMismatch.selector, 0, 1));
        gateway.refund(new IGateway.RefundItem[](0), new bytes[][](1));
    }

    /// @notice With any gas the batch either fails whole or every good item is delivered.
    function test_low_gas_cannot_fake_a_skip(uint256 seed) external {
        (IGateway.Delivery[] memory items, bytes[][] memory all) = _batch(3);
        uint256 gas_ = within(seed, 30_000, 1_600_000);
        try gateway.deliver{gas: gas_}(items, all) {
            for (uint256 i = 0; i < 3; ++i) {
                yes(gateway.processed(_id(gateway, TRON, TRON_GATEWAY, uint64(i))) != 0, "delivered");
            }
        } catch {
            same(gateway.processed(_id(gateway, TRON, TRON_GATEWAY, 0)), 0, "nothing happened");
        }
    }

    function test_too_little_gas_says_how_much() external {
        (IGateway.Delivery[] memory items, bytes[][] memory all) = _batch(1);
        uint256 needed = 600_000 + uint256(600_000) / 63 + 30_000;
        vm.expectRevert(abi.encodeWithSelector(IGateway.GasTooLow.selector, needed));
        gateway.deliver{gas: 500_000}(items, all);
    }

    function test_a_token_that_burns_all_gas_or_answers_too_much_costs_one_item() external {
        uint256 mark = vm.snapshotState();
        for (uint256 round = 0; round < 2; ++round) {
            address hostile = address(new HostileToken(round == 0));
            _list(gateway, hostile, IGateway.Mode.BurnMint);
            (IGateway.Delivery[] memory items, bytes[][] memory all) = _batch(3);
            items[1].token = hostile;
            all[1] = _sign(gateway, _deliverHash(gateway, items[1]));
            uint256 before = gasleft();
            gateway.deliver(items, all);
            yes(before - gasleft() < 1_400_000, "no more than the item's own gas");
            same(minted.sharesOf(friend), 4e10, "the others are paid");
            same(gateway.processed(_id(gateway, TRON, TRON_GATEWAY, 1)), 0, "it stays open");
            vm.revertToState(mark);
        }
    }

    function test_an_item_with_the_most_signatures_fits_its_gas() external {
        uint256[] memory many = new uint256[](16);
        address[] memory list = new address[](16);
        for (uint256 i = 0; i < 16; ++i) {
            many[i] = i + 1;
        }
        for (uint256 i = 0; i < 16; ++i) {
            for (uint256 j = i + 1; j < 16; ++j) {
                if (vm.addr(many[j]) < vm.addr(many[i])) (many[i], many[j]) = (many[j], many[i]);
            }
            list[i] = vm.addr(many[i]);
        }
        vm.prank(admin);
        gateway.setAttesters(list, 16);
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes32 digest = _digest(gateway, _deliverHash(gateway, item));
        bytes[] memory signatures = new bytes[](16);
        for (uint256 i = 0; i < 16; ++i) {
            signatures[i] = _signature(many[i], digest);
        }
        uint256 before = gasleft();
        _deliver(gateway, item, signatures);
        yes(before - gasleft() < 500_000, "well inside the item gas");
        same(minted.sharesOf(friend), SHARE, "delivered");
    }

    function test_only_the_gateway_runs_single_items() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes[] memory signatures = _sign(gateway, _deliverHash(gateway, item));
        vm.expectRevert(IGateway.OnlySelf.selector);
        gateway.deliverItem(item, signatures);
        IGateway.VoidItem memory voiding = _voiding(item);
        vm.expectRevert(IGateway.OnlySelf.selector);
        gateway.voidItem(voiding, signatures);
        IGateway.RefundItem memory refunding = _deposit(minted, SHARE);
        vm.expectRevert(IGateway.OnlySelf.selector);
        gateway.refundItem(refunding, signatures);
    }
}
