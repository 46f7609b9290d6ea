// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice The interface of a sanctions list as the token asks it.
interface ISanctionsList {
    /// @notice True for an account that may neither send nor receive nor spend.
    function isSanctioned(address account) external view returns (bool);
}

/// @title A token for devnets and tests that behaves like an xStock of the real issuer
/// @notice Books are kept in shares (1e-18 share); balances, supply, mint, burn, transfer and allowances speak of
/// `floor(shares * multiplier / 1e18)`. Same calls, events, roles, revert strings and oddities as the real one: one
/// minter, one burner that burns its own balance only, a pause over everything, sanctions that mint and burn do not
/// look at, a multiplier with scheduled activation and a fee per period, no getter of the total of shares.
/// @dev Not here: proxy and initializers, permit and delegated transfers, terms, the log of past multipliers.
/// The token is its own sanctions list until the owner sets another.
contract DevnetToken is ERC20, Ownable, ISanctionsList {
    uint256 private constant ONE = 1e18;

    /// @notice The version of the real implementation whose behaviour this one has.
    string public constant VERSION = "1.1.0";

    /// @notice Single addresses, each set by the owner; zero until then.
    address public minter;
    address public burner;
    address public pauser;
    address public multiplierUpdater;
    /// @notice True while nothing moves.
    bool public isPaused;
    /// @notice Who is asked about senders, receivers and spenders.
    ISanctionsList public sanctionsList;

    /// @notice Chain time in seconds from which fee periods count.
    uint256 public lastTimeFeeApplied;
    /// @notice Fee per period, 1e18 = all.
    uint256 public feePerPeriod;
    /// @notice Length of a fee period in seconds. A multiplier can be scheduled only inside the current one.
    uint256 public periodLength = 1 days;
    /// @notice The multiplier (1e18 = 1) and its nonce before, and from, the activation time on.
    uint256 public lastMultiplier = ONE;
    uint256 public lastMultiplierNonce;
    uint256 public newMultiplier = ONE;
    uint256 public newMultiplierNonce;
    /// @notice Chain time in seconds at which `newMultiplier` comes into force; 0 when none is scheduled.
    uint256 public newMultiplierActivationTime;

    uint256 internal _totalShares;
    uint256 private _scheduledUntil;
    mapping(address account => uint256) private _shares;
    mapping(address account => bool) private _sanctioned;

    /// @notice Shares moved, were made (`from` zero) or destroyed (`to` zero).
    event TransferShares(address indexed from, address indexed to, uint256 value);
    /// @notice A multiplier (1e18 = 1) is in force at once.
    event MultiplierUpdated(uint256 value);
    /// @notice A multiplier comes into force at a time (seconds); nothing is said when it does.
    event MultiplierScheduled(uint256 newMultiplier, uint256 activationTime);
    /// @notice A multiplier that was still to come is replaced.
    event MultiplierScheduleOverridden(
        uint256 overriddenMultiplier, uint256 overriddenActivationTime, uint256 newMultiplier, uint256 activationTime
    );
    /// @notice A role has another holder, or the list another place.
    event NewMinter(address indexed newMinter);
    event NewBurner(address indexed newBurner);
    event NewPauser(address indexed newPauser);
    event NewMultiplierUpdater(address indexed newMultiplierUpdater);
    event NewSanctionsList(address indexed newSanctionsList);
    /// @notice Everything stops or goes on.
    event PauseModeChange(bool pauseMode);

    /// @dev Brings a multiplier that came into force, and fees of periods that passed, into the stored state.
    modifier updateMultiplier() {
        (uint256 current, uint256 periods, uint256 nonce) = getCurrentMultiplier();
        lastTimeFeeApplied += periodLength * periods;
        if (lastMultiplier != current) _setMultiplier(current, nonce, 0);
        _;
    }

    /// @param name_ For example `Tesla xStock`.
    /// @param symbol_ For example `TSLAx`.
    /// @param owner_ Gives the roles; nobody has one before.
    constructor(string memory name_, string memory symbol_, address owner_) ERC20(name_, symbol_) Ownable(owner_) {
        lastTimeFeeApplied = block.timestamp;
        sanctionsList = this;
    }

    // ------------------------------------------------------------------ roles

    /// @notice Owner only.
    function setMinter(address newMinter) external onlyOwner {
        minter = newMinter;
        emit NewMinter(newMinter);
    }

    /// @notice Owner only.
    function setBurner(address newBurner) external onlyOwner {
        burner = newBurner;
        emit NewBurner(newBurner);
    }

    /// @notice Owner only.
    function setPauser(address newPauser) external onlyOwner {
        pauser = newPauser;
        emit NewPauser(newPauser);
    }

    /// @notice Owner only.
    function setMultiplierUpdater(address newMultiplierUpdater) external onlyOwner {
        multiplierUpdater = newMultiplierUpdater;
        emit NewMultiplierUpdater(newMultiplierUpdater);
    }

    /// @notice Owner only. Reverts unless the list answers that the token itself is not sanctioned.
    function setSanctionsList(address newList) external onlyOwner {
        require(!ISanctionsList(newList).isSanctioned(address(this)), "BackedToken: Wrong List interface");
        sanctionsList = ISanctionsList(newList);
        emit NewSanctionsList(newList);
    }

    /// @notice Puts an account on the token's own list, or takes it off. Owner only; the real list is a third party's.
    function setSanctioned(address account, bool sanctioned) external onlyOwner {
        _sanctioned[account] = sanctioned;
    }

    /// @notice Owner only, while no multiplier is scheduled. `newFee` of 1e18 per period.
    function updateFeePerPeriod(uint256 newFee) external onlyOwner updateMultiplier {
        require(newMultiplierActivationTime == 0, "Multiplier activation in progress");
        feePerPeriod = newFee;
    }

    /// @notice Owner only, while no multiplier is scheduled. Seconds.
    function setPeriodLength(uint256 newPeriodLength) external onlyOwner updateMultiplier {
        require(newMultiplierActivationTime == 0, "Multiplier activation in progress");
        periodLength = newPeriodLength;
    }

    /// @notice Stops or restores every transfer, mint and burn. Pauser only.
    function setPause(bool newPauseMode) external {
        require(msg.sender == pauser, "BackedToken: Only pauser");
        isPaused = newPauseMode;
        emit PauseModeChange(newPauseMode);
    }

    /// @notice Sets the multiplier, at once or at `activationTime` (seconds, inside the current period), if `old` is
    /// still in force. Multiplier updater only. A pending one is overridden.
    function updateMultiplierValue(uint256 pending, uint256 old, uint256 activationTime) external updateMultiplier {
        _replace(pending, old, lastMultiplierNonce + 1, activationTime);
    }

    /// @notice `updateMultiplierValue` with a nonce above the current one.
    function updateMultiplierWithNonce(uint256 pending, uint256 old, uint256 nonce, uint256 activationTime)
        external
        updateMultiplier
    {
        (,, uint256 currentNonce) = getCurrentMultiplier();
        require(currentNonce < nonce, "BackedToken: Multiplier nonce is outdated.");
        _replace(pending, old, nonce, activationTime);
    }

    // ------------------------------------------------------------------ movements

    /// @notice Creates `amount` balance units for `account`. Minter only. Sanctions are not looked at.
    function mint(address account, uint256 amount) external {
        require(msg.sender == minter, "BackedToken: Only minter");
        require(account != address(0), "ERC20: mint to the zero address");
        _update(address(0), account, amount);
    }

    /// @notice Destroys `amount` balance units of the burner itself, or of the token contract. Burner only.
    function burn(address account, uint256 amount) external {
        require(msg.sender == burner, "BackedToken: Only burner");
        require(account == msg.sender || account == address(this), "BackedToken: Cannot burn account");
        _update(account, address(0), amount);
    }

    /// @notice Moves exactly `shares` of the caller.
    function transferShares(address to, uint256 shares) external updateMultiplier returns (bool) {
        _moveShares(msg.sender, to, shares, shares * lastMultiplier / ONE);
        return true;
    }

    /// @notice Moves exactly `shares` of `from`; the allowance is spent in balance units.
    function transferSharesFrom(address from, address to, uint256 shares) external updateMultiplier returns (bool) {
        uint256 amount = shares * lastMultiplier / ONE;
        _spendAllowance(from, msg.sender, amount);
        _moveShares(from, to, shares, amount);
        return true;
    }

    // ------------------------------------------------------------------ reads

    /// @inheritdoc ISanctionsList
    function isSanctioned(address account) external view override returns (bool) {
        return _sanctioned[account];
    }

    /// @notice Shares of `account`.
    function sharesOf(address account) public view returns (uint256) {
        return _shares[account];
    }

    /// @notice Balance units of `account`: `floor(shares * multiplier / 1e18)`.
    function balanceOf(address account) public view override returns (uint256) {
        return _amount(_shares[account]);
    }

    /// @notice Balance units of all: `floor(total shares * multiplier / 1e18)`.
    function totalSupply() public view override returns (uint256) {
        return _amount(_totalShares);
    }

    /// @notice The multiplier in force by this block's time, fee periods passed, and its nonce.
    function getCurrentMultiplier() public view returns (uint256 current, uint256 periods, uint256 nonce) {
        if (block.timestamp < newMultiplierActivationTime) return (lastMultiplier, 0, lastMultiplierNonce);
        periods = (block.timestamp - lastTimeFeeApplied) / periodLength;
        current = newMultiplier;
        nonce = newMultiplierNonce;
        if (feePerPeriod > 0) {
            for (uint256 i = 0; i < periods; ++i) {
                current = current * (ONE - feePerPeriod) / ONE;
            }
            nonce += periods;
        }
    }

    /// @notice The multiplier without fees of periods that passed since it was stored.
    function multiplier() external view returns (uint256) {
        return block.timestamp >= newMultiplierActivationTime ? newMultiplier : lastMultiplier;
    }

    /// @notice The nonce that belongs to `multiplier`.
    function multiplierNonce() external view returns (uint256) {
        return block.timestamp >= newMultiplierActivationTime ? newMultiplierNonce : lastMultiplierNonce;
    }

    /// @notice `floor(amount * 1e18 / multiplier)`.
    function getSharesByUnderlyingAmount(uint256 amount) external view returns (uint256) {
        return _sharesOf(amount);
    }

    /// @notice `floor(shares * multiplier / 1e18)`.
    function getUnderlyingAmountByShares(uint256 shares) external view returns (uint256) {
        return _amount(shares);
    }

    // ------------------------------------------------------------------ inside

    /// @dev Every mint, burn and transfer by balance units ends here.
    function _update(address from, address to, uint256 amount) internal override updateMultiplier {
        _moveShares(from, to, _sharesOf(amount), amount);
    }

    function _spendAllowance(address owner_, address spender, uint256 amount) internal override {
        require(!sanctionsList.isSanctioned(spender), "BackedToken: spender is sanctioned");
        uint256 current = allowance(owner_, spender);
        if (current == type(uint256).max) return;
        require(current >= amount, "ERC20: insufficient allowance");
        _approve(owner_, spender, current - amount, false);
    }

    function _moveShares(address from, address to, uint256 shares, uint256 amount) private {
        require(!isPaused, "BackedToken: token transfer while paused");
        if (from != address(0) && to != address(0)) {
            require(!sanctionsList.isSanctioned(from), "BackedToken: sender is sanctioned");
            require(!sanctionsList.isSanctioned(to), "BackedToken: receiver is sanctioned");
        }
        if (from == address(0)) {
            _totalShares += shares;
        } else {
            string memory why = to == address(0)
                ? "ERC20: burn amount exceeds balance"
                : "ERC20: transfer amount exceeds balance";
            require(_shares[from] >= shares, why);
            _shares[from] -= shares;
        }
        if (to == address(0)) _totalShares -= shares;
        else _shares[to] += shares;
        emit Transfer(from, to, amount);
        emit TransferShares(from, to, shares);
    }

    function _replace(uint256 pending, uint256 old, uint256 nonce, uint256 activationTime) private {
        require(msg.sender == multiplierUpdater, "BackedToken: Only multiplier updater");
        (uint256 current,,) = getCurrentMultiplier();
        require(current == old, "BackedToken: Multiplier changed in the meantime");
        uint256 formerMultiplier = newMultiplier;
        _setMultiplier(pending, nonce, activationTime);
        uint256 takesEffect = activationTime > block.timestamp ? activationTime : block.timestamp;
        if (_scheduledUntil > block.timestamp) {
            emit MultiplierScheduleOverridden(formerMultiplier, _scheduledUntil, pending, takesEffect);
        }
        _scheduledUntil = takesEffect;
    }

    function _setMultiplier(uint256 pending, uint256 nonce, uint256 activationTime) private {
        require(pending != 0, "BackedToken: Multiplier cannot be zero");
        require(
            activationTime < lastTimeFeeApplied + periodLength,
            "BackedToken: Activation time needs to be before next period"
        );
        newMultiplier = pending;
        newMultiplierNonce = nonce;
        if (activationTime > block.timestamp) {
            newMultiplierActivationTime = activationTime;
            emit MultiplierScheduled(pending, activationTime);
        } else {
            newMultiplierActivationTime = 0;
            lastMultiplier = pending;
            lastMultiplierNonce = nonce;
            emit MultiplierUpdated(pending);
        }
    }

    function _amount(uint256 shares) private view returns (uint256) {
        (uint256 current,,) = getCurrentMultiplier();
        return shares * current / ONE;
    }

    function _sharesOf(uint256 amount) private view returns (uint256) {
        (uint256 current,,) = getCurrentMultiplier();
        return amount * ONE / current;
    }
}
