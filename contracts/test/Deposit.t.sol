// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {OpenToken, World} from "./World.sol";

/// @notice What a deposit takes, stores and says, and what it refuses.
contract DepositTest is World {
    bytes32 private constant TO = bytes32(uint256(0x41) << 160 | 0xBEEF);
    bytes32 private constant KEY = keccak256("a solana key");

    function _try(uint256 shares, bytes32 destination, bytes32 recipient, address refundTo) private {
        vm.prank(user);
        gateway.deposit{value: FEE}(address(minted), shares, destination, recipient, refundTo);
    }

    function test_a_burn_takes_stores_and_says_the_exact_shares() external {
        bytes32 id = keccak256(
            abi.encode(TAG, HERE, bytes32(uint256(uint160(address(gateway)))), TRON, uint64(0))
        );
        vm.expectEmit(true, true, true, true, address(gateway));
        emit IGateway.Deposited(id, 0, address(minted), TRON, user, friend, TO, 3 * SHARE);
        vm.prank(user);
        bytes32 answered = gateway.deposit{value: FEE}(address(minted), 3 * SHARE, TRON, TO, friend);
        same(answered, id, "the id is the location");
        same(minted.totalShares(), 997 * SHARE, "burned");
        same(minted.sharesOf(address(gateway)), 0, "nothing stays");
        same(gateway.nonces(TRON), 1, "counted");
        same(_state(gateway, minted).deposited, 3 * SHARE, "summed");
        bytes32 digest = keccak256(abi.encode(id, address(minted), user, friend, TO, 3 * SHARE));
        same(gateway.depositDigest(id), digest, "digest");
        same(address(gateway).balance, FEE, "fee");
    }

    function test_a_lock_keeps_the_shares() external {
        _deposit(locked, 5 * SHARE);
        same(locked.totalShares(), 1500 * SHARE, "nothing burned");
        same(_state(gateway, locked).held, 505 * SHARE, "held");
        same(_state(gateway, locked).inventory, 500 * int256(SHARE), "the inventory is the operator's alone");
    }

    function test_nonces_count_per_destination_without_gaps() external {
        bytes32[] memory ids = new bytes32[](4);
        for (uint256 i = 0; i < 4; ++i) {
            bytes32 destination = i % 2 == 0 ? TRON : SOLANA;
            vm.prank(user);
            ids[i] = gateway.deposit{value: FEE}(
                address(minted), SHARE, destination, i % 2 == 0 ? TO : KEY, user
            );
            same(ids[i], gateway.depositId(destination, uint64(i / 2)), "id by nonce");
        }
        (bytes32[] memory digests, bool[] memory refunds) = gateway.deposits(ids);
        for (uint256 i = 0; i < 4; ++i) {
            yes(digests[i] != 0 && digests[i] == gateway.depositDigest(ids[i]), "digest in the batch");
            yes(!refunds[i], "not refunded");
        }
    }

    function test_a_gateway_on_tron_writes_itself_with_its_prefix() external {
        Gateway tron = _deploy("tron:0x2b6653dc", 0x41, address(0));
        bytes32 self = bytes32(uint256(0x41) << 160 | uint160(address(tron)));
        same(tron.depositId(HERE, 7), keccak256(abi.encode(TAG, TRON, self, HERE, uint64(7))), "tron id");
    }

    function test_it_refuses_unlisted_destinations_and_its_own_chain() external {
        vm.expectRevert(abi.encodeWithSelector(IGateway.UnlistedDestination.selector, HERE));
        _try(SHARE, HERE, TO, user);
        bytes32 unknown = keccak256("eip155:1");
        vm.expectRevert(abi.encodeWithSelector(IGateway.UnlistedDestination.selector, unknown));
        _try(SHARE, unknown, TO, user);
        vm.prank(admin);
        gateway.setDestination(TRON, IGateway.Kind.None, 0);
        vm.expectRevert(abi.encodeWithSelector(IGateway.UnlistedDestination.selector, TRON));
        _try(SHARE, TRON, TO, user);
    }

    function test_it_refuses_amounts_out_of_bounds() external {
        vm.prank(admin);
        gateway.setBounds(address(minted), TRON, SHARE, 2 * SHARE);
        vm.expectRevert(
            abi.encodeWithSelector(IGateway.AmountOutOfBounds.selector, SHARE - 1e10, SHARE, 2 * SHARE)
        );
        _try(SHARE - 1e10, TRON, TO, user);
        vm.expectRevert(
            abi.encodeWithSelector(IGateway.AmountOutOfBounds.selector, 2 * SHARE + 1e10, SHARE, 2 * SHARE)
        );
        _try(2 * SHARE + 1e10, TRON, TO, user);
        _try(SHARE, TRON, TO, user);
        _try(2 * SHARE, TRON, TO, user);
    }

    function test_it_refuses_dust(uint256 seed) external {
        uint256 shares = within(seed, 1e10, 100 * SHARE);
        vm.assume(shares % 1e10 != 0);
        vm.expectRevert(abi.encodeWithSelector(IGateway.DustyAmount.selector, shares));
        _try(shares, TRON, TO, user);
    }

    function test_it_refuses_closed_and_unlisted_tokens() external {
        vm.prank(admin);
        gateway.setBounds(address(minted), TRON, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IGateway.DepositsClosed.selector, address(minted), TRON));
        _try(SHARE, TRON, TO, user);
        OpenToken other = new OpenToken("X", address(this));
        vm.expectRevert(abi.encodeWithSelector(IGateway.DepositsClosed.selector, address(other), TRON));
        vm.prank(user);
        gateway.deposit{value: FEE}(address(other), SHARE, TRON, TO, user);
    }

    function test_it_wants_exactly_the_fee() external {
        for (uint256 sent = FEE - 1; sent <= FEE + 1; sent += 2) {
            vm.expectRevert(abi.encodeWithSelector(IGateway.WrongFee.selector, sent, FEE));
            vm.prank(user);
            gateway.deposit{value: sent}(address(minted), SHARE, TRON, TO, user);
        }
    }

    function test_it_refuses_recipients_of_another_kind_of_chain(uint160 account, uint88 junk) external {
        vm.assume(account != 0 && junk != 0 && uint256(junk) != 0x41 && account != uint160(address(gateway)));
        bytes32 evm = bytes32(uint256(account));
        bytes32 tron = bytes32(uint256(0x41) << 160 | account);
        bytes32 odd = bytes32(uint256(junk) << 160 | account);
        vm.startPrank(admin);
        bytes32 other = keccak256("eip155:1");
        gateway.setDestination(other, IGateway.Kind.Evm, FEE);
        gateway.setBounds(address(minted), other, 1e10, CAP);
        vm.stopPrank();
        _refusesShape(TRON, evm, IGateway.Kind.Tron);
        _refusesShape(TRON, odd, IGateway.Kind.Tron);
        _refusesShape(TRON, bytes32(uint256(0x41) << 160), IGateway.Kind.Tron);
        _refusesShape(other, tron, IGateway.Kind.Evm);
        _refusesShape(other, odd, IGateway.Kind.Evm);
        _refusesShape(other, bytes32(0), IGateway.Kind.Evm);
        _refusesShape(SOLANA, evm, IGateway.Kind.Solana);
        _refusesShape(SOLANA, tron, IGateway.Kind.Solana);
        _refusesShape(SOLANA, bytes32(0), IGateway.Kind.Solana);
        _try(1e10, TRON, tron, user);
        _try(1e10, other, evm, user);
        _try(1e10, SOLANA, KEY, user);
    }

    function _refusesShape(bytes32 destination, bytes32 recipient, IGateway.Kind kind) private {
        vm.expectRevert(abi.encodeWithSelector(IGateway.BadRecipientShape.selector, recipient, kind));
        _try(1e10, destination, recipient, user);
    }

    function test_it_refuses_gateways_and_tokens_as_recipients() external {
        _refusesRecipient(bytes32(uint256(0x41) << 160 | uint160(address(gateway))));
        _refusesRecipient(bytes32(uint256(0x41) << 160 | uint160(address(locked))));
        vm.prank(admin);
        gateway.setDenied(TRON, TRON_GATEWAY, true);
        _refusesRecipient(TRON_GATEWAY);
        vm.prank(admin);
        gateway.setDenied(TRON, TRON_GATEWAY, false);
        _try(SHARE, TRON, TRON_GATEWAY, user);
    }

    function _refusesRecipient(bytes32 recipient) private {
        vm.expectRevert(abi.encodeWithSelector(IGateway.RecipientDenied.selector, recipient));
        _try(SHARE, TRON, recipient, user);
    }

    function test_it_refuses_to_refund_to_nobody() external {
        address[3] memory bad = [address(0), address(gateway), address(minted)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IGateway.RefundToDenied.selector, bad[i]));
            _try(SHARE, TRON, TO, bad[i]);
        }
    }

    function test_it_fails_whole_where_the_token_refuses() external {
        minted.setPause(true);
        vm.expectRevert("BackedToken: token transfer while paused");
        _try(SHARE, TRON, TO, user);
        minted.setPause(false);
        minted.setSanctioned(user, true);
        vm.expectRevert("BackedToken: sender is sanctioned");
        _try(SHARE, TRON, TO, user);
        minted.setSanctioned(user, false);
        vm.prank(user);
        minted.approve(address(gateway), SHARE - 1);
        vm.expectRevert("ERC20: insufficient allowance");
        _try(SHARE, TRON, TO, user);
        vm.prank(user);
        minted.approve(address(gateway), type(uint256).max);
        minted.setBurner(address(0));
        vm.expectRevert("BackedToken: Only burner");
        _try(SHARE, TRON, TO, user);
        same(gateway.nonces(TRON), 0, "no nonce was used");
        same(minted.sharesOf(user), 1000 * SHARE, "nothing was taken");
    }

    function test_an_approval_given_before_a_split_is_too_small_after_it() external {
        vm.prank(user);
        minted.approve(address(gateway), 10 * SHARE);
        _multiplier(minted, 10e18);
        vm.expectRevert("ERC20: insufficient allowance");
        _try(10 * SHARE, TRON, TO, user);
        _try(SHARE, TRON, TO, user);
        same(minted.allowance(user, address(gateway)), 0, "the allowance is spent in balance units");
    }

    function test_a_token_that_moves_too_little_is_refused() external {
        ShortToken short = new ShortToken("SHORT", address(this));
        _list(gateway, address(short), IGateway.Mode.LockRelease);
        vm.expectRevert(IGateway.EffectMismatch.selector);
        vm.prank(user);
        gateway.deposit{value: FEE}(address(short), SHARE, TRON, TO, user);
    }

    function test_nothing_can_be_sent_to_the_gateway_by_mistake() external {
        (bool done,) = address(gateway).call{value: 1}("");
        yes(!done, "plain native units are refused");
    }
}

/// @notice Says yes to `transferSharesFrom` and moves nothing.
contract ShortToken {
    constructor(string memory, address) {}

    function sharesOf(address) external pure returns (uint256) {
        return 0;
    }

    function getCurrentMultiplier() external pure returns (uint256, uint256, uint256) {
        return (1e18, 0, 0);
    }

    function transferSharesFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }
}
