"""From the bill that was read for the plan to what the page shows of money beyond list price."""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from optimizer.costs.commitments import Commitments
from optimizer.costs.money_evidence import MoneyEvidence
from optimizer.costs.purchase_advice import ADVICE
from optimizer.costs.trend import ForecastMonth, ServiceMonth
from optimizer.dashboard.format import (
    NO_VALUE,
    count,
    date_of,
    dollars,
    dollars_and_cents,
    interval,
    label_in,
    listed,
    region_in,
)
from optimizer.dashboard.view.money import (
    Ahead,
    CommitmentRow,
    FindingRow,
    MonthlyBill,
    MonthRow,
    Net,
    NetRow,
    PurchaseRow,
    ServiceBars,
    TotalsRow,
    Worth,
)
from optimizer.execute.records import History
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import PlanCosts, Saving

ZERO = Decimal(0)
SERVICES = 5  # the palette has room for these and the others together
ROWS = 12


def money_of(history: History) -> MoneyEvidence | None:
    """The bill as it was read for the plan; None when it was not."""
    return history.evidence.money if history.evidence else None


def why_unknown(money: MoneyEvidence | None) -> str:
    """Why there is no bill to show."""
    if money is None:
        return "By month and service: no bill was read for this plan. What is shown is list price."
    notes = " ".join(money.notes) or "Cost Explorer had nothing to show."
    return f"By month and service, effective and stranded cost: {notes} What is shown is list price."


def monthly_bill(money: MoneyEvidence | None, saved: Decimal = ZERO, as_of: date | None = None) -> MonthlyBill | None:
    """None when no month was read.

    `saved` is what accepted changes take off a month, in US dollars: the months ahead are those of the new footprint,
    the month of `as_of` for the days that are left of it.
    """
    if money is None or not money.months:
        return None
    months = sorted({each.month for each in money.months})
    rows = tuple(_month(month, [each for each in money.months if each.month == month]) for month in months)
    ahead = tuple(_ahead(each, saved, as_of) for each in money.forecast)
    label = "ahead, with what was accepted" if saved else "ahead, nothing changed"
    summary = _bill_summary(rows, money, ahead, accepted=bool(saved))
    return MonthlyBill(tuple(_services(money.months, months)), rows, ahead, summary, label)


def _ahead(month: ForecastMonth, saved: Decimal, as_of: date | None) -> Ahead:
    """A month to come; the forecast was made before anything was changed."""
    off = saved * _share_left(month.month, as_of)
    cost, low, high = (max(each - off, ZERO) for each in (month.cost, month.low, month.high))
    return Ahead(month.month, cost, low, high)


def _share_left(month: date, as_of: date | None) -> Decimal:
    """The share of a month that comes after a day."""
    if as_of is None or month > as_of:
        return Decimal(1)
    days = monthrange(month.year, month.month)[1]
    passed = days if (month.year, month.month) != (as_of.year, as_of.month) else as_of.day
    return Decimal(days - passed) / days


def _month(month: date, services: Sequence[ServiceMonth]) -> MonthRow:
    lists, stranded = ([getattr(each, name) for each in services] for name in ("list_cost", "stranded"))
    return MonthRow(
        month,
        None if None in lists else sum(lists, ZERO),
        sum((each.billed_cost for each in services), ZERO),
        sum((each.effective_cost for each in services), ZERO),
        None if None in stranded else sum(stranded, ZERO),
        any(each.estimated for each in services),
    )


def _services(costs: Sequence[ServiceMonth], months: Sequence[date]) -> Iterator[ServiceBars]:
    """The dearest services by name, all others as one."""
    by_service: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for each in costs:
        by_service[each.service][each.month] += each.effective_cost
    ranked = sorted(by_service, key=lambda name: (-sum(by_service[name].values()), name))
    for name in ranked[:SERVICES]:
        yield ServiceBars(name, tuple(by_service[name][month] for month in months))
    if rest := ranked[SERVICES:]:
        amounts = tuple(sum((by_service[name][month] for name in rest), ZERO) for month in months)
        yield ServiceBars(rest[0] if len(rest) == 1 else f"{len(rest)} further services", amounts)


def _bill_summary(rows: Sequence[MonthRow], money: MoneyEvidence, ahead: Sequence[Ahead], *, accepted: bool) -> str:
    whole = [each for each in rows if not each.estimated] or rows
    last = whole[-1]
    sentences = [f"{last.month:%B %Y} cost {dollars(last.effective)}"]
    if last.stranded:
        sentences.append(f"{dollars(last.stranded)} of it for commitments that nothing used")
    said = ", ".join(sentences) + "."
    if money.trend:
        it = money.trend
        said += f" A day costs {dollars(it.daily)}; in 30 days that moves by {it.monthly_change:+.1f} %"
        low, high = (f"{each:+.1f}" for each in (it.low, it.high))
        said += f" (each weekday against its own{'' if low == high else f'; 95 % between {low} and {high} %'})."
        said += _year_ago(it.yearly)
    if money.forecast:
        month, source = ahead[0], money.forecast[0].source
        start = "With what was accepted" if accepted else "Nothing changed"
        said += f" {start}, {month.month:%B} will cost {dollars(month.cost)}"
        said += f" ({interval(month.low, month.high)})" if dollars(month.low) != dollars(month.high) else ""
        said += f" by {source}."
    return f"{said} This is the bill of account {money.account} alone." if money.account else said


def _year_ago(yearly: float | None) -> str:
    """The year before seen from today: a rise of 10 % since then is 9.1 % less then."""
    if yearly is None or yearly <= -100:
        return ""
    then = (1 / (1 + yearly / 100) - 1) * 100
    if abs(then) < 0.05:
        return " A year ago the same month cost the same."
    return f" A year ago the same month cost {abs(then):.1f} % {'less' if then < 0 else 'more'}."


def net_of(plan: Plan | None, money: MoneyEvidence | None) -> Net | None:
    """The plan net of commitments; None when these are not known, or the plan changes nothing."""
    costs = plan.costs if plan else None
    if plan is None or costs is None or costs.totals_before is None or costs.totals_after is None or not costs.savings:
        return None
    titles = {each.id: each.title for each in plan.actions}
    changing = [each for each in costs.savings if each.monthly or each.net or each.once or each.kept]
    dearest = sorted(changing, key=lambda each: -abs(each.monthly))[:ROWS]
    more = len(costs.savings) - len(dearest)
    commitments = money.commitments if money and money.commitments else Commitments()
    return Net(
        totals=_totals(costs),
        rows=tuple(_net_row(each, titles[each.action]) for each in changing if each in dearest),
        commitments=tuple(_commitments(commitments)),
        left_out=f"{count(more, 'further change')}: all in evidence.json." if more > 0 else "",
        summary=_net_summary(costs, commitments),
    )


def _totals(costs: PlanCosts) -> tuple[TotalsRow, ...]:
    before, after = costs.totals_before, costs.totals_after
    assert before is not None
    assert after is not None
    names = (
        ("List cost", "at on-demand list price", "list_cost"),
        ("Billed cost", "invoiced this month", "billed_cost"),
        ("Effective cost", "with upfront payments spread over their terms", "effective_cost"),
        ("Of it stranded", "paid for commitments that nothing uses", "stranded"),
    )
    return tuple(TotalsRow(name, means, getattr(before, it), getattr(after, it)) for name, means, it in names)


def _net_row(saving: Saving, title: str) -> NetRow:
    later = "; ".join(f"from {date_of(each.since)}: {dollars_and_cents(each.net)}" for each in saving.later)
    resource = " · ".join(each for each in (label_in(saving.resource), region_in(saving.resource)) if each)
    payback = saving.payback_months
    return NetRow(
        title,
        resource,
        dollars_and_cents(saving.monthly),
        NO_VALUE if saving.net is None else dollars_and_cents(saving.net),
        later or "the same",
        "not known" if saving.once is None else dollars_and_cents(saving.once),
        NO_VALUE if payback is None else "at once" if not payback else f"{payback:.1f} months",
    )


def _commitments(commitments: Commitments) -> Iterator[CommitmentRow]:
    rows = [
        CommitmentRow(f"{each.instance_type}, {each.units:f} units reserved", each.region, each.monthly, each.ends)
        for each in commitments.reservations
    ]
    rows += [
        CommitmentRow(f"{each.family or 'Compute'} Savings Plan", each.region or "any", each.monthly, each.ends)
        for each in commitments.savings_plans
    ]
    yield from sorted(rows, key=lambda each: (each.ends, each.what))


def _net_summary(costs: PlanCosts, commitments: Commitments) -> str:
    before, after = costs.totals_before, costs.totals_after
    assert before is not None
    assert after is not None
    at_list, net = costs.before - costs.after, before.effective_cost - after.effective_cost
    if not commitments.ends:
        return (
            "No reservation and no Savings Plan is in force: what comes off the list price comes off the bill at once."
        )
    stranded = after.stranded - before.stranded
    ends = listed([date_of(each) for each in commitments.ends[:3]])
    return (
        f"Of {dollars(at_list)} a month at list price {dollars(net)} come off the bill now: commitments of "
        f"{dollars(stranded)} a month are left without use until they end ({ends})."
    )


def worth_of(money: MoneyEvidence | None) -> Worth | None:
    """Findings on the bill itself; None when there are none."""
    if money is None or not (money.findings or money.advice):
        return None
    return Worth(
        findings=tuple(
            FindingRow(each.title, each.evidence, each.advice, each.costs_now, each.source) for each in money.findings
        ),
        purchases=tuple(
            PurchaseRow(
                each.family,
                each.region,
                f"{each.offered:f} for {dollars(each.offered_saving)} a month" if each.offered else "nothing",
                f"{each.today:f}",
                f"{each.target:f}",
                NO_VALUE if each.target_saving is None else dollars_and_cents(each.target_saving),
            )
            for each in money.advice
        ),
        advice=f"{ADVICE.rstrip('.')}.",
    )
