"""SEARCH in GetMetricData: one series for each metric that matches, at most 100, under the query's id.

The module emulates a schema in braces, MetricName=, Dimension= and bare words, all of which must match; other
syntax raises NotImplementedError.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.services.cloudwatch.listed_metrics import workload_metrics

if TYPE_CHECKING:
    from emulator.core.port import Account

Query = Mapping[str, Any]

_SERIES = 100
_SEARCH = re.compile(r"\s*SEARCH\s*\((.*)\)\s*", re.DOTALL)
_ARGUMENTS = re.compile(
    r"\s*(?P<q>['\"])(?P<what>.*)(?P=q)\s*,\s*['\"](?P<stat>[\w.]+)['\"]\s*(?:,\s*(?P<period>\d+)\s*)?", re.S
)
_SCHEMA = re.compile(r"\s*\{([^}]*)\}\s*")
_TERM = re.compile(r'(?:(?P<name>[\w:]+|"[^"]+")\s*=\s*)?(?P<value>"[^"]*"|[^\s"]+)')
_USUAL = 300  # seconds, the default period


def expand_searches(account: Account, place: tuple[str, str], queries: Sequence[Query]) -> list[Query]:
    """The queries, each SEARCH replaced by its matches: each carries the search's id as `SearchId`."""
    whole: list[Query] = []
    for query in queries:
        search = _SEARCH.fullmatch(query.get("Expression", ""))
        whole += _series(account, place, query, search[1]) if search else [query]
    return whole


def _series(account: Account, place: tuple[str, str], query: Query, arguments: str) -> Iterator[Query]:
    parts = _ARGUMENTS.fullmatch(arguments)
    if parts is None:
        raise AwsError("ValidationError", f"Error in expression '{query['Id']}': SEARCH takes 'TERMS', 'STAT', PERIOD.")
    period = int(parts["period"] or query.get("Period") or _USUAL)
    schema = _SCHEMA.match(parts["what"])
    namespace, *names = [each.strip().strip('"') for each in schema[1].split(",")] if schema else [None]
    terms = _terms(parts["what"][schema.end() if schema else 0 :], query["Id"])
    metrics = (
        each
        for each in workload_metrics(account, place, namespace)
        if (schema is None or _names(each) == set(names)) and all(_matches(each, *term) for term in terms)
    )
    for number, metric in enumerate(islice(metrics, _SERIES)):
        values = " ".join(each["Value"] for each in metric["Dimensions"])
        yield {
            "Id": f"{query['Id']}_search_{number}",
            "SearchId": query["Id"],
            "Label": f"{query.get('Label', '')} {values} {metric['MetricName']}".strip(),
            "ReturnData": query.get("ReturnData", True),
            "MetricStat": {"Metric": metric, "Stat": parts["stat"], "Period": period},
        }


def _terms(text: str, id: str) -> list[tuple[str | None, str, bool]]:
    """Name, value and exactness of each term: a quoted value must match as a whole."""
    terms = []
    for each in _TERM.finditer(text):
        name, value = each["name"], each["value"]
        if name is None and value == "AND":
            continue
        if name is None and (value in ("OR", "NOT") or "(" in value or ")" in value):
            raise NotImplementedError(f"SEARCH with {value} is not emulated ({id}): write a query for each part.")
        terms.append((name.strip('"') if name else None, value.strip('"'), value.startswith('"')))
    return terms


def _names(metric: Query) -> set[str]:
    return {each["Name"] for each in metric["Dimensions"]}


def _matches(metric: Query, name: str | None, value: str, exact: bool) -> bool:
    """Whether a metric matches: a quoted value as a whole; another by one of its words, case-insensitive."""
    held = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    if name == "MetricName":
        texts = [metric["MetricName"]]
    elif name == "Namespace":
        texts = [metric["Namespace"]]
    elif name is not None:
        texts = [held[name]] if name in held else []
    else:
        texts = [metric["Namespace"], metric["MetricName"], *held, *held.values()]
    if exact:
        return value in texts
    return any(value.casefold() in (text.casefold(), *_words(text)) for text in texts)


def _words(text: str) -> list[str]:
    """The words of a text: split at signs, and between a lower-case and a capital letter (search syntax, tokens)."""
    parts = re.split(r"[^A-Za-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text))
    return [each.casefold() for each in parts if each]
