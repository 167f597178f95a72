"""CloudFormation's CreateStack and DeleteStack, as a caller without CDK uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudformation.assembly import Stack
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.core.resource_type import LoadRefused
from emulator.services.cloudformation import moto_backend as cloudformation_service
from emulator.services.cloudformation.deploy import deploy
from emulator.services.cloudformation.stacks import StackEvents, StackStore, place_of
from emulator.services.cloudformation.submitted import new_template, refuse_incapable

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

cloudformation_service.take_place()

_API = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference"


@emulates(
    "cloudformation",
    "CreateStack",
    rule="A name that is taken is an AlreadyExistsException; IAM resources need a capability. Here the stack is "
    "complete at once.",
    source=f"{_API}/API_CreateStack.html",
)
def create_stack(account: Account, call: Call) -> Answer:
    given, place = call.parameters, place_of(call)
    if account.part(StackStore).find(place) is not None:
        raise AwsError("AlreadyExistsException", f"Stack [{place.stack}] already exists")
    template = new_template(account, call)
    refuse_incapable(template, given.get("Capabilities", []))
    tags = {each["Key"]: each["Value"] for each in given.get("Tags", [])}
    deploy(account, Stack(place.stack, place.account, place.region, "", template, tags))
    return {"StackId": place.stack_id}


@emulates(
    "cloudformation",
    "DeleteStack",
    rule="Deletes the resources that no DeletionPolicy retains, the last ones first; a stack that is not there is no "
    "error. A resource that cannot be deleted leaves the stack DELETE_FAILED.",
    source=f"{_API}/API_DeleteStack.html",
)
def delete_stack(account: Account, call: Call) -> Answer:
    place, store = place_of(call), account.part(StackStore)
    stack = store.find(place)
    if stack is None:
        return {}
    empty = {**stack.template, "Resources": {}, "Outputs": {}}
    try:
        deploy(account, Stack(place.stack, place.account, place.region, "", empty, stack.tags))
    except LoadRefused as refused:
        account.part(StackEvents).force(place.account, place.region, place.stack, "DELETE_FAILED", str(refused))
    else:
        store.remove(place)
    return {}
