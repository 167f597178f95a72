"""The registry: every module in this folder is one action; a new action is a new file.

The file's name is the action's id; that, and everything else the contract asks at load, is checked
here, so that a wrong action stops the program before it reads anything from AWS.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from graphlib import CycleError, TopologicalSorter

from optimizer.action import Action
from optimizer.model.phase import Phase


@cache
def registry() -> tuple[Action, ...]:
    """All actions, by phase and then in the order they ask for. Raises TypeError on a broken contract."""
    actions = [_load(module.name) for module in pkgutil.iter_modules(__path__)]
    return ordered(actions)


def actions_of(phase: Phase) -> tuple[Action, ...]:
    """The actions of one phase, in the order in which they run."""
    return tuple(action for action in registry() if action.phase is phase)


def action(action_id: str) -> Action:
    """The action of that id; raises KeyError."""
    return {each.id: each for each in registry()}[action_id]


def ordered(actions: Iterable[Action]) -> tuple[Action, ...]:
    """By phase, then by `order.after` and `order.before`, then by id. Raises TypeError when that cannot be."""
    by_id = {each.id: each for each in actions}
    for each in by_id.values():
        for other in each.order.after:
            if other in by_id and by_id[other].phase.number > each.phase.number:
                raise TypeError(f"action {each.id} wants to come after {other}, which belongs to a later phase")
        for other in each.order.before:
            if other in by_id and by_id[other].phase.number < each.phase.number:
                raise TypeError(f"action {each.id} wants to come before {other}, which belongs to an earlier phase")
    result: list[Action] = []
    for phase in Phase:
        members = sorted(each for each in by_id if by_id[each].phase is phase)
        graph = {each: sorted(_first(by_id[each], [by_id[other] for other in members])) for each in members}
        try:
            result += [by_id[each] for each in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            raise TypeError(f"the actions of {phase.name} wait for each other: {error.args[1]}") from error
    return tuple(result)


def _first(action: Action, others: Iterable[Action]) -> set[str]:
    """Which of the others come before an action: by its own word, or by theirs."""
    return {each.id for each in others if each.id in action.order.after or action.id in each.order.before}


def _load(name: str) -> Action:
    module = importlib.import_module(f"{__name__}.{name}")
    declared = getattr(module, "ACTION", None)
    if not isinstance(declared, Action):
        raise TypeError(f"{module.__file__} has no ACTION: an action file ends with one (see optimizer/action.py)")
    if declared.id != name:
        raise TypeError(f"{module.__file__} declares the id {declared.id!r}: the id is the file's name")
    if not (module.__doc__ or "").strip():
        raise TypeError(
            f"{module.__file__} has no docstring: it says what the action saves, risks and how it is undone"
        )
    return declared
