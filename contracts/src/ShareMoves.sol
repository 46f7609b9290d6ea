// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGateway} from "./IGateway.sol";
import {IXStock} from "./IXStock.sol";

/// @title Exact movements of shares through an xStock, whose mint and burn speak of rounded balances
/// @notice Every movement is checked by `sharesOf`. At a multiplier of 1 or more all of them are exact. Below 1 a
/// balance unit is more than one share-wei: a mint may create, and a burn may leave, up to `1e18 / multiplier + 1`
/// share-wei more than asked. That residue stays with the gateway, inside `held`, and is nobody's.
library ShareMoves {
    uint256 private constant ONE = 1e18;

    /// @dev Takes exactly `shares` from `from` by allowance. Reverts: the token's refusal, `EffectMismatch`.
    function pull(IXStock token, address from, uint256 shares) internal {
        uint256 before = token.sharesOf(address(this));
        token.transferSharesFrom(from, address(this), shares);
        _require(token.sharesOf(address(this)) == before + shares);
    }

    /// @dev Burns `shares` of the gateway, or, below a multiplier of 1, as much of them as whole balance units hold.
    function burn(IXStock token, uint256 shares) internal {
        uint256 multiplier = _multiplier(token);
        Math.Rounding rounding = multiplier < ONE ? Math.Rounding.Floor : Math.Rounding.Ceil;
        uint256 before = token.sharesOf(address(this));
        token.burn(address(this), Math.mulDiv(shares, multiplier, ONE, rounding));
        uint256 left = token.sharesOf(address(this));
        // before >= shares: they were pulled in this very call.
        uint256 least = before - shares;
        _require(left >= least && left - least <= _residue(multiplier));
    }

    /// @dev Mints at least `shares` to the gateway: the fewest balance units that hold them.
    function mint(IXStock token, uint256 shares) internal {
        uint256 multiplier = _multiplier(token);
        uint256 least = token.sharesOf(address(this)) + shares;
        token.mint(address(this), Math.mulDiv(shares, multiplier, ONE, Math.Rounding.Ceil));
        uint256 now_ = token.sharesOf(address(this));
        _require(now_ >= least && now_ - least <= _residue(multiplier));
    }

    /// @dev Pays exactly `shares` of the gateway to `to`; the token checks its sanctions list.
    function pay(IXStock token, address to, uint256 shares) internal {
        uint256 before = token.sharesOf(to);
        uint256 own = token.sharesOf(address(this));
        token.transferShares(to, shares);
        _require(token.sharesOf(to) == before + shares && token.sharesOf(address(this)) == own - shares);
    }

    function _multiplier(IXStock token) private view returns (uint256 multiplier) {
        (multiplier,,) = token.getCurrentMultiplier();
    }

    function _residue(uint256 multiplier) private pure returns (uint256) {
        return multiplier < ONE ? ONE / multiplier + 1 : 0;
    }

    function _require(bool exact) private pure {
        if (!exact) revert IGateway.EffectMismatch();
    }
}
