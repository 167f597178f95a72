"""CloudFormation as the pipeline's actions use it: change sets and self-mutation, through the loader."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudformation.assembly import Stack, read_assembly
from cloudformation.template import Place, Resolver, Unresolved, same_template
from emulator.account import EmulatedAccount
from emulator.core.resource_type import Declared
from emulator.services.cloudformation import Deployment, LoadRefused, deploy
from emulator.services.cloudformation.change_set import Update
from emulator.services.cloudformation.stacks import DeployedStack, StackStore
from emulator.services.cloudformation.stand_ins import stand_in_attribute
from rehearsal.pipeline.builds import Say
from rehearsal.pipeline.definition import SynthesizedPipeline, read_pipeline
from rehearsal.pipeline.errors import WalkFailed


@dataclass
class Deployments:
    """Deploys into the emulated account. `region` is the pipeline's own."""

    account: EmulatedAccount
    region: str
    say: Say
    _prepared: dict[tuple[str, str], Stack] = field(default_factory=dict)

    def bring(self, stack: Stack) -> Deployment:
        """Deploy one stack; raises WalkFailed if the loader refuses."""
        try:
            return deploy(self.account, stack)
        except LoadRefused as refused:
            raise WalkFailed(f"{stack.name} cannot be deployed: {refused}") from refused

    def changes(self, stack: Stack) -> list[str]:
        """Changes that a deployment of the stack would make now, each as "stack: action resource"."""
        before = self.account.part(StackStore).find(Place(stack.account, stack.region, stack.name))
        if before is None:
            return [f"{stack.name}: Create the stack"]
        differing = Update(self.account, before, stack, drift_aware=False, imports=False).changes()
        lines = [f"{stack.name}: {each['Action']} {each['LogicalResourceId']}" for each in differing]
        if not lines and not same_template(before.template, stack.template):
            lines.append(f"{stack.name}: Modify its template alone")
        return lines

    def change_set(self, stack: str, region: str | None, assembly: Path, template: str) -> None:
        """Prepare a stack of the assembly."""
        if not (assembly / template).is_file():
            raise WalkFailed(f"{stack}: the artifact holds no {template}.")
        wanted = json.loads((assembly / template).read_text())
        where = region or self.region
        for each in read_assembly(assembly).stacks:
            if (each.name, each.region) == (stack, where) and each.template == wanted:
                self._prepared[stack, where] = each
                return
        raise WalkFailed(f"{stack}: {template} is not the template of that stack in {where}.")

    def execute(self, stack: str, region: str | None) -> None:
        """Deploy the prepared stack."""
        prepared = self._prepared.pop((stack, region or self.region), None)
        if prepared is None:
            raise WalkFailed(f"{stack}: there is no change set to execute.")
        self._deploy(prepared)

    def self_mutate(self, assembly: Path, artifact: str) -> None:
        """Deploy the pipeline's stack. Raises WalkFailed if the pipeline changed: it would restart the execution."""
        manifest = json.loads((assembly / "manifest.json").read_text())
        asset = manifest["artifacts"].get(artifact)
        if asset is None:
            raise WalkFailed(f"UpdatePipeline: the assembly holds no stack {artifact}.")
        stack = read_assembly(assembly).stack(asset["properties"].get("stackName", artifact))
        before = self.account.part(StackStore).find(Place(stack.account, stack.region, stack.name))
        self._deploy(stack)
        if before is not None and _pipelines(before.template) != _pipelines(stack.template):
            raise WalkFailed("UpdatePipeline changed the pipeline under way: CodePipeline would start it anew.")

    def _deploy(self, stack: Stack) -> None:
        done = self.bring(stack)
        changed = [*done.created, *done.updated]
        self.say(f"deployed {stack.name} in {stack.region}: {', '.join(changed) if changed else 'no change'}")


def deployed_pipeline(account: EmulatedAccount, stack: Stack) -> SynthesizedPipeline:
    """The pipeline of a deployed stack, with its references resolved."""
    place = Place(stack.account, stack.region, stack.name)
    deployed = account.part(StackStore).find(place)
    if deployed is None:
        raise WalkFailed(f"{stack.name} is not deployed: there is no pipeline to walk.")
    return read_pipeline(deployed.template, Resolver(deployed.template, place, _Deployed(deployed)).resolve)


@dataclass(frozen=True)
class _Deployed:
    """A deployed stack as the `Lookup` of its own template."""

    stack: DeployedStack

    def ref(self, logical_id: str) -> Any:
        return self._resource(logical_id).physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        resource = self._resource(logical_id)
        if resource.loaded:
            return resource.attributes[name]
        declared = Declared(logical_id, resource.type, resource.properties, {}, self.stack.place)
        return stand_in_attribute(declared, resource.physical_id, name)

    def export(self, name: str) -> Any:
        raise Unresolved(f"the pipeline's stack imports {name}, and nothing is imported there")

    def output(self, stack: str, region: str, name: str) -> Any:
        raise Unresolved(f"the pipeline's stack reads {name} of {stack} in {region}, and nothing is read there")

    def zones(self, region: str) -> Sequence[str]:
        raise Unresolved(f"the pipeline's stack asks for the zones of {region}, and has no use for them")

    def _resource(self, logical_id: str) -> Any:
        if logical_id not in self.stack.resources:
            raise Unresolved(f"{logical_id} is not in the template")
        return self.stack.resources[logical_id]


def _pipelines(template: Any) -> list[Any]:
    return [each for each in template["Resources"].values() if each["Type"] == "AWS::CodePipeline::Pipeline"]
