// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {OpenToken, World} from "./World.sol";

/// @notice What a delivery pays, once, and why it is skipped.
contract DeliverTest is World {
    function _skips(IGateway.Delivery memory item, bytes[] memory signatures, IGateway.SkipCode code) private {
        bytes32 id = _id(gateway, item.source, item.origin, item.nonce);
        bytes32 before = _fingerprint(id);
        vm.recordLogs();
        _deliver(gateway, item, signatures);
        same(uint256(_skipCode(id)), uint256(code), "skip code");
        same(_fingerprint(id), before, "a skip changes nothing");
    }

    function _skips(IGateway.Delivery memory item, IGateway.SkipCode code) private {
        _skips(item, _sign(gateway, _deliverHash(gateway, item)), code);
    }

    function test_a_mint_pays_the_exact_shares_once() external {
        IGateway.Delivery memory item = _delivery(address(minted), 7 * SHARE, 0);
        bytes32 id = _id(gateway, item.source, item.origin, 0);
        vm.expectEmit(true, true, true, true, address(gateway));
        emit IGateway.Delivered(id, _content(gateway, item), TRON, address(minted), friend, 7 * SHARE);
        _deliver(item);
        same(minted.sharesOf(friend), 7 * SHARE, "paid");
        same(minted.totalShares(), 1007 * SHARE, "minted");
        same(gateway.processed(id), _content(gateway, item), "the digest of the content stands");
        same(_state(gateway, minted).delivered, 7 * SHARE, "summed");
        _skips(item, IGateway.SkipCode.AlreadyDone);
    }

    function test_a_release_pays_out_of_the_inventory() external {
        _deliver(_delivery(address(locked), 7 * SHARE, 0));
        same(locked.sharesOf(friend), 7 * SHARE, "paid");
        same(_state(gateway, locked).held, 493 * SHARE, "released");
        same(locked.totalShares(), 1500 * SHARE, "nothing minted");
    }

    function test_a_located_source_brings_its_id() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        (item.source, item.origin) = (SOLANA, keccak256("signature, outer, inner"));
        _deliver(item);
        same(gateway.processed(item.origin), _content(gateway, item), "processed under the given id");
        item.nonce = 1;
        _skips(item, IGateway.SkipCode.BadOrigin);
        (item.nonce, item.origin) = (0, 0);
        _skips(item, IGateway.SkipCode.BadOrigin);
    }

    function test_the_id_of_a_counted_source_is_never_supplied() external {
        IGateway.Delivery memory first = _delivery(address(minted), SHARE, 0);
        _deliver(first);
        // An origin that is the id of a counted transfer is no listed gateway.
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        item.origin = _id(gateway, first.source, first.origin, 0);
        _skips(item, IGateway.SkipCode.UnknownSource);
    }

    function test_the_same_content_signed_in_a_later_epoch_is_already_done() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        _deliver(item);
        vm.prank(guardian);
        gateway.pause(1);
        item.deadline += 1000;
        _skips(item, IGateway.SkipCode.AlreadyDone);
        _skips(item, new bytes[](0), IGateway.SkipCode.AlreadyDone);
    }

    function test_other_content_for_a_delivered_id_is_a_conflict() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        _deliver(item);
        item.shares += 1e10;
        _skips(item, IGateway.SkipCode.Conflict);
        _skips(item, new bytes[](2), IGateway.SkipCode.BadSignatures);
        item.shares -= 1e10;
        item.recipient = user;
        _skips(item, IGateway.SkipCode.Conflict);
    }

    function test_a_delivery_dies_after_its_deadline() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        vm.warp(item.deadline + 1);
        _skips(item, IGateway.SkipCode.Expired);
        vm.warp(item.deadline);
        _deliver(item);
        same(minted.sharesOf(friend), SHARE, "the deadline itself is in time");
    }

    function test_sources_that_are_not_listed_are_skipped() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        item.source = keccak256("eip155:1");
        _skips(item, IGateway.SkipCode.UnknownSource);
        item.source = HERE;
        _skips(item, IGateway.SkipCode.UnknownSource);
        (item.source, item.origin) = (TRON, bytes32(uint256(1)));
        _skips(item, IGateway.SkipCode.UnknownSource);
        item.origin = TRON_GATEWAY;
        vm.prank(admin);
        gateway.setSource(TRON, IGateway.SourceKind.None);
        _skips(item, IGateway.SkipCode.UnknownSource);
    }

    function test_tokens_recipients_and_amounts_that_make_no_sense_are_skipped() external {
        OpenToken other = _token("X", gateway);
        _skips(_delivery(address(other), SHARE, 0), IGateway.SkipCode.UnlistedToken);
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        address[4] memory own = [address(0), address(gateway), address(minted), address(locked)];
        for (uint256 i = 0; i < own.length; ++i) {
            item.recipient = own[i];
            _skips(item, IGateway.SkipCode.BadRecipient);
        }
        _skips(_delivery(address(minted), 0, 0), IGateway.SkipCode.BadAmount);
        _skips(_delivery(address(minted), SHARE + 1, 0), IGateway.SkipCode.BadAmount);
    }

    function test_what_the_token_refuses_waits() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        minted.setPause(true);
        _skips(item, IGateway.SkipCode.TokenPaused);
        minted.setPause(false);
        minted.setSanctioned(friend, true);
        _skips(item, IGateway.SkipCode.TokenRefused);
        minted.setSanctioned(friend, false);
        minted.setMinter(address(this));
        _skips(item, IGateway.SkipCode.TokenRefused);
        minted.setMinter(address(gateway));
        _deliver(item);
        same(minted.sharesOf(friend), SHARE, "and is delivered later");
    }

    function test_a_short_inventory_waits() external {
        IGateway.Delivery memory item = _delivery(address(locked), 500 * SHARE + 1e10, 0);
        _skips(item, IGateway.SkipCode.InventoryShort);
        _give(locked, address(this), 1e10);
        locked.approve(address(gateway), type(uint256).max);
        gateway.addInventory(address(locked), 1e10);
        _deliver(item);
        same(_state(gateway, locked).held, 0, "the last unit");
    }

    function test_the_cap_holds_and_grows_back_evenly() external {
        _deliver(_delivery(address(minted), CAP, 0));
        _skips(_delivery(address(minted), 1e10, 1), IGateway.SkipCode.CapExceeded);
        vm.warp(block.timestamp + WINDOW / 4);
        _skips(_delivery(address(minted), CAP / 4 + 1e10, 1), IGateway.SkipCode.CapExceeded);
        _deliver(_delivery(address(minted), CAP / 4, 1));
        (,,, uint256 room) = gateway.tokenLimits(address(minted));
        same(room, 0, "all used");
        vm.warp(block.timestamp + 2 * uint256(WINDOW));
        _skips(_delivery(address(minted), CAP + 1e10, 2), IGateway.SkipCode.CapExceeded);
        _deliver(_delivery(address(minted), CAP, 2));
    }

    function test_caps_are_per_token_and_a_lower_cap_holds_at_once() external {
        _deliver(_delivery(address(minted), CAP, 0));
        _deliver(_delivery(address(locked), SHARE, 1));
        vm.prank(admin);
        gateway.setToken(address(locked), IGateway.Mode.LockRelease, SHARE, WINDOW);
        _skips(_delivery(address(locked), 1e10, 2), IGateway.SkipCode.CapExceeded);
        vm.prank(admin);
        gateway.setToken(address(locked), IGateway.Mode.LockRelease, 0, WINDOW);
        vm.warp(block.timestamp + WINDOW);
        _skips(_delivery(address(locked), 1e10, 2), IGateway.SkipCode.CapExceeded);
    }

    function test_a_changed_cap_keeps_what_is_in_use() external {
        _deliver(_delivery(address(minted), CAP / 2, 0));
        vm.warp(block.timestamp + WINDOW / 4);
        vm.prank(admin);
        gateway.setToken(address(minted), IGateway.Mode.BurnMint, CAP, 4 * WINDOW);
        (,,, uint256 room) = gateway.tokenLimits(address(minted));
        same(room, CAP - CAP / 4, "grown back at the former rate until now");
        vm.warp(block.timestamp + WINDOW / 2);
        (,,, room) = gateway.tokenLimits(address(minted));
        same(room, CAP - CAP / 8, "and at the new one from now on");
    }

    // ------------------------------------------------------------------ signatures

    function test_signatures_of_another_item_epoch_gateway_or_chain_are_refused() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        IGateway.Delivery memory next = _delivery(address(minted), SHARE, 1);
        IGateway.SkipCode bad = IGateway.SkipCode.BadSignatures;
        _skips(item, _sign(gateway, _deliverHash(gateway, next)), bad);
        Gateway twin = _deploy("eip155:56", 0, address(0));
        _skips(item, _sign(twin, _deliverHash(gateway, item)), bad);
        vm.chainId(56);
        bytes[] memory elsewhere = _sign(gateway, _deliverHash(gateway, item));
        vm.chainId(31337);
        _skips(item, elsewhere, bad);
        bytes[] memory former = _sign(gateway, _deliverHash(gateway, item));
        vm.prank(guardian);
        gateway.pause(1);
        _skips(item, former, bad);
        _deliver(item);
    }

    function test_every_field_is_signed(uint256 seed) external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes[] memory signatures = _sign(gateway, _deliverHash(gateway, item));
        uint256 which = seed % 5;
        if (which == 0) item.nonce += 1 + uint64(seed >> 200);
        if (which == 1) item.token = address(locked);
        if (which == 2) item.recipient = address(uint160(seed | 1 << 159));
        if (which == 3) item.shares += 1e10 * (1 + (seed >> 200));
        if (which == 4) item.deadline += 1 + uint32(seed);
        _skips(item, signatures, IGateway.SkipCode.BadSignatures);
    }

    function test_a_void_or_refund_signature_is_no_delivery() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes[] memory voiding = _sign(gateway, _voidHash(gateway, _voiding(item)));
        _skips(item, voiding, IGateway.SkipCode.BadSignatures);
    }

    function test_the_quorum_is_distinct_sorted_attesters() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes32 digest = _digest(gateway, _deliverHash(gateway, item));
        IGateway.SkipCode bad = IGateway.SkipCode.BadSignatures;
        bytes memory a = _signature(keys[0], digest);
        bytes memory b = _signature(keys[1], digest);
        bytes memory c = _signature(keys[2], digest);
        bytes memory stranger = _signature(0xDEAD, digest);
        _skips(item, _list(a), bad);
        _skips(item, _list(a, a), bad);
        _skips(item, _list(b, a), bad);
        _skips(item, _list(a, stranger), bad);
        _skips(item, _list(stranger, a), bad);
        _skips(item, _list(a, new bytes(65)), bad);
        _skips(item, _list(a, new bytes(0)), bad);
        _skips(item, _list(a, bytes.concat(c, hex"00")), bad);
        _skips(item, _list(a, _malleable(c)), bad);
        bytes[] memory all = new bytes[](3);
        (all[0], all[1], all[2]) = (a, b, c);
        uint256 mark = vm.snapshotState();
        _deliver(gateway, item, all);
        same(minted.sharesOf(friend), SHARE, "more than enough is enough");
        vm.revertToState(mark);
        _deliver(gateway, item, _list(b, c));
        same(minted.sharesOf(friend), SHARE, "any two of three");
    }

    function test_a_removed_attester_no_longer_counts() external {
        address[] memory one = new address[](1);
        one[0] = vm.addr(keys[1]);
        vm.prank(admin);
        gateway.setAttesters(one, 1);
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes32 digest = _digest(gateway, _deliverHash(gateway, item));
        _skips(item, _list(_signature(keys[0], digest)), IGateway.SkipCode.BadSignatures);
        _deliver(gateway, item, _list(_signature(keys[1], digest)));
        yes(!gateway.isAttester(vm.addr(keys[0])), "removed");
        same(gateway.attesters().length, 1, "the list is the new one");
    }

    function _list(bytes memory a) private pure returns (bytes[] memory list) {
        list = new bytes[](1);
        list[0] = a;
    }

    function _list(bytes memory a, bytes memory b) private pure returns (bytes[] memory list) {
        list = new bytes[](2);
        (list[0], list[1]) = (a, b);
    }

    function _malleable(bytes memory signature) private pure returns (bytes memory) {
        (bytes32 r, bytes32 s, uint8 v) = (bytes32(0), bytes32(0), uint8(signature[64]));
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
        }
        uint256 order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        return abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27));
    }
}
