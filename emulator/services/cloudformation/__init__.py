"""Loads synthesized stacks into the emulated account, through the ordinary APIs.

moto's CloudFormation skips most governed types and reports success all the same, so it proves
nothing. Here each type has a creator, and types without one are left out, counted and returned.
"""

from emulator.core.resource_type import LoadRefused
from emulator.services.cloudformation.deploy import Deployment, deploy

__all__ = ["Deployment", "LoadRefused", "deploy"]
