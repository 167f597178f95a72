"""The synthesized assembly, as the rehearsal reads it: the same reader that freeze check and reconcile use."""

from optimizer.observe.assembly import REVISION_KEY, Assembly, Stack, read_assembly

__all__ = ["REVISION_KEY", "Assembly", "Stack", "read_assembly"]
