// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {OpenToken, World} from "./World.sol";

/// @notice Signatures made by eth_account (fixtures/eip712.json) are good for the shipped bytecode.
contract Eip712Test is World {
    string private json;

    function setUp() public override {
        super.setUp();
        json = vm.readFile("test/fixtures/eip712.json");
        vm.chainId(vm.parseJsonUint(json, ".chain_id"));
        gateway = Gateway(_moveTo(address(gateway), vm.parseJsonAddress(json, ".gateway")));
        minted = OpenToken(_moveTo(address(minted), vm.parseJsonAddress(json, ".token")));
        minted.setMinter(address(gateway));
        minted.setBurner(address(gateway));
        user = vm.parseJsonAddress(json, ".sender");
        friend = vm.parseJsonAddress(json, ".recipient");
        vm.deal(user, 1 ether);
        _give(minted, user, 1000 * SHARE);
        _list(gateway, address(minted), IGateway.Mode.BurnMint);
        vm.prank(admin);
        gateway.setAttesters(vm.parseJsonAddressArray(json, ".attesters"), 2);
        same(gateway.epoch(), 2, "the epoch of the fixture");
    }

    function _moveTo(address from, address to) private returns (address) {
        vm.etch(to, from.code);
        vm.copyStorage(from, to);
        return to;
    }

    function _item() private view returns (IGateway.Delivery memory) {
        return IGateway.Delivery(
            vm.parseJsonBytes32(json, ".source"),
            vm.parseJsonBytes32(json, ".origin"),
            7,
            address(minted),
            friend,
            vm.parseJsonUint(json, ".shares"),
            uint64(vm.parseJsonUint(json, ".deadline"))
        );
    }

    function test_a_delivery_signed_in_python_is_paid() external {
        IGateway.Delivery memory item = _item();
        _deliver(gateway, item, vm.parseJsonBytesArray(json, ".deliver"));
        same(minted.sharesOf(friend), item.shares, "paid");
        same(gateway.processed(vm.parseJsonBytes32(json, ".delivered_id")), _content(gateway, item), "the id");
    }

    function test_a_void_signed_in_python_stands() external {
        IGateway.VoidItem memory item = _voiding(_item());
        item.nonce = 8;
        _void(gateway, item, vm.parseJsonBytesArray(json, ".void"));
        same(gateway.processed(vm.parseJsonBytes32(json, ".voided_id")), VOID, "voided");
    }

    function test_a_refund_signed_in_python_is_paid() external {
        IGateway.Delivery memory item = _item();
        bytes32 recipient = vm.parseJsonBytes32(json, ".remote_recipient");
        vm.prank(user);
        gateway.deposit{value: FEE}(address(minted), item.shares, TRON, recipient, user);
        IGateway.RefundItem memory refunding = IGateway.RefundItem(
            TRON, 0, address(minted), user, user, recipient, item.shares, item.deadline
        );
        _refund(gateway, refunding, vm.parseJsonBytesArray(json, ".refund"));
        same(minted.sharesOf(user), 1000 * SHARE, "given back");
        yes(gateway.refunded(vm.parseJsonBytes32(json, ".refunded_id")), "the id");
    }
}
