// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {World} from "./World.sol";

/// @notice Voids at the destination, refunds at the source, and the line of gateways.
contract VoidRefundTest is World {
    function _skipsVoid(IGateway.VoidItem memory item, bytes[] memory signatures, IGateway.SkipCode code) private {
        bytes32 id = _id(gateway, item.source, item.origin, item.nonce);
        bytes32 before = _fingerprint(id);
        vm.recordLogs();
        _void(gateway, item, signatures);
        same(uint256(_skipCode(id)), uint256(code), "skip code");
        same(_fingerprint(id), before, "a skip changes nothing");
    }

    function _skipsVoid(IGateway.VoidItem memory item, IGateway.SkipCode code) private {
        _skipsVoid(item, _sign(gateway, _voidHash(gateway, item)), code);
    }

    function _skipsRefund(IGateway.RefundItem memory item, bytes[] memory signatures, IGateway.SkipCode code)
        private
    {
        bytes32 id = gateway.depositId(item.destination, item.nonce);
        bytes32 before = _fingerprint(id);
        vm.recordLogs();
        _refund(gateway, item, signatures);
        same(uint256(_skipCode(id)), uint256(code), "skip code");
        same(_fingerprint(id), before, "a skip changes nothing");
    }

    function _skipsRefund(IGateway.RefundItem memory item, IGateway.SkipCode code) private {
        _skipsRefund(item, _sign(gateway, _refundHash(gateway, item)), code);
    }

    function _skipsDelivery(IGateway.Delivery memory item, IGateway.SkipCode code) private {
        bytes32 id = _id(gateway, item.source, item.origin, item.nonce);
        bytes32 before = _fingerprint(id);
        vm.recordLogs();
        _deliver(item);
        same(uint256(_skipCode(id)), uint256(code), "skip code");
        same(_fingerprint(id), before, "a skip changes nothing");
    }

    // ------------------------------------------------------------------ void

    function test_a_void_rules_the_delivery_out_for_ever() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes32 id = _id(gateway, item.source, item.origin, 0);
        vm.expectEmit(true, true, true, true, address(gateway));
        emit IGateway.Voided(id);
        _void(_voiding(item));
        same(gateway.processed(id), VOID, "void stands");
        _skipsDelivery(item, IGateway.SkipCode.Voided);
        _skipsVoid(_voiding(item), IGateway.SkipCode.AlreadyDone);
    }

    function test_a_void_refuses_delivered_ids() external {
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        _deliver(item);
        _skipsVoid(_voiding(item), IGateway.SkipCode.Delivered);
    }

    function test_a_void_needs_its_own_signatures_in_time() external {
        IGateway.VoidItem memory item = _voiding(_delivery(address(minted), SHARE, 0));
        bytes[] memory delivering = _sign(gateway, _deliverHash(gateway, _delivery(address(minted), SHARE, 0)));
        _skipsVoid(item, delivering, IGateway.SkipCode.BadSignatures);
        bytes[] memory next = _sign(gateway, _voidHash(gateway, item));
        item.nonce = 1;
        _skipsVoid(item, next, IGateway.SkipCode.BadSignatures);
        vm.warp(item.deadline + 1);
        _skipsVoid(item, IGateway.SkipCode.Expired);
    }

    function test_a_void_stays_open_while_paused_and_for_closed_sources() external {
        vm.prank(guardian);
        gateway.pause(7);
        vm.startPrank(admin);
        gateway.setSourceGateway(TRON, TRON_GATEWAY, false);
        gateway.setSource(TRON, IGateway.SourceKind.None);
        vm.stopPrank();
        _void(_voiding(_delivery(address(minted), SHARE, 0)));
        same(gateway.processed(_id(gateway, TRON, TRON_GATEWAY, 0)), VOID, "voided");
    }

    function test_a_void_of_a_located_id_and_of_sources_never_listed() external {
        IGateway.VoidItem memory item = _voiding(_delivery(address(minted), SHARE, 0));
        (item.source, item.origin) = (SOLANA, keccak256("location"));
        _void(item);
        same(gateway.processed(item.origin), VOID, "voided");
        item.nonce = 1;
        _skipsVoid(item, IGateway.SkipCode.BadOrigin);
        item.source = keccak256("eip155:1");
        _skipsVoid(item, IGateway.SkipCode.UnknownSource);
    }

    // ------------------------------------------------------------------ refund

    function test_a_refund_mints_the_burned_shares_back_once() external {
        IGateway.RefundItem memory item = _deposit(minted, 9 * SHARE);
        item.refundTo = user;
        bytes32 id = gateway.depositId(TRON, 0);
        vm.expectEmit(true, true, true, true, address(gateway));
        emit IGateway.Refunded(id, gateway.depositDigest(id), TRON, address(minted), user, 9 * SHARE);
        _refund(item);
        same(minted.sharesOf(user), 1000 * SHARE, "whole again");
        same(_state(gateway, minted).refunded, 9 * SHARE, "summed");
        yes(gateway.refunded(id), "marked");
        _skipsRefund(item, IGateway.SkipCode.AlreadyDone);
    }

    function test_a_refund_releases_locked_shares_to_refund_to() external {
        vm.prank(user);
        gateway.deposit{value: FEE}(address(locked), SHARE, TRON, bytes32(uint256(0x41) << 160 | 1), friend);
        IGateway.RefundItem memory item = IGateway.RefundItem(
            TRON, 0, address(locked), user, friend, bytes32(uint256(0x41) << 160 | 1), SHARE, uint64(block.timestamp)
        );
        _refund(item);
        same(locked.sharesOf(friend), SHARE, "refundTo gets it, not the sender");
    }

    function test_a_refund_must_match_the_stored_deposit(uint256 seed) external {
        IGateway.RefundItem memory item = _deposit(minted, SHARE);
        uint256 which = seed % 6;
        if (which == 0) item.nonce += 1 + uint32(seed);
        if (which == 1) item.token = address(locked);
        if (which == 2) item.sender = address(uint160(seed | 1 << 159));
        if (which == 3) item.refundTo = address(uint160(seed | 1 << 159));
        if (which == 4) item.recipient = bytes32(seed | 1 << 255);
        if (which == 5) item.shares += 1e10 * (1 + (seed >> 200));
        _skipsRefund(item, IGateway.SkipCode.UnknownDeposit);
    }

    function test_a_refund_needs_its_own_signatures_in_time() external {
        IGateway.RefundItem memory item = _deposit(minted, SHARE);
        _skipsRefund(item, new bytes[](2), IGateway.SkipCode.BadSignatures);
        bytes[] memory former = _sign(gateway, _refundHash(gateway, item));
        vm.prank(guardian);
        gateway.pause(1);
        _skipsRefund(item, former, IGateway.SkipCode.BadSignatures);
        vm.warp(item.deadline + 1);
        _skipsRefund(item, IGateway.SkipCode.Expired);
    }

    function test_a_refund_is_outside_the_delivery_cap_and_works_while_deliveries_are_paused() external {
        IGateway.RefundItem memory item = _deposit(minted, SHARE);
        vm.prank(admin);
        gateway.setToken(address(minted), IGateway.Mode.BurnMint, 0, WINDOW);
        vm.prank(guardian);
        gateway.pause(3);
        _refund(item);
        same(minted.sharesOf(user), 1000 * SHARE, "given back");
    }

    function test_what_the_token_refuses_waits() external {
        IGateway.RefundItem memory item = _deposit(minted, SHARE);
        minted.setPause(true);
        _skipsRefund(item, IGateway.SkipCode.TokenPaused);
        minted.setPause(false);
        minted.setSanctioned(user, true);
        _skipsRefund(item, IGateway.SkipCode.TokenRefused);
        minted.setSanctioned(user, false);
        _refund(item);
        item = _deposit(locked, SHARE);
        vm.prank(admin);
        gateway.withdrawInventory(address(locked), admin, 501 * SHARE);
        _skipsRefund(item, IGateway.SkipCode.InventoryShort);
    }

    // ------------------------------------------------------------------ the line of gateways

    function _successor() private returns (Gateway next) {
        next = _deploy("eip155:56", 0, address(gateway));
        minted.setMinter(address(next));
        minted.setBurner(address(next));
        _list(next, address(minted), IGateway.Mode.BurnMint);
        _open(next, TRON, IGateway.Kind.Tron, IGateway.SourceKind.Counted);
        vm.prank(admin);
        next.setSourceGateway(TRON, TRON_GATEWAY, true);
    }

    function test_a_successor_refuses_every_id_of_its_line() external {
        IGateway.Delivery memory done = _delivery(address(minted), SHARE, 0);
        IGateway.Delivery memory gone = _delivery(address(minted), SHARE, 1);
        IGateway.Delivery memory open = _delivery(address(minted), SHARE, 2);
        _deliver(done);
        _void(_voiding(gone));
        vm.prank(admin);
        gateway.retire();
        gateway = _successor();
        vm.prank(admin);
        gateway.retire();
        gateway = _successor();
        _skipsDelivery(done, IGateway.SkipCode.AlreadyDone);
        _skipsVoid(_voiding(done), IGateway.SkipCode.Delivered);
        _skipsDelivery(gone, IGateway.SkipCode.Voided);
        _skipsVoid(_voiding(gone), IGateway.SkipCode.AlreadyDone);
        done.shares += 1e10;
        _skipsDelivery(done, IGateway.SkipCode.Conflict);
        _deliver(open);
        bytes32[] memory ids = new bytes32[](4);
        for (uint64 i = 0; i < 4; ++i) {
            ids[i] = _id(gateway, TRON, TRON_GATEWAY, i);
        }
        bytes32[] memory marks = gateway.receipts(ids);
        yes(marks[0] != 0 && marks[0] != VOID && marks[1] == VOID, "marks of the first gateway are known");
        same(marks[2], _content(gateway, open), "and its own");
        same(marks[3], bytes32(0), "open");
    }

    function test_a_successor_waits_until_its_predecessor_is_retired() external {
        Gateway next = _successor();
        IGateway.Delivery memory item = _delivery(address(minted), SHARE, 0);
        bytes[] memory delivering = _sign(next, _deliverHash(next, item));
        bytes[] memory voiding = _sign(next, _voidHash(next, _voiding(item)));
        bytes memory refusal = abi.encodeWithSelector(IGateway.PredecessorActive.selector, address(gateway));
        vm.expectRevert(refusal);
        _deliver(next, item, delivering);
        vm.expectRevert(refusal);
        _void(next, _voiding(item), voiding);
        vm.expectRevert(refusal);
        vm.prank(user);
        next.deposit{value: FEE}(address(minted), SHARE, TRON, TRON_GATEWAY, user);
        vm.prank(admin);
        gateway.retire();
        _deliver(next, item, delivering);
        same(minted.sharesOf(friend), SHARE, "delivered");
    }

    function test_a_retired_gateway_only_refunds() external {
        IGateway.RefundItem memory item = _deposit(minted, SHARE);
        vm.prank(admin);
        gateway.retire();
        IGateway.Delivery memory delivery = _delivery(address(minted), SHARE, 0);
        bytes[] memory signatures = _sign(gateway, _deliverHash(gateway, delivery));
        vm.expectRevert(IGateway.GatewayRetired.selector);
        _deliver(gateway, delivery, signatures);
        vm.expectRevert(IGateway.GatewayRetired.selector);
        _void(gateway, _voiding(delivery), signatures);
        vm.expectRevert(IGateway.GatewayRetired.selector);
        vm.prank(user);
        gateway.deposit{value: FEE}(address(minted), SHARE, TRON, TRON_GATEWAY, user);
        vm.expectRevert(IGateway.GatewayRetired.selector);
        gateway.addInventory(address(locked), SHARE);
        vm.expectRevert(IGateway.GatewayRetired.selector);
        vm.prank(admin);
        gateway.retire();
        _refund(item);
        same(minted.sharesOf(user), 1000 * SHARE, "given back");
    }

    function test_a_predecessor_of_another_chain_is_refused() external {
        bytes memory arguments =
            abi.encode("eip155:97", uint8(0), admin, guardian, _attesters(), uint256(2), address(gateway));
        same(_create(bytes.concat(_creation(), arguments)), address(0), "not deployed");
    }
}
