"""Loads synthesized stacks into the emulated account, through the ordinary APIs.

moto's CloudFormation skips most governed types and reports success all the same, so it proves
nothing. Here each type has a creator, and types without one are left out, counted and returned.
"""

from optimizer.rehearsal.loader.deploy import Deployment, deploy
from optimizer.rehearsal.loader.resource import LoadRefused

__all__ = ["Deployment", "LoadRefused", "deploy"]
