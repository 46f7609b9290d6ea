// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Gateway} from "../src/Gateway.sol";
import {IGateway} from "../src/IGateway.sol";
import {Vm} from "./Check.sol";
import {OpenToken, World} from "./World.sol";

/// @notice Random histories over two gateways and a located source, with honest attesters and everybody else at
/// their worst: every signature is used again and again, items are tampered with, tokens pause, multipliers jump.
/// What must have happened is kept beside it, from the events alone.
contract Traffic is World {
    uint256 public constant ASSETS = 3; // minted on both, locked on both, minted here and locked there
    uint256 private constant SMALL_CAP = 120 * SHARE;

    struct Flight {
        uint8 from; // 0 and 1 are the gateways, 2 is Solana
        uint8 to;
        uint8 asset;
        uint64 nonce;
        bytes32 id;
        bytes32 origin;
        uint256 shares;
    }

    struct Sums {
        uint256 deposited;
        uint256 delivered;
        uint256 refunded;
    }

    struct Paid {
        uint256 at;
        uint256 shares;
    }

    Gateway[2] public gateways;
    OpenToken[3][2] public tokens;
    Flight[] public flights;
    mapping(bytes32 id => uint256) public deliveredTimes;
    mapping(bytes32 id => uint256) public voidedTimes;
    mapping(bytes32 id => uint256) public refundedTimes;
    mapping(address token => Sums) public sums; // of the events
    mapping(address token => int256) public issued; // what K must be
    mapping(address token => uint256) public donated;
    mapping(address token => Paid[]) private _paid;
    uint256[3] public solanaDeposits;
    mapping(uint256 code => uint256) public skips;
    bytes32[3] private names = [HERE, TRON, SOLANA];

    function setUp() public override {
        vm.warp(1_760_000_000);
        _makeKeys();
        gateways[0] = _deploy("eip155:56", 0, address(0));
        gateways[1] = _deploy("tron:0x2b6653dc", 0x41, address(0));
        for (uint256 c = 0; c < 2; ++c) {
            _open(gateways[c], SOLANA, IGateway.Kind.Solana, IGateway.SourceKind.Located);
            IGateway.Kind kind = c == 0 ? IGateway.Kind.Tron : IGateway.Kind.Evm;
            _open(gateways[c], names[1 - c], kind, IGateway.SourceKind.Counted);
            vm.prank(admin);
            gateways[c].setSourceGateway(names[1 - c], _wide(1 - c), true);
            for (uint256 a = 0; a < ASSETS; ++a) {
                _serve(c, a);
            }
        }
        vm.deal(user, 1e30);
    }

    function _serve(uint256 c, uint256 a) private {
        gateway = gateways[c];
        OpenToken token = _token("TEST", gateway);
        tokens[c][a] = token;
        vm.startPrank(admin);
        gateway.setToken(address(token), _mode(c, a), SMALL_CAP, WINDOW);
        gateway.setBounds(address(token), names[1 - c], 1e10, CAP);
        gateway.setBounds(address(token), SOLANA, 1e10, CAP);
        vm.stopPrank();
        _give(token, user, 2000 * SHARE);
        if (_mode(c, a) == IGateway.Mode.LockRelease) {
            vm.prank(user);
            gateway.addInventory(address(token), 50 * SHARE);
        }
        issued[address(token)] = 2000 * int256(SHARE);
    }

    function _mode(uint256 c, uint256 a) private pure returns (IGateway.Mode) {
        return a == 0 || (a == 2 && c == 0) ? IGateway.Mode.BurnMint : IGateway.Mode.LockRelease;
    }

    function _wide(uint256 c) private view returns (bytes32) {
        return bytes32((c == 1 ? uint256(0x41) << 160 : 0) | uint160(address(gateways[c])));
    }

    function _wideFriend(uint256 c) private view returns (bytes32) {
        return bytes32((c == 1 ? uint256(0x41) << 160 : 0) | uint160(friend));
    }

    // ------------------------------------------------------------------ users

    function deposit(uint256 seed, uint256 amount) external {
        (uint256 c, uint256 a) = (seed % 2, seed / 2 % ASSETS);
        OpenToken token = tokens[c][a];
        uint256 shares = within(amount, 1, 6_000_000_000) * 1e10;
        uint64 nonce = gateways[c].nonces(names[1 - c]);
        bool expected = gateways[c].paused() & 1 == 0 && !token.isPaused() && token.sharesOf(user) >= shares;
        vm.recordLogs();
        vm.prank(user);
        (bool done, bytes memory answer) = address(gateways[c]).call{value: FEE}(
            abi.encodeCall(Gateway.deposit, (address(token), shares, names[1 - c], _wideFriend(1 - c), user))
        );
        yes(done == expected, "a deposit is taken exactly when nothing speaks against it");
        _fold();
        if (!done) return;
        Flight memory flight =
            Flight(uint8(c), uint8(1 - c), uint8(a), nonce, abi.decode(answer, (bytes32)), _wide(c), shares);
        flights.push(flight);
        same(sums[address(token)].deposited, _state(gateways[c], token).deposited, "counted");
    }

    function depositOnSolana(uint256 seed, uint256 amount) external {
        (uint256 c, uint256 a) = (seed % 2, seed / 2 % ASSETS);
        uint256 shares = within(amount, 1, 6_000_000_000) * 1e10;
        bytes32 id = keccak256(abi.encode("solana", flights.length));
        flights.push(Flight(2, uint8(c), uint8(a), 0, id, id, shares));
        solanaDeposits[a] += shares;
    }

    function donate(uint256 seed, uint256 amount) external {
        (uint256 c, uint256 a) = (seed % 2, seed / 2 % ASSETS);
        OpenToken token = tokens[c][a];
        if (token.isPaused()) return;
        uint256 shares = within(amount, 0, token.sharesOf(user) / 100);
        vm.prank(user);
        token.transferShares(address(gateways[c]), shares);
        donated[address(token)] += shares;
        issued[address(token)] -= int256(shares);
    }

    // ------------------------------------------------------------------ attesters and relayers

    /// @notice A batch of three random flights, whatever became of them, and a tampered one.
    function deliver(uint256 seed) external {
        if (flights.length == 0) return;
        uint256 c = flights[seed % flights.length].to;
        IGateway.Delivery[] memory items = new IGateway.Delivery[](4);
        bytes[][] memory all = new bytes[][](4);
        for (uint256 i = 0; i < 4; ++i) {
            uint256 which = i == 0 ? seed : uint256(keccak256(abi.encode(seed, i)));
            Flight memory flight = flights[which % flights.length];
            uint64 deadline = uint64(block.timestamp);
            address token = address(tokens[flight.to][flight.asset]);
            items[i] = IGateway.Delivery(
                names[flight.from], flight.origin, flight.nonce, token, friend, flight.shares, deadline
            );
            Gateway at = gateways[flight.to];
            all[i] = _sign(at, _deliverHash(at, items[i]));
        }
        if (seed >> 8 & 1 == 0) items[3].shares *= 2;
        else items[3].recipient = user;
        vm.recordLogs();
        try gateways[c].deliver(items, all) {
            yes(gateways[c].paused() & 2 == 0, "open");
        } catch {
            yes(gateways[c].paused() & 2 != 0, "paused");
        }
        _fold();
    }

    function voidSome(uint256 seed) external {
        if (flights.length == 0) return;
        Flight memory flight = flights[seed % flights.length];
        Gateway at = gateways[flight.to];
        IGateway.VoidItem memory item =
            IGateway.VoidItem(names[flight.from], flight.origin, flight.nonce, uint64(block.timestamp));
        bytes[] memory signatures = _sign(at, _voidHash(at, item));
        if (seed >> 128 & 3 == 0) signatures = new bytes[](2);
        vm.recordLogs();
        _void(at, item, signatures);
        _fold();
    }

    /// @notice Honest attesters sign a refund only when the void is final; asked for all others, they sign junk.
    function refundSome(uint256 seed) external {
        if (flights.length == 0) return;
        Flight memory flight = flights[seed % flights.length];
        for (uint256 i = 0; seed >> 128 & 3 != 0 && i < flights.length; ++i) {
            if (voidedTimes[flight.id] > refundedTimes[flight.id] && flight.from < 2) break;
            flight = flights[(seed % flights.length + i) % flights.length];
        }
        if (flight.from == 2) return;
        Gateway at = gateways[flight.from];
        IGateway.RefundItem memory item = IGateway.RefundItem(
            names[flight.to],
            flight.nonce,
            address(tokens[flight.from][flight.asset]),
            user,
            user,
            _wideFriend(flight.to),
            flight.shares,
            uint64(block.timestamp)
        );
        bool final_ = gateways[flight.to].processed(flight.id) == VOID;
        bytes[] memory signatures = final_ ? _sign(at, _refundHash(at, item)) : _sign(at, bytes32(seed));
        vm.recordLogs();
        try this.refundOne(at, item, signatures) {
            yes(at.paused() & 4 == 0, "open");
        } catch {
            yes(at.paused() & 4 != 0, "paused");
        }
        _fold();
    }

    function refundOne(Gateway at, IGateway.RefundItem memory item, bytes[] memory signatures) external {
        _refund(at, item, signatures);
    }

    // ------------------------------------------------------------------ issuer, operator, time

    function changeMultiplier(uint256 seed, uint256 rate) external {
        OpenToken token = tokens[seed % 2][seed / 2 % ASSETS];
        rate = seed >> 128 & 1 == 0 ? within(rate, 1e12, 1e18) : within(rate, 1e18, 1e22);
        _multiplier(token, rate);
    }

    function pauseToken(uint256 seed) external {
        OpenToken token = tokens[seed % 2][seed / 2 % ASSETS];
        token.setPause(seed >> 128 & 3 == 0);
    }

    function issue(uint256 seed, uint256 amount) external {
        OpenToken token = tokens[seed % 2][seed / 2 % ASSETS];
        if (token.isPaused()) return;
        gateway = gateways[seed % 2];
        uint256 before = token.totalShares();
        _give(token, user, within(amount, 0, 100 * SHARE));
        issued[address(token)] += int256(token.totalShares() - before);
    }

    function pauseGateway(uint256 seed) external {
        Gateway at = gateways[seed % 2];
        uint8 flags = uint8(within(seed >> 8, 1, 7));
        if (at.paused() == 0 && seed >> 128 & 3 == 0) {
            vm.prank(guardian);
            at.pause(flags);
        } else if (at.paused() != 0) {
            uint8 all = at.paused();
            vm.prank(admin);
            at.unpause(all);
        }
    }

    function moveInventory(uint256 seed, uint256 amount) external {
        uint256 a = 1 + seed / 2 % 2;
        uint256 c = a == 2 ? 1 : seed % 2;
        OpenToken token = tokens[c][a];
        if (token.isPaused()) return;
        bool add = seed >> 128 & 1 == 0;
        uint256 most = add ? token.sharesOf(user) / 20 : token.sharesOf(address(gateways[c]));
        uint256 shares = within(amount, 0, most);
        vm.prank(add ? user : admin);
        if (add) gateways[c].addInventory(address(token), shares);
        else gateways[c].withdrawInventory(address(token), user, shares);
    }

    function passTime(uint256 seed) external {
        vm.warp(block.timestamp + within(seed, 1, WINDOW / 2));
        vm.roll(block.number + 1);
    }

    // ------------------------------------------------------------------ the books beside it

    function flightCount() external view returns (uint256) {
        return flights.length;
    }

    function k(uint256 c, uint256 a) external view returns (int256) {
        return _k(gateways[c], tokens[c][a]);
    }

    function state(uint256 c, uint256 a) external view returns (IGateway.TokenState memory) {
        return _state(gateways[c], tokens[c][a]);
    }

    function friendShares(uint256 c, uint256 a) external view returns (uint256) {
        return tokens[c][a].sharesOf(friend);
    }

    function _fold() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(gateways[0]) || logs[i].emitter == address(gateways[1])) _note(logs[i]);
        }
    }

    function _note(Vm.Log memory entry) private {
        bytes32 what = entry.topics[0];
        bytes32 id = entry.topics[1];
        if (what == IGateway.Voided.selector) {
            voidedTimes[id] += 1;
        } else if (what == IGateway.Deposited.selector) {
            (,,,, uint256 shares) = abi.decode(entry.data, (uint64, address, address, bytes32, uint256));
            sums[address(uint160(uint256(entry.topics[2])))].deposited += shares;
        } else if (what == IGateway.Delivered.selector || what == IGateway.Refunded.selector) {
            (,, uint256 shares) = abi.decode(entry.data, (bytes32, address, uint256));
            address token = address(uint160(uint256(entry.topics[3])));
            if (what == IGateway.Refunded.selector) {
                refundedTimes[id] += 1;
                sums[token].refunded += shares;
            } else {
                deliveredTimes[id] += 1;
                sums[token].delivered += shares;
                _checkCap(token, shares);
            }
        } else if (what == IGateway.Skipped.selector) {
            uint256 code = abi.decode(entry.data, (uint256));
            yes(code != uint256(IGateway.SkipCode.Conflict), "honest signatures never conflict");
            yes(code != uint256(IGateway.SkipCode.EffectMismatch), "the token moves exact shares");
            skips[code] += 1;
        }
    }

    /// @dev In any stretch of time no more than the cap, and what of it grew back in that time.
    function _checkCap(address token, uint256 shares) private {
        Paid[] storage paid = _paid[token];
        paid.push(Paid(block.timestamp, shares));
        uint256 total = 0;
        for (uint256 i = paid.length; i > 0; --i) {
            total += paid[i - 1].shares;
            uint256 room = SMALL_CAP + SMALL_CAP * (block.timestamp - paid[i - 1].at) / WINDOW;
            yes(total <= room, "the cap holds over any stretch of time");
        }
    }
}
