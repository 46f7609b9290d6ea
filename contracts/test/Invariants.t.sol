// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IGateway} from "../src/IGateway.sol";
import {Check} from "./Check.sol";
import {Traffic} from "./Traffic.sol";

/// @notice What no history may break.
contract InvariantsTest is Check {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Traffic private traffic;

    function setUp() external {
        traffic = new Traffic();
        traffic.setUp();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(traffic);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        // Deposits and deliveries are named twice so that they are drawn twice as often.
        bytes4[13] memory acts = [
            traffic.deposit.selector,
            traffic.deposit.selector,
            traffic.deliver.selector,
            traffic.deliver.selector,
            traffic.depositOnSolana.selector,
            traffic.voidSome.selector,
            traffic.refundSome.selector,
            traffic.donate.selector,
            traffic.changeMultiplier.selector,
            traffic.pauseToken.selector,
            traffic.issue.selector,
            traffic.moveInventory.selector,
            traffic.passTime.selector
        ];
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(traffic), new bytes4[](14));
        for (uint256 i = 0; i < acts.length; ++i) {
            list[0].selectors[i] = acts[i];
        }
        list[0].selectors[13] = traffic.pauseGateway.selector;
    }

    /// @notice One campaign for all of them: every history is held against every invariant after every act.
    function invariant_the_books_hold() public view {
        _no_id_ends_twice_or_in_two_ways();
        _counters_are_the_sums_of_the_events();
        _bridge_traffic_never_changes_k();
        _nothing_leaves_without_a_deposit();
        _the_vault_covers_what_it_owes();
    }

    /// @notice The traffic is no idle one: a long history reaches every fate and every reason it can.
    function test_the_traffic_reaches_every_fate_and_reason() external {
        for (uint256 i = 0; i < 800; ++i) {
            _act(uint256(keccak256(abi.encode("act", i))));
            if (i % 100 == 0) invariant_the_books_hold();
        }
        invariant_the_books_hold();
        (uint256 delivered, uint256 voided, uint256 refunded) = (0, 0, 0);
        for (uint256 i = 0; i < traffic.flightCount(); ++i) {
            (,,,, bytes32 id,,) = traffic.flights(i);
            delivered += traffic.deliveredTimes(id);
            voided += traffic.voidedTimes(id);
            refunded += traffic.refundedTimes(id);
        }
        yes(delivered > 40, "many are delivered");
        yes(voided > 10, "many are voided");
        yes(refunded > 5, "many are refunded");
        IGateway.SkipCode[8] memory reasons = [
            IGateway.SkipCode.AlreadyDone,
            IGateway.SkipCode.Voided,
            IGateway.SkipCode.Delivered,
            IGateway.SkipCode.BadSignatures,
            IGateway.SkipCode.UnknownSource,
            IGateway.SkipCode.CapExceeded,
            IGateway.SkipCode.TokenPaused,
            IGateway.SkipCode.InventoryShort
        ];
        for (uint256 i = 0; i < reasons.length; ++i) {
            uint256 code = uint256(reasons[i]);
            if (traffic.skips(code) == 0) same(code, 0, "a reason that does not occur");
        }
    }

    function _act(uint256 seed) private {
        uint256 which = seed % 16;
        seed = uint256(keccak256(abi.encode(seed)));
        uint256 more = uint256(keccak256(abi.encode(seed)));
        if (which < 3) traffic.deposit(seed, more);
        else if (which == 3) traffic.passTime(more);
        else if (which < 8) traffic.deliver(seed);
        else if (which == 8) traffic.depositOnSolana(seed, more);
        else if (which == 9) traffic.voidSome(seed);
        else if (which == 10) traffic.refundSome(seed);
        else if (which == 11) traffic.donate(seed, more);
        else if (which == 12) traffic.changeMultiplier(seed, more);
        else if (which == 13) traffic.pauseToken(seed);
        else if (which == 14) traffic.moveInventory(seed, more);
        else traffic.pauseGateway(seed);
    }

    function _no_id_ends_twice_or_in_two_ways() private view {
        for (uint256 i = 0; i < traffic.flightCount(); ++i) {
            (uint8 from, uint8 to,,, bytes32 id,,) = traffic.flights(i);
            uint256 delivered = traffic.deliveredTimes(id);
            uint256 voided = traffic.voidedTimes(id);
            uint256 refunded = traffic.refundedTimes(id);
            yes(delivered + voided <= 1, "delivered or voided, once");
            yes(refunded <= voided, "refunded once, and only what was voided");
            bytes32 mark = traffic.gateways(to).processed(id);
            yes((mark == bytes32(uint256(1))) == (voided == 1), "the mark says voided");
            yes((mark != 0) == (delivered + voided == 1), "the mark says processed");
            if (from < 2) yes(traffic.gateways(from).refunded(id) == (refunded == 1), "the mark says refunded");
        }
    }

    function _counters_are_the_sums_of_the_events() private view {
        for (uint256 i = 0; i < 6; ++i) {
            IGateway.TokenState memory state = traffic.state(i % 2, i / 2);
            (uint256 deposited, uint256 delivered, uint256 refunded) = traffic.sums(state.token);
            same(state.deposited, deposited, "deposited");
            same(state.delivered, delivered, "delivered");
            same(state.refunded, refunded, "refunded");
            same(traffic.friendShares(i % 2, i / 2), delivered, "the recipient has the exact shares");
        }
    }

    function _bridge_traffic_never_changes_k() private view {
        for (uint256 i = 0; i < 6; ++i) {
            address token = address(traffic.tokens(i % 2, i / 2));
            same(traffic.k(i % 2, i / 2), traffic.issued(token), "K is what the issuer has in circulation");
        }
    }

    function _nothing_leaves_without_a_deposit() private view {
        for (uint256 a = 0; a < 3; ++a) {
            IGateway.TokenState memory here = traffic.state(0, a);
            IGateway.TokenState memory there = traffic.state(1, a);
            uint256 given = here.delivered + here.refunded + there.delivered + there.refunded;
            uint256 taken = here.deposited + there.deposited + traffic.solanaDeposits(a);
            yes(given <= taken, "no more out than in");
        }
    }

    function _the_vault_covers_what_it_owes() private view {
        for (uint256 i = 0; i < 6; ++i) {
            IGateway.TokenState memory state = traffic.state(i % 2, i / 2);
            if (state.mode != IGateway.Mode.LockRelease) continue;
            int256 owed = state.inventory + int256(state.deposited) - int256(state.delivered)
                - int256(state.refunded);
            same(int256(state.held), owed + int256(traffic.donated(state.token)), "held is owed and donated");
        }
    }
}
