// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IGateway} from "../src/IGateway.sol";
import {World} from "./World.sol";

/// @notice Shares are conserved at any multiplier, above and below 1.
contract RoundingTest is World {
    function _amount(uint256 seed) private pure returns (uint256) {
        return within(seed, 1, 50_000_000_000) * 1e10; // up to 500 shares
    }

    function _rate(uint256 seed) private pure returns (uint256) {
        return within(seed >> 128, 0, 1) == 0 ? within(seed, 1e9, 1e18) : within(seed, 1e18, 1e24);
    }

    function _residue(uint256 rate) private pure returns (uint256) {
        return rate < 1e18 ? 1e18 / rate + 1 : 0;
    }

    function test_a_delivery_pays_exact_shares_at_any_multiplier(uint256 a, uint256 m) external {
        (uint256 shares, uint256 rate) = (_amount(a), _rate(m));
        _multiplier(minted, rate);
        int256 k = _k(gateway, minted);
        uint256 total = minted.totalShares();
        _deliver(_delivery(address(minted), shares, 0));
        same(minted.sharesOf(friend), shares, "the exact shares");
        uint256 made = minted.totalShares() - total;
        yes(made >= shares && made - shares <= _residue(rate), "minted no more than rounding needs");
        same(_state(gateway, minted).held, made - shares, "the residue is held");
        same(_k(gateway, minted), k, "K");
    }

    function test_a_deposit_takes_exact_shares_at_any_multiplier(uint256 a, uint256 m) external {
        (uint256 shares, uint256 rate) = (_amount(a), _rate(m));
        _multiplier(minted, rate);
        int256 k = _k(gateway, minted);
        uint256 total = minted.totalShares();
        IGateway.RefundItem memory item = _deposit(minted, shares);
        uint256 gone = total - minted.totalShares();
        yes(gone <= shares && shares - gone <= _residue(rate), "burned no less than rounding needs");
        same(minted.sharesOf(user), 1000 * SHARE - shares, "the exact shares");
        same(_state(gateway, minted).held, shares - gone, "the residue is held");
        same(_k(gateway, minted), k, "K after the deposit");
        _refund(item);
        same(minted.sharesOf(user), 1000 * SHARE, "whole again");
        same(_k(gateway, minted), k, "K after the refund");
    }

    function test_the_multiplier_may_change_between_deposit_and_refund(uint256 a, uint256 m, uint256 n) external {
        _multiplier(minted, _rate(m));
        int256 k = _k(gateway, minted);
        IGateway.RefundItem memory item = _deposit(minted, _amount(a));
        _multiplier(minted, _rate(n));
        same(_k(gateway, minted), k, "a multiplier changes no shares");
        _refund(item);
        same(_k(gateway, minted), k, "K");
        same(minted.sharesOf(user), 1000 * SHARE, "whole again");
    }

    function test_locked_shares_never_round(uint256 a, uint256 m) external {
        (uint256 shares, uint256 rate) = (_amount(a), _rate(m));
        _multiplier(locked, rate);
        int256 k = _k(gateway, locked);
        _deposit(locked, shares);
        same(_state(gateway, locked).held, 500 * SHARE + shares, "held");
        _deliver(_delivery(address(locked), shares, 0));
        same(_state(gateway, locked).held, 500 * SHARE, "released");
        same(_k(gateway, locked), k, "K");
    }
}
